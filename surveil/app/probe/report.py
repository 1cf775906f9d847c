"""The result of a probe. Its fields are the JSON of `surveil check --probe --json`; None means unknown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from surveil.app.probe.sight import Sight

SCHEMA = 1
"""Grows when a field goes or changes its meaning; new fields may come at any time."""

SECONDS = 2.5
"""How long a stream is watched after its first picture; twice as long when no second key frame came."""
OK, MODEL_FAILED, HOST_FAILED, CAMERA_FAILED, SINK_FAILED = 0, 3, 4, 5, 6
"""Exit codes. When several parts fail, the lowest: what keeps the daemon from starting comes first."""


@dataclass(frozen=True, slots=True)
class Advice:
    """What works but costs, or will not work well."""

    code: str
    """For scripts: `substream`, `long_gop`, …; see `advice`."""
    about: str
    """`camera gate`, `model`, `host`."""
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamReport:
    """One stream of a camera, read for some seconds as the daemon would read it."""

    url: str
    """Without credentials."""
    ok: bool
    state: str
    """What `surveil_camera_state` would show."""
    cause: str | None = None
    """What `surveil_camera_disconnects_total` would count."""
    message: str = ""
    reachable: bool | None = None
    login: str | None = None
    """`accepted`, `refused`; `none` when the address has none and none was asked for."""
    transport: str | None = None
    codec: str | None = None
    profile: str | None = None
    width: int | None = None
    height: int | None = None
    fps: float | None = None
    """Pictures a second, by the stream's own time where it agrees with arrival."""
    stamp_rate: float | None = None
    """Seconds that its time stamps advance in a second of real time."""
    gop_frames: int | None = None
    """Pictures from a key frame to the next, the longest seen."""
    gop_s: float | None = None
    gop_longer_than_s: float | None = None
    """Where no second key frame came while it was watched."""
    bits_per_second: int | None = None
    open_s: float | None = None
    first_picture_s: float | None = None
    """From the first attempt to connect to the first decoded picture."""
    decoder: str | None = None
    """`software` or `cuda`."""
    clock_skew_s: float | None = None
    """The camera's clock (RTCP) minus ours."""
    lag_s: float | None = None
    damage: int = 0
    """Times loss or corruption began."""
    pictures: int = 0
    watched_s: float = 0.0
    cpu_ms: float | None = None
    """CPU time to receive and decode one picture."""
    key_cpu_ms: float | None = None
    """CPU time to decode one key frame."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a camera is estimated to take of this machine."""

    cpu_still: float | None
    """Cores, while nothing moves."""
    cpu_moving: float | None
    """Cores, while something moves all the time; the inference only where it runs on the CPU."""
    memory_bytes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraReport:
    """One camera."""

    name: str
    ok: bool
    detect: StreamReport | None = None
    """The stream that is analysed; None when the camera is disabled."""
    record: StreamReport | None = None
    """The stream that clips are cut from, where that is another one."""
    gate_ms: float | None = None
    """CPU time to look for motion in one picture."""
    sight: Sight | None = None
    """How high people must be in the stream that is analysed."""
    record_sight: Sight | None = None
    """How high they would have to be in the other one, were it analysed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelReport:
    """The model, and where it really runs."""

    name: str
    ok: bool
    message: str = ""
    decoder: str | None = None
    classes: int | None = None
    input: str | None = None
    provider: str | None = None
    wanted: str | None = None
    inference_ms: float | None = None
    """Time of one picture, the best of a few."""
    inference_cpu_ms: float | None = None
    """CPU time of one: what a busy machine does not stretch."""
    cpu_inference_ms: float | None = None
    """The same on the CPU, where a GPU is in use."""
    agrees: bool | None = None
    """Whether GPU and CPU find the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkReport:
    """One sink, or the second place."""

    name: str
    type: str
    ok: bool
    shown: str = ""
    """What the probe has shown."""
    message: str = ""
    milliseconds: float | None = None
    test_sent: bool = False


@dataclass(frozen=True, slots=True)
class Check:
    """One fact about this machine that the daemon needs."""

    ok: bool
    shown: str
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostReport:
    """This machine, as this user sees it."""

    user: str
    state_dir: Check
    listen: Check
    cores: int
    memory_available_bytes: int | None
    disk_free_bytes: int | None
    disk_size_bytes: int | None
    time_zone: str
    clock_synchronised: bool | None
    gpu: bool

    @property
    def ok(self) -> bool:
        """Whether the daemon would start here."""
        return self.state_dir.ok and self.listen.ok


@dataclass(frozen=True, slots=True)
class Budget:
    """All cameras together, beside what there is."""

    cameras: Mapping[str, Cost]
    cpu_still: float
    cpu_moving: float | None
    memory_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeReport:
    """The whole configuration."""

    config: str
    digest: str
    seconds: float
    cameras: tuple[CameraReport, ...]
    model: ModelReport
    sinks: tuple[SinkReport, ...]
    offsite: SinkReport | None = None
    """The second place, where one is set."""
    host: HostReport
    budget: Budget
    warnings: tuple[str, ...] = ()
    advice: tuple[Advice, ...] = field(default=())

    @property
    def exit_code(self) -> int:
        """0 when every part works, advice or not."""
        failed = (
            (not self.model.ok, MODEL_FAILED),
            (not self.host.ok, HOST_FAILED),
            (not all(camera.ok for camera in self.cameras), CAMERA_FAILED),
            (not all(sink.ok for sink in self.sinks), SINK_FAILED),
            (self.offsite is not None and not self.offsite.ok, SINK_FAILED),
        )
        return next((code for is_so, code in failed if is_so), OK)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON document."""
        made = asdict(self)
        for part in ("cameras", "sinks"):
            made[part] = {one.pop("name"): one for one in made[part]}
        made["host"]["ok"] = self.host.ok
        return {"schema": SCHEMA, "ok": self.exit_code == OK, "exit_code": self.exit_code, **made}
