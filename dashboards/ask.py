"""Ask a Prometheus what a panel of a dashboard asks it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import urlopen

_VARIABLE = re.compile(r"\$(?:\{(\w+)(?::\w+)?\}|(\w+))")


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Put values for `$name` and `${name}`, as Grafana does. Raises KeyError for a name that has none."""
    return _VARIABLE.sub(lambda found: variables[found[1] or found[2]], text)


@dataclass(frozen=True, slots=True)
class Prometheus:
    """The part of Prometheus' HTTP interface that Grafana uses. Raises ValueError with its message."""

    address: str
    """host:port."""

    def instant(self, expr: str) -> list[dict[str, Any]]:
        """Return the series of an expression now, each with `metric` and `value`."""
        found: dict[str, list[dict[str, Any]]] = self._ask("query", query=expr)
        return found["result"]

    def over(self, expr: str, start: float, end: float, step_s: float) -> list[dict[str, Any]]:
        """Return the series of an expression over a time (s since 1970), each with `metric` and `values`."""
        found: dict[str, list[dict[str, Any]]] = self._ask(
            "query_range", query=expr, start=start, end=end, step=step_s
        )
        return found["result"]

    def series(self, selector: str) -> list[dict[str, str]]:
        """Return the labels of every series that a selector has ever matched."""
        found: list[dict[str, str]] = self._ask("series", **{"match[]": selector})
        return found

    def rules(self) -> list[dict[str, Any]]:
        """Return every rule with its health."""
        found: dict[str, list[dict[str, Any]]] = self._ask("rules")
        return [rule for group in found["groups"] for rule in group["rules"]]

    def _ask(self, what: str, **words: Any) -> Any:
        try:
            with urlopen(f"http://{self.address}/api/v1/{what}?{urlencode(words)}", timeout=10) as answer:
                return json.load(answer)["data"]
        except HTTPError as error:
            with error:
                raise ValueError(json.load(error)["error"]) from error
