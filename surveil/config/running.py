"""The configuration as the running code uses it: frozen, complete, with all references resolved."""

from __future__ import annotations

import hashlib
import json
import re
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, SecretStr

from surveil.alerts.camerawatch import CameraWatchSettings
from surveil.alerts.incidents import IncidentSettings
from surveil.alerts.settings import EvidenceSettings, OffsiteSettings, OutboxSettings
from surveil.alerts.sinks.base import SinkSettings
from surveil.alerts.storm import StormSettings
from surveil.capture.address import device_number
from surveil.capture.settings import CaptureSettings, RecordSettings, StreamSettings
from surveil.config.file import CameraSettings, FileSettings, FleetSettings, LogSettings, PlacementSettings
from surveil.config.problems import no_camera
from surveil.config.secrets import Secrets
from surveil.config.shapes import HiddenArea, TitledLine, TitledZone
from surveil.detect.settings import DetectSettings, ModelSettings
from surveil.errors import ConfigError
from surveil.features.base import AnySettings
from surveil.features.counting.settings import CountingSettings
from surveil.features.health.rule import CAMERA_MOVED, PictureSettings
from surveil.features.health.settings import HealthSettings
from surveil.features.registry import FEATURES
from surveil.listening import HttpSettings
from surveil.redact import secrets_of
from surveil.rules.base import RuleSettings, rule_name
from surveil.schedule import ScheduleSettings
from surveil.settings import Settings
from surveil.titles import Titles
from surveil.track.settings import TrackSettings
from surveil.types import Point, Polygon
from surveil.vision.settings import MotionSettings
from surveil.wording import Language


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraConfig:
    """One camera. Fields with the name of a section are that section, as the file (or a default) has it."""

    name: str
    url: str = field(repr=False)
    """The stream that is analysed; may hold credentials."""
    record_url: str = field(repr=False)
    """The stream that clips are cut from; equals `url` where there is one stream."""
    enabled: bool
    stream: StreamSettings
    """The stream that is analysed, and how it is read."""
    record: StreamSettings | None
    """The stream that is recorded and that clips are cut from, where that is another one."""
    detect: DetectSettings
    motion: MotionSettings
    track: TrackSettings
    sections: Mapping[type[Settings], Settings]
    """The sections of features, by their type."""
    masks: Mapping[str, Polygon]
    """In which nothing counts. Fractions of the frame, as are all areas and lines."""
    undetected: tuple[Polygon, ...]
    """Blanked before detection; among the masks, too."""
    unstored: tuple[Polygon, ...]
    """Blanked in whatever is stored."""
    zones: Mapping[str, Polygon]
    lines: Mapping[str, tuple[Point, Point]]
    titles: Titles
    """Display names of the camera, its rules, zones and lines."""
    rules: tuple[RuleSettings, ...]
    """Those of the file, and `camera_moved` where a camera that moves holds rules and no rule tells of it."""
    sinks: tuple[str, ...]
    """Names of the sinks that get this camera's alerts."""
    evidence: EvidenceSettings
    recording: RecordSettings
    """As the file has it; see `recorded`."""
    placement: PlacementSettings
    site: str
    """The place that it watches; empty: its events are never joined with others'."""

    @property
    def hides(self) -> bool:
        """Whether something is hidden in its stored pictures."""
        return bool(self.unstored or self.evidence.hides_faces)

    @property
    def recorded(self) -> RecordSettings:
        """By which settings it is recorded: mode `off` where it cannot be.

        Packets cannot be masked without re-encoding (docs/adr/0014), and a webcam gives none.
        """
        is_webcam = device_number((self.record or self.stream).url) is not None
        can_be = self.enabled and not self.hides and not is_webcam
        return self.recording if can_be else self.recording.model_copy(update={"mode": "off"})

    def section(self, kind: type[AnySettings]) -> AnySettings:
        """Return a feature's section of the camera's settings."""
        found = self.sections[kind]
        assert isinstance(found, kind)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptByDefault:
    """What `defaults` say of what is kept: it applies to cameras that are not configured any more."""

    evidence: EvidenceSettings
    record: RecordSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The whole configuration."""

    path: Path
    instance: str
    """Names this daemon among others."""
    cameras: Mapping[str, CameraConfig]
    """By name, in the order of the file."""
    defaults: KeptByDefault
    model: ModelSettings
    schedules: Mapping[str, ScheduleSettings]
    sinks: Mapping[str, Settings]
    """Those that get alerts."""
    audit_sink: tuple[str, Settings] | None
    """The one that gets the audit log, with its name."""
    outbox: OutboxSettings
    state_dir: Path
    http: HttpSettings
    storm: StormSettings
    offsite: OffsiteSettings
    incidents: IncidentSettings
    camera_lost: CameraWatchSettings
    fleet: FleetSettings | None
    """None: this daemon watches all cameras."""
    log: LogSettings
    warnings: tuple[str, ...]
    """Complete lines about what works but is hardly meant."""
    secrets: frozenset[str]
    """Every secret in it, for `logs.hide`; never print it."""
    drawn: tuple[str, ...]
    """Paths of the sections that are not of the file but of the console's draft, as `cameras.yard.zones`; of a camera
    that the draft removes, as `cameras.yard`."""
    digest: str
    """sha256 (hex) of the configuration without its secrets: the same for the same meaning."""

    @property
    def every_sink(self) -> Mapping[str, Settings]:
        """All sinks, whatever they get."""
        return {**self.sinks, **({self.audit_sink[0]: self.audit_sink[1]} if self.audit_sink else {})}

    def hidden(self, camera: str) -> tuple[Polygon, ...]:
        """Return the areas of a camera of which nothing is kept, in fractions of the frame; none if it is unknown."""
        found = self.cameras.get(camera)
        return (*found.undetected, *found.unstored) if found else ()

    def camera(self, name: str) -> CameraConfig:
        """Return a camera. Raises ConfigError for a name that is not configured."""
        if name not in self.cameras:
            raise ConfigError([f"{self.path}: cameras: {no_camera(name, self.cameras)}"])
        return self.cameras[name]

    def __repr__(self) -> str:
        """Return a short form: the full one would show passwords."""
        return f"Config({str(self.path)!r}, cameras={list(self.cameras)}, digest={self.digest[:12]})"


def build(
    path: Path, settings: FileSettings, secrets: Secrets, warnings: list[str], drawn: tuple[str, ...] = ()
) -> Config:
    """Turn a checked file into the running configuration."""
    printable = json.dumps(_redact(settings.model_dump(mode="json"), secrets), sort_keys=True)
    own = {
        name: getattr(settings, name)
        for name in _shared(Config, FileSettings) - {"cameras", "defaults", "sinks", "instance"}
    }
    sinks = dict(settings.sinks)
    audit = sinks.pop(settings.http.audit_sink, None) if settings.http.console else None
    return Config(
        path=path,
        instance=settings.instance or _host_name(),
        cameras=MappingProxyType(
            {name: _camera(name, camera, tuple(sinks)) for name, camera in settings.cameras.items()}
        ),
        defaults=KeptByDefault(evidence=settings.defaults.evidence, record=settings.defaults.record),
        sinks=MappingProxyType({name: _speaking(sink, settings.language) for name, sink in sinks.items()}),
        audit_sink=None if audit is None else (settings.http.audit_sink, audit),
        warnings=tuple(warnings),
        drawn=drawn,
        secrets=frozenset(secrets.strings.union(secret for _, secret in secret_places(settings))),
        digest=hashlib.sha256(printable.encode()).hexdigest(),
        **own,
    )


def _host_name() -> str:
    """Return this host's name as far as it can stand in a topic."""
    return re.sub(r"[^A-Za-z0-9._-]+|^[._-]+", "", socket.gethostname())[:63] or "surveil"


