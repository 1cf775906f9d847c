"""The schema of the configuration file. A section of another module is one import and one field here.

Only the border uses these models; the running code gets the frozen values of `running`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, Union

from pydantic import AfterValidator, BeforeValidator, Field, create_model, model_validator

from surveil.alerts.camerawatch import CameraWatchSettings
from surveil.alerts.disk import SYSTEM
from surveil.alerts.incidents import IncidentSettings
from surveil.alerts.settings import EvidenceSettings, OffsiteSettings, OutboxSettings
from surveil.alerts.sinks import SINKS
from surveil.alerts.storm import StormSettings
from surveil.capture.address import SCHEMES, check_address
from surveil.capture.settings import CaptureSettings, RecordSettings
from surveil.config.shapes import FileLine, FileZone, Mask
from surveil.detect.settings import DetectSettings, ModelSettings
from surveil.features.registry import FEATURES, RULES
from surveil.listening import HttpSettings, check_private
from surveil.schedule import ScheduleSettings
from surveil.settings import Settings, Title
from surveil.track.settings import TrackSettings
from surveil.vision.settings import MotionSettings
from surveil.wording import Language


def settings_of(plugin: Any) -> type[Settings]:
    """Return the settings class of a registry's entry: the entry itself, or its `Settings`."""
    for candidate in (plugin, getattr(plugin, "Settings", None), getattr(plugin, "settings", None)):
        if isinstance(candidate, type) and issubclass(candidate, Settings):
            return candidate
    raise TypeError(f"{plugin!r} names no settings class")


def union_of(registry: Mapping[str, Any]) -> Any:
    """Return the type `A | B | …` of a registry's settings, told apart by `type`."""
    kinds = tuple(settings_of(plugin) for plugin in registry.values())
    if len(kinds) == 1:
        return kinds[0]
    return Annotated[Union[kinds], Field(discriminator="type")]  # noqa: UP007 - made at run time


AnyRule = union_of(RULES)
AnySink = union_of(SINKS)


if TYPE_CHECKING:
    Rule = Any
    Sink = Any
else:
    Rule = AnyRule
    Sink = AnySink

VERSION = 1
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}\Z")
_INSTANCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}\Z")


def _check_name(name: str) -> str:
    """Refuse a name that would not do as a metric label, a file name and a part of a URL."""
    if not _NAME.match(name):
        raise ValueError(
            "a name has letters, digits, '_' and '-' only, begins with a letter or digit, "
            "and is at most 63 characters long"
        )
    return name


def _check_camera(name: str) -> str:
    """Refuse the name that stands for the daemon in alerts, topics and evidence."""
    if name == SYSTEM:
        raise ValueError(f"the name '{SYSTEM}' belongs to alerts about the daemon itself: choose another")
    return name


def _check_instance(name: str) -> str:
    if name and not _INSTANCE.match(name):
        raise ValueError(
            "the name of this daemon has letters, digits, '.', '_' and '-' only, begins with a letter or digit, "
            "and is at most 63 characters long"
        )
    return name


