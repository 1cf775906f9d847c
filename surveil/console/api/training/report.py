"""The report of a training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field

from surveil.console.api.training.common import items_of, picture_url, set_of
from surveil.console.api.training.models import store_of
from surveil.console.context import Call
from surveil.console.endpoint import Message
from surveil.console.refusal import not_found
from surveil.errors import StateError
from surveil.filesystem import read_json


class EstimateAnswer(Message):
    """A figure with its 95 % interval; null where it could not be had."""

    value: float | None
    low: float | None
    high: float | None


class MistakeAnswer(Message):
    """A test picture that the classifier got wrong."""

    url: str
    label: str = Field(alias="is")
    taken_for: str
    score: float


class Report(Message):
    """What the newest training was worth, judged on pictures that it has not learned from."""

    recommended: bool
    objections: tuple[str, ...]
    warnings: tuple[str, ...]
    sizes: dict[str, int]
    """Pictures to learn from, to choose by, and to test on."""
    figures: dict[str, EstimateAnswer]
    deployed: dict[str, EstimateAnswer]
    """The same of the deployed classifier on the same pictures; empty: there is none to compare."""
    classes: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]
    """Pictures by their class (row) and what they were taken for (column)."""
    worst: tuple[MistakeAnswer, ...]


def training_report(call: Call) -> Report:
    """Return the report of the newest training, with the pictures that it got most wrong."""
    name = set_of(call)
    made = _read(store_of(call, name).trained.parent / "report.json")
    found = made["evaluation"]
    urls = {item.path: picture_url(name, item) for item in items_of(call, name)}
    return Report(
        recommended=made["recommended"],
        objections=tuple(made["objections"]),
        warnings=tuple(made["warnings"]),
        sizes=made["dataset"]["sizes"],
        figures=found["figures"],
        deployed=(made["beside"] or {}).get("figures", {}),
        classes=tuple(found["confusion"]["classes"]),
        confusion=found["confusion"]["true_by_predicted"],
        worst=tuple(
            MistakeAnswer(
                url=urls[one["path"]], label=one["is"], taken_for=one["taken_for"], score=one["score"]
            )
            for one in found["worst"]
            if one["path"] in urls
        ),
    )


def _read(file: Path) -> dict[str, Any]:
    """Return a report as it was written. Raises Refusal (404) where there is none, StateError for a damaged one."""
    try:
        found = read_json(file.read_bytes())
    except FileNotFoundError:
        raise not_found("report") from None
    except ValueError as error:
        raise StateError(f"{file}: cannot be read: {error}; train again") from None
    if not isinstance(found, dict):
        raise StateError(f"{file}: is no report; train again")
    return found