def _speaking(sink: SinkSettings, language: Language) -> SinkSettings:
    """Return a sink's settings with the language of the file where it has none of its own."""
    return sink if sink.language else sink.model_copy(update={"language": language})


def _camera(name: str, settings: CameraSettings, all_sinks: tuple[str, ...]) -> CameraConfig:
    streams = settings.streams
    url = streams.detect if streams else str(settings.url)
    made: dict[str, Any] = {
        "name": name,
        "url": url,
        "record_url": streams.record if streams and streams.record else url,
        **_streams(settings, url),
        **_masks(settings.masks),
        "recording": settings.record,
        "sections": _sections(settings),
        "zones": _polygons({name: _points(zone) for name, zone in settings.zones.items()}),
        "lines": _polygons({name: _points(line) for name, line in settings.lines.items()}),
        "titles": _titles(settings),
        "rules": (*settings.rules, *_told_anyway(settings)),
        "sinks": all_sinks if settings.sinks is None else tuple(settings.sinks),
    }
    same: dict[str, Any] = {
        key: getattr(settings, key) for key in _shared(CameraConfig, CameraSettings) - made.keys()
    }
    return CameraConfig(**made, **same)


def _sections(settings: CameraSettings) -> Mapping[type[Settings], Settings]:
    """Return the sections of features, by their type."""
    named = [feature.section.name for feature in FEATURES.values() if feature.section]
    sections: list[Settings] = [getattr(settings, name) for name in named]
    return MappingProxyType({type(one): one for one in sections})