def _number_to_text(value: object) -> object:
    """Let a webcam be given as `0`."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _number_items(value: object) -> object:
    """Let masks be a mere list: nothing refers to them by name."""
    return {str(index): item for index, item in enumerate(value)} if isinstance(value, list) else value


Name = Annotated[str, AfterValidator(_check_name)]
CameraName = Annotated[str, AfterValidator(_check_name), AfterValidator(_check_camera)]
SiteName = Annotated[str, AfterValidator(lambda name: _check_name(name) if name else name)]
Instance = Annotated[str, AfterValidator(_check_instance)]
Url = Annotated[str, BeforeValidator(_number_to_text), Field(min_length=1), AfterValidator(check_address)]


class StreamUrls(Settings):
    """A camera with several streams."""

    detect: Url = Field(description="Stream to analyse: 640 to 1280 pixels wide is enough.")
    record: Url | None = Field(
        default=None, description="Stream to record and to cut clips from. Default: the analysed stream."
    )


class LogSettings(Settings):
    """Log format and level."""

    format: Literal["auto", "human", "json", "journal"] = Field(
        default="auto",
        description="`auto`: `human` text on a terminal, `journal` fields under systemd, otherwise `json` lines.",
    )
    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Minimum level of log messages."
    )


Label = Annotated[str, Field(min_length=1, max_length=63)]


class PlacementSettings(Settings):
    """Which nodes of a fleet may watch a camera."""

    labels: dict[Label, Label] = Field(
        default_factory=dict, description="Labels that the node must have, for example `{site: east}`."
    )
    nodes: list[Label] | None = Field(
        default=None, description="Names of the nodes that may watch the camera. Default: all."
    )
    cost: float | None = Field(
        default=None,
        gt=0,
        le=1000,
        description="Part of a node's `capacity` that the camera takes. Default: its measured CPU time in cores.",
    )


class NodeSettings(Settings):
    """One node of a fleet."""

    labels: dict[Label, Label] = Field(
        default_factory=dict, description="Labels of the node, for example `{site: east}`."
    )
    capacity: float | None = Field(
        default=None,
        gt=0,
        le=10_000,
        description="Sum of the costs of the cameras that the node can watch. Default: 3/4 of its CPU cores.",
    )


class FleetSettings(Settings):
    """Several machines that share the cameras of one configuration."""

    node: str = Field(
        default="", pattern=r"^[A-Za-z0-9._-]{0,63}$", description="Name of this node. Default: `instance`."
    )
    store: Path = Field(
        description="Folder that all nodes share, for learned models. A coordinator that starts without it places no "
        "camera."
    )
    on_lost_coordinator: Literal["watch", "stop"] = Field(
        default="watch",
        description="What a node does without the coordinator. `watch`: it continues to watch its cameras, so that "
        "two nodes may watch one camera. `stop`: it stops after 8 s, so that no node may watch a camera.",
    )
    listen: Annotated[str, AfterValidator(check_private)] = Field(
        default="127.0.0.2:6379",
        description="Address of the head, on loopback or a private network: anyone who reaches it may run programs.",
    )
    nodes: dict[Label, NodeSettings] = Field(
        default_factory=dict,
        description="Labels and capacity of nodes, by name. Nodes that are not named here may join, too.",
    )
    certificate: Path | None = Field(
        default=None,
        description="Certificate (PEM) of this node, for its address: Ray's connections use TLS. Default: no TLS.",
    )
    key: Path | None = Field(default=None, description="Private key (PEM) of the certificate.")
    authority: Path | None = Field(
        default=None, description="Certificate (PEM) of the authority that has signed those of all nodes."
    )

    @model_validator(mode="after")
    def _all_of_tls(self) -> Self:
        if len({self.certificate is None, self.key is None, self.authority is None}) > 1:
            raise ValueError("'certificate', 'key' and 'authority' belong together: give all three")
        return self


class CoreCameraSettings(CaptureSettings):
    """Settings that a camera may have, without the sections of features."""

    enabled: bool = Field(default=True, description="Open the camera.")
    detect: DetectSettings = Field(
        default_factory=DetectSettings, description="Rate and limits of detection."
    )
    motion: MotionSettings = Field(
        default_factory=MotionSettings, description="Motion gate: when the detector looks at a frame."
    )
    track: TrackSettings = Field(default_factory=TrackSettings, description="Tracking.")
    masks: Annotated[dict[Name, Mask], BeforeValidator(_number_items)] = Field(
        default_factory=dict,
        description="Ignored areas: motion and objects with their centre there do not count. An area written as "
        "`{points: [...], hide: ...}` is also blanked: see below.",
    )
    zones: dict[Name, FileZone] = Field(
        default_factory=dict,
        description="Areas that rules refer to, by name: points [x, y] in fractions of the frame, or `{points: [...], "
        "title: ...}` with a display name.",
    )
    lines: dict[Name, FileLine] = Field(
        default_factory=dict,
        description="Lines that rules refer to, by name: two points [x, y] in fractions of the frame, or `{points: "
        "[...], title: ...}` with a display name.",
    )
    rules: list[Rule] = Field(default_factory=list, description="Rules that define events; see below.")
    site: SiteName = Field(
        default="",
        description="Place that the camera watches. Events of cameras with the same site within a minute are "
        "one incident and one notification, see `incidents`. Empty: no grouping.",
    )
    placement: PlacementSettings = Field(
        default_factory=PlacementSettings, description="Which nodes of a fleet may watch the camera."
    )
    sinks: list[str] | None = Field(
        default=None, description="Names of the sinks for this camera's alerts. Default: all."
    )
    evidence: EvidenceSettings = Field(
        default_factory=EvidenceSettings, description="Pictures and clips stored with alerts."
    )
    record: RecordSettings = Field(
        default_factory=RecordSettings, description="Recording of the video, without re-encoding."
    )


def _sections() -> dict[str, Any]:
    """Return the fields of the features' sections."""
    sections = [feature.section for feature in FEATURES.values() if feature.section]
    return {
        one.name: (one.settings, Field(default_factory=one.settings, description=one.about))
        for one in sections
    }


