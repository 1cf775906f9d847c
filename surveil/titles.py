"""Display names of cameras, rules, zones and lines. Metrics, labels, topics and paths use ids instead."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from surveil.wording import Said


@dataclass(frozen=True, slots=True, kw_only=True)
class Titles:
    """The titles of one camera; what has none keeps its id."""

    camera: str = ""
    rules: Mapping[str, str] = field(default_factory=dict)
    """By the name of the rule."""
    zones: Mapping[str, str] = field(default_factory=dict)
    lines: Mapping[str, str] = field(default_factory=dict)

    def of(self, rule: str, zone: str, line: str) -> dict[str, str]:
        """Return the titles of an alert, by what they name."""
        found = {
            "camera": self.camera,
            "rule": self.rules.get(rule, ""),
            "zone": self.zones.get(zone, ""),
            "line": self.lines.get(line, ""),
        }
        return {what: title for what, title in found.items() if title}

    def say(self, text: str, zone: str, line: str) -> str:
        """Return a text with the title of its place: texts name the place after what happened there."""
        if isinstance(text, Said):
            places = {"zone": self.zones.get(zone, ""), "line": self.lines.get(line, "")}
            return text.with_values({k: v for k, v in places.items() if v and k in text.values})
        text = replace_last(text, zone, self.zones.get(zone, ""))
        return replace_last(text, line, self.lines.get(line, ""))


def replace_last(text: str, name: str, title: str) -> str:
    """Replace the last occurrence of a name as a whole word; without name or title the text stays."""
    if not name or not title:
        return text
    found = list(re.finditer(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text))
    return text[: found[-1].start()] + title + text[found[-1].end() :] if found else text


def local_and_utc(t_wall: float) -> str:
    """Return a time (Unix s) as a clock on the wall shows it, and in UTC beside it where that differs."""
    utc, local = datetime.fromtimestamp(t_wall, UTC), datetime.fromtimestamp(t_wall).astimezone()
    if not local.utcoffset():
        return f"{utc:%Y-%m-%d %H:%M:%S} UTC"
    shown = f"{utc:%H:%M:%S}" if utc.date() == local.date() else f"{utc:%Y-%m-%d %H:%M:%S}"
    return f"{local:%Y-%m-%d %H:%M:%S %Z} ({shown} UTC)"
