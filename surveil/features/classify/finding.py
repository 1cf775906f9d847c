"""What classifiers say about the crops of one frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from surveil.types import Box, Finding

On = Literal["frame", "zone", "track"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Classification:
    """What a classifier says about one crop."""

    model: str
    on: On
    zone: str
    track: int | None
    box: Box
    scores: Mapping[str, float]
    thresholds: Mapping[str, float]
    """Chosen in training, for the class it was about."""
    version: str = ""
    """First digits of the file's sha256."""


@dataclass(frozen=True, slots=True)
class Classifications(Finding):
    """What classifiers say about one frame."""

    looks: tuple[Classification, ...]