if TYPE_CHECKING:

    class CameraDefaults(CoreCameraSettings):
        """Settings that a camera may have; those under `defaults` are for every camera."""
else:
    CameraDefaults = create_model(
        "CameraDefaults",
        __base__=CoreCameraSettings,
        __doc__="Settings that a camera may have; those under `defaults` are for every camera.",
        __module__=__name__,
        **_sections(),
    )


class CameraSettings(CameraDefaults):
    """One camera. Either `url` or `streams`."""

    title: Title = Field(default="", description="Display name in alerts and pictures; by default the name.")
    url: Url | None = Field(
        default=None,
        description="Source of the video: rtsp(s)://, http(s):// (a stream or a snapshot), a file, "
        "a directory of images, /dev/video0 or 0.",
    )
    streams: StreamUrls | None = Field(
        default=None, description="Separate streams for analysis and clips, instead of `url`."
    )

    @model_validator(mode="after")
    def _one_source(self) -> CameraSettings:
        if (self.url is None) == (self.streams is None):
            raise ValueError("give either 'url' or 'streams'")
        url = self.streams.detect if self.streams else self.url or ""
        if self.serial and not url.startswith(SCHEMES):
            raise ValueError("'serial' is for cameras on the network: remove it")
        return self


class FileSettings(Settings):
    """The whole file."""

    version: Literal[1] = Field(description="Version of the file format.")
    instance: Instance = Field(
        default="",
        description="Name that tells several daemons apart: in MQTT client ids and topics, Home Assistant's unique "
        "ids, Alertmanager's labels and Grafana's tags. Default: the host name.",
    )
    defaults: CameraDefaults = Field(
        default_factory=CameraDefaults,
        description="Settings for all cameras. They are merged recursively with those of each camera: a camera's own "
        "values have precedence, and lists are replaced.",
    )
    cameras: dict[CameraName, CameraSettings] = Field(default_factory=dict, description="Cameras by name.")
    model: ModelSettings = Field(default_factory=ModelSettings, description="The detection model.")
    schedules: dict[Name, ScheduleSettings] = Field(
        default_factory=dict,
        description="Times at which rules may alert, by name; a rule refers to one with `schedule`. To switch "
        "rules off by hand: `surveil alerts disarm`.",
    )
    sinks: dict[Name, Sink] = Field(
        default_factory=dict, description="Destinations of alerts, by name; see the sinks below."
    )
    outbox: OutboxSettings = Field(default_factory=OutboxSettings, description="Storage of waiting alerts.")
    state_dir: Path = Field(
        default=Path("/var/lib/surveil"), description="Folder of databases, evidence, recordings and models."
    )
    http: HttpSettings = Field(
        default_factory=HttpSettings, description="Address of metrics, health checks and evidence."
    )
    storm: StormSettings = Field(
        default_factory=StormSettings, description="Rate limit of alerts per camera."
    )
    offsite: OffsiteSettings = Field(
        default_factory=OffsiteSettings, description="Second place for evidence and recordings."
    )
    incidents: IncidentSettings = Field(
        default_factory=IncidentSettings, description="Grouping of events at one site into one notification."
    )
    camera_lost: CameraWatchSettings = Field(
        default_factory=CameraWatchSettings, description="Alerts on cameras without video."
    )
    fleet: FleetSettings | None = Field(
        default=None,
        description="Several machines that share these cameras, see docs/fleet.md: `node`, `store`, "
        "`on_lost_coordinator`, `listen`, `nodes`.",
    )
    log: LogSettings = Field(default_factory=LogSettings, description="Log format and level.")
    language: Language = Field(
        default=Language.ENGLISH,
        description="Language of the texts of alerts: `en` or `zh`. A sink may have its own. The console follows the "
        "browser; logs and metrics are in English.",
    )
