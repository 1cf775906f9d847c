"""Settings for opening, reading, decoding and recording a camera's streams."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from surveil.filesystem import check_regular
from surveil.settings import Settings

RECORDINGS = "recordings"
"""Folder of recordings, in the state directory."""
Role = Literal["detect", "record"]


class TlsSettings(Settings):
    """How a camera's certificate is checked, over rtsps:// and https://."""

    verify: Literal["pin", "ca", "off"] = Field(
        "pin",
        description="`pin`: the first certificate is kept and a change is refused; `ca`: it must be signed by a "
        "CA for the host name; `off`: any certificate is accepted.",
    )
    ca_file: Path | None = Field(
        None, description="CA certificates for `verify: ca` (PEM). Default: the system's."
    )

    @model_validator(mode="after")
    def _authorities(self) -> TlsSettings:
        if self.ca_file is None:
            return self
        if self.verify != "ca":
            raise ValueError("'ca_file' is used with 'verify: ca' only")
        try:
            check_regular(self.ca_file)
            ssl.create_default_context(cafile=str(self.ca_file))
        except ssl.SSLError:
            raise ValueError(f"{self.ca_file} holds no certificate in PEM form") from None
        except OSError as error:
            raise ValueError(f"{self.ca_file}: {error.strerror}") from None
        return self


class CaptureSettings(Settings):
    """What is the same for all streams of a camera."""

    transport: Literal["auto", "tcp", "udp"] = Field(
        "auto",
        description="RTSP transport. UDP loses packets; `auto` uses it if the camera refuses TCP.",
    )
    tls: TlsSettings = Field(
        default_factory=TlsSettings, description="Verification of the camera's TLS certificate."
    )
    serial: str = Field(
        "",
        max_length=128,
        description="Serial number, as `surveil cameras discover` shows it. If the camera is not at its address, it "
        "is searched for by ONVIF and read at the address at which it answers. The search sends this "
        "camera's login, hashed, to each ONVIF device that answers; a device that gives this serial "
        "number is read with the login. Default: no search.",
    )
    rotate: Literal[0, 90, 180, 270] = Field(
        0,
        description="Clockwise rotation of the picture in degrees, in addition to the stream's own. Zones, lines and "
        "masks are fractions of the rotated picture.",
    )
    hwaccel: Literal["auto", "none", "cuda"] = Field(
        "none",
        description="`none`: decode on the CPU; `auto`: on a GPU if one works; `cuda`: on a GPU or not at all. Frames "
        "are copied back to main memory, so a GPU pays off only for many or large streams.",
    )
    open_timeout_s: Annotated[float, Field(ge=0.2, le=10.0)] = Field(
        2.0,
        description="Timeout of opening a camera. Opening may take up to twice this time; the daemon may take as long "
        "to stop meanwhile.",
    )
    read_timeout_s: Annotated[float, Field(ge=0.2, le=1.5)] = Field(
        1.5, description="Read timeout. A stream without video for twice this time is stalled."
    )
    keyframe_timeout_s: Annotated[float, Field(ge=5, le=120)] = Field(
        30.0, description="Reconnect after this long without a key frame."
    )
    undecodable_s: Annotated[float, Field(ge=0.5, le=30)] = Field(
        3.0,
        description="Reconnect after this long with decoding errors and without a picture, because the codec may have "
        "changed.",
    )
    degraded_after_s: Annotated[float, Field(ge=0.5, le=60)] = Field(
        5.0,
        description="Time with nothing but damaged pictures, after which they are analysed nevertheless and marked as "
        "degraded.",
    )
    catch_up_lag_s: Annotated[float, Field(ge=0.2, le=5)] = Field(
        1.0, description="Lag behind real time beyond which only key frames are decoded."
    )
    max_lag_s: Annotated[float, Field(ge=1, le=30)] = Field(
        5.0, description="Lag behind real time beyond which the stream is reopened."
    )
    skip_loop_filter: bool = Field(
        False, description="Decode H.264 and H.265 without deblocking: less CPU, slightly blocky pictures."
    )
    decode: Literal["auto", "full"] = Field(
        "auto",
        description="`auto`: decode on demand if that gives the same pictures (a live stream whose key frames can be "
        "decoded alone). While nothing moves, only key frames are decoded; when something moves, the "
        "pictures between them are decoded, too. `full`: decode every picture at once.",
    )
    idle_reaction_s: Annotated[float, Field(ge=0.2, le=4)] = Field(
        1.0,
        description="With decoding on demand: maximum time between two analysed pictures while nothing moves (a key "
        "frame may be up to 15 % later). Best equal to the camera's key frame interval.",
    )
    fps: Annotated[float, Field(gt=0, le=240)] = Field(
        10.0,
        description="Frame rate of a directory of images. Also the rate that is requested of a webcam or a snapshot "
        "address (at least one picture in 2 s).",
    )
    repeat: bool = Field(False, description="Play a file or directory repeatedly.")


class StreamSettings(CaptureSettings):
    """One stream of a camera."""

    url: str = Field(
        description="rtsp://, rtsps://, http:// or https:// address, a file, a folder of images, "
        "`/dev/video0`, or `0`.",
        min_length=1,
        repr=False,
    )
    roles: tuple[Role, ...] = Field(
        ("detect", "record"),
        description="`detect`: analysed; `record`: kept for clips of events.",
        min_length=1,
    )
    realtime: bool = Field(True, description="Play a file at its own speed; otherwise as fast as it is read.")


class RecordSettings(Settings):
    """What of a camera's video is kept on disk."""

    mode: Literal["off", "events", "continuous"] = Field(
        default="off",
        description="`continuous`: keep all video; `events`: keep the video around events; `off`: record nothing.",
    )
    keep_days: float = Field(
        default=7.0, gt=0, le=3650, description="Days of running time after which recordings are deleted."
    )
    max_bytes: int = Field(
        default=50_000_000_000,
        ge=10_000_000,
        description="Maximum size of the camera's recordings; the oldest without an event is deleted first.",
    )
    min_free_bytes: int = Field(
        default=1_000_000_000,
        ge=0,
        description="Free disk space that recordings leave to everything else; at most a tenth of the disk.",
    )
    pre_s: float = Field(
        default=10.0, ge=0, le=600, description="Recorded time before an event that is kept with it."
    )
    post_s: float = Field(
        default=10.0, ge=0, le=600, description="Recorded time after an event that is kept with it."
    )
