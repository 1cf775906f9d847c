"""The pictures that explain alerts, by the rule's type: drawn on the commit thread, for start alerts only."""

from __future__ import annotations

from collections.abc import Mapping

from surveil.alerts.evidence import Hide, Illustrate
from surveil.features.normality.draw import explained
from surveil.features.normality.result import EXTRA, NormalityResult
from surveil.features.normality.rule import Anomaly
from surveil.types import Alert, Bytes

MIN_ROWS, MAX_ROWS = 360, 540
"""Text fits over two pictures of the first height, and two of the second on a screen beside each other."""


def why_unusual(
    _alert: Alert, picture: Bytes, findings: Mapping[str, object], hide: Hide
) -> Mapping[str, Bytes]:
    """Return `explained`: heat and box on the picture, the nearest usual example beside it."""
    finding = findings.get(EXTRA)
    if not isinstance(finding, NormalityResult) or finding.explanation is None:
        return {}
    rows, columns = picture.shape[:2]
    drawn = explained(picture, (columns, rows), finding.explanation, min(max(rows, MIN_ROWS), MAX_ROWS), hide)
    return {"explained": drawn}


ILLUSTRATORS: Mapping[str, Illustrate] = {Anomaly.type: why_unusual}
"""A rule's type and what draws for it."""


def illustrate(
    alert: Alert, picture: Bytes, findings: Mapping[str, object], hide: Hide
) -> Mapping[str, Bytes]:
    """Return the pictures that explain the alert, by kind; none for most."""
    draw = ILLUSTRATORS.get(alert.type)
    return draw(alert, picture, findings, hide) if draw else {}