_Place = list[tuple[float, float]] | TitledZone | TitledLine


def _points(place: _Place) -> list[tuple[float, float]]:
    return place if isinstance(place, list) else place.points


def _titles(settings: CameraSettings) -> Titles:
    """Return what has a display name."""
    return Titles(
        camera=settings.title,
        rules={rule_name(rule): rule.title for rule in settings.rules if rule.title},
        zones=_titles_of(settings.zones),
        lines=_titles_of(settings.lines),
    )


def _titles_of(places: Mapping[str, _Place]) -> dict[str, str]:
    found = {name: place.title for name, place in places.items() if not isinstance(place, list)}
    return {name: title for name, title in found.items() if title}


def _masks(masks: Mapping[str, list[tuple[float, float]] | HiddenArea]) -> dict[str, Any]:
    """Return the masks by what they are for."""
    areas = {name: mask for name, mask in masks.items() if isinstance(mask, HiddenArea)}
    plain = {name: mask for name, mask in masks.items() if not isinstance(mask, HiddenArea)}
    undetected = {name: area.points for name, area in areas.items() if area.hide != "store"}
    return {
        "masks": _polygons(plain | undetected),
        "undetected": tuple(_polygons(undetected).values()),
        "unstored": tuple(tuple(area.points) for area in areas.values() if area.hide != "detect"),
    }


def _told_anyway(settings: CameraSettings) -> list[RuleSettings]:
    """Return the rule that says that the camera was moved, where that holds other rules and none says so.

    A rule that is held must be known to the operator.
    """
    told = any(isinstance(rule, PictureSettings) and "moved" in rule.states for rule in settings.rules)
    sections = _sections(settings)
    counting, health = sections[CountingSettings], sections[HealthSettings]
    assert isinstance(counting, CountingSettings)
    assert isinstance(health, HealthSettings)
    watches = counting.enabled or any(rule.needs_view for rule in settings.rules)
    if told or not watches or not health.enabled or not health.hold_moved:
        return []
    return [PictureSettings(name=CAMERA_MOVED, states=("moved",))]


def _streams(settings: CameraSettings, url: str) -> dict[str, StreamSettings | None]:
    """Return the settings of both streams; the second is None where one stream has both roles."""
    how = {key: getattr(settings, key) for key in CaptureSettings.model_fields}
    record = settings.streams.record if settings.streams else None
    if record is None or record == url:
        return {"stream": StreamSettings(url=url, **how), "record": None}
    return {
        "stream": StreamSettings(url=url, roles=("detect",), **how),
        "record": StreamSettings(url=record, roles=("record",), **how),
    }


def _shared(running: type, file: type[Settings]) -> set[str]:
    """Return the names of sections: the fields that both have."""
    return {own.name for own in fields(running)} & set(file.model_fields)


def _polygons(shapes: Mapping[str, list[tuple[float, float]]]) -> Mapping[str, Any]:
    return MappingProxyType({name: tuple(points) for name, points in shapes.items()})


def _redact(value: Any, secrets: Secrets, path: str = "") -> Any:
    """Return a dump with every secret as its reference, or masked."""
    match value:
        case dict():
            return {
                key: _redact(item, secrets, f"{path}.{key}" if path else key) for key, item in value.items()
            }
        case list():
            return [_redact(item, secrets, f"{path}[{index}]") for index, item in enumerate(value)]
        case str():
            return secrets.templates.get(path) or secrets.mask(value)
        case _:
            return value


def secret_places(
    value: Any, steps: tuple[str | int, ...] = ()
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield what is marked as secret by its type, also where it stands in the file itself, and the way to it."""
    match value:
        case SecretStr():
            for secret in {value.get_secret_value(), *secrets_of(value.get_secret_value())} - {""}:
                yield steps, secret
        case BaseModel():
            for name in type(value).model_fields:
                yield from secret_places(getattr(value, name), (*steps, name))
        case Mapping():
            for key, item in value.items():
                yield from secret_places(item, (*steps, key))
        case list() | tuple():
            for index, item in enumerate(value):
                yield from secret_places(item, (*steps, index))
