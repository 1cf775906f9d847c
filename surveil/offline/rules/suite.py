"""`SUITE.yaml` (or JSON): recordings of one camera, and the events of its rules. Every mistake at once.

name: gate
camera:                        # settings of a camera, as in the configuration, without `url`; or the name of
  zones: {yard: [[0, 0.3], [1, 0.3], [1, 1], [0, 1]]}         # a camera of the configuration
  rules: [{type: intrusion, zone: yard}, {type: line_crossing, line: middle}]
  lines: {middle: [[0.5, 0], [0.5, 1]]}
within_s: 10                   # an alert counts until so long after it is due
films:
  - path: monday.mp4           # a video or a folder of images, relative to --footage or to this file
    conditions: [day, rain]
    events:
      - {rule: intrusion, start: 12.5, end: 30, conditions: [near]}
      - {rule: line_crossing, start: 14.2, direction: left}   # without `end`: a moment
      - {rule: intrusion, start: 50, end: 55, unclear: true}  # neither found nor missed, and no false alarm
  - path: tuesday.mp4          # no events: every alert is a false one
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Self

import yaml
from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator

from surveil.errors import ConfigError
from surveil.settings import Settings

MAX_BYTES = 64 * 1024 * 1024
MAX_S = 1e7
"""No recording is longer."""
SUFFIXES = (".yaml", ".yml", ".json")
Condition = Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$")]


class Event(Settings):
    """Something that happens, and the rule that is to alert."""

    rule: str = Field(description="Name of the rule; its type unless it was given a name.")
    start: float = Field(ge=0, le=MAX_S, description="Time from the start of the recording, s.")
    end: float | None = Field(
        default=None, ge=0, le=MAX_S, description="End of the event, s. Default: it is a moment."
    )
    zone: str = Field(default="", description="Zone that the alert must name.")
    line: str = Field(default="", description="Line that the alert must name.")
    direction: str = Field(default="", description="Direction that the alert must name.")
    label: str = Field(default="", description="Class, or state of the picture, that the alert must name.")
    conditions: tuple[Condition, ...] = Field(
        default=(), description="Conditions of this event, beside those of its film."
    )
    within_s: float | None = Field(
        default=None, gt=0, le=3600, description="Time in which the alert counts. Default: that of the suite."
    )
    unclear: bool = Field(
        default=False, description="Whether it counts neither as found nor as missed, nor alerts as false."
    )

    @model_validator(mode="after")
    def _ends_after_its_start(self) -> Self:
        if self.end is not None and self.end <= self.start:
            raise ValueError(f"the end, {self.end:g} s, does not come after the start, {self.start:g} s")
        if self.unclear and self.end is None:
            raise ValueError("an unclear event needs an `end`")
        return self


class Film(Settings):
    """A recording with its events."""

    path: str = Field(min_length=1, description="Video or folder of images.")
    name: str = Field(default="", description="Name in reports. Default: the path.")
    conditions: tuple[Condition, ...] = Field(default=(), description="Conditions of the whole recording.")
    events: tuple[Event, ...] = Field(default=(), description="Events of its rules.")

    @property
    def title(self) -> str:
        """Its name in reports."""
        return self.name or self.path


def _settings_or_name(value: object) -> object:
    if not isinstance(value, (str, dict)) or not value:
        raise ValueError("write the camera's settings, or the name of a camera of the configuration")
    return value


def _some(films: tuple[Film, ...]) -> tuple[Film, ...]:
    # A bound of the field would complain of films that are wrong, too.
    if not films:
        raise ValueError("there is no film: add one")
    return films


class Suite(Settings):
    """Labelled recordings of one camera."""

    name: str = Field(default="", description="Name in reports. Default: that of the file.")
    camera: Annotated[str | dict[str, Any], BeforeValidator(_settings_or_name)] = Field(
        description="Settings of a camera without `url`, or the name of a camera of the configuration."
    )
    rules: tuple[str, ...] = Field(
        default=(), description="Names of the rules that are evaluated. Default: all."
    )
    within_s: float = Field(
        default=10.0, gt=0, le=3600, description="Time after an alert is due in which it counts."
    )
    films: Annotated[tuple[Film, ...], AfterValidator(_some)] = Field(description="The recordings.")


def is_suite(path: Path) -> bool:
    """Return whether it is a suite's file, or a folder that has any: other files and folders are data sets."""
    if path.is_dir():
        return any(is_suite(file) for file in _files(path))
    raw = _raw(path) if path.suffix in SUFFIXES and path.exists() else None
    return isinstance(raw, dict) and "films" in raw


def load_suites(path: Path) -> tuple[tuple[Path, Suite], ...]:
    """Read the suite of a file, or those of a folder; return each with its file.

    Raises ConfigError with every mistake that was found.
    """
    wrong: list[str] = []
    suites: list[tuple[Path, Suite]] = []
    for file in (file for file in _files(path) if is_suite(file)) if path.is_dir() else (path,):
        try:
            suites.append((file, _suite(file)))
        except ConfigError as error:
            wrong += error.messages
    if wrong:
        raise ConfigError(wrong)
    return tuple(suites)


def _files(folder: Path) -> Iterator[Path]:
    return (file for file in sorted(folder.iterdir()) if file.suffix in SUFFIXES and file.is_file())


def _raw(path: Path) -> object:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigError([f"{path}: too large for labels"])
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError([f"{path}: not YAML: {' '.join(str(error).split())}"]) from None


def _suite(path: Path) -> Suite:
    raw = _raw(path)
    if not isinstance(raw, dict):
        raise ConfigError([f"{path}: a suite is a mapping with camera and films"])
    try:
        suite = Suite.model_validate(raw)
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=False)
        raise ConfigError([f"{path}: {_place(d['loc'])}: {_words(d['msg'])}" for d in details]) from None
    return suite if suite.name else suite.model_copy(update={"name": path.stem})


def _place(steps: tuple[int | str, ...]) -> str:
    """Return where a value stands: films[0].events[2].start."""
    return "".join(f"[{s}]" if isinstance(s, int) else f".{s}" for s in steps).removeprefix(".")


def _words(message: str) -> str:
    plain = {"Extra inputs are not permitted": "unknown key", "Field required": "is missing"}
    return plain.get(message, message.removeprefix("Value error, "))
