"""What is known about a model: its file, its graph's inputs and outputs, how its input is filled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Channels = Literal["rgb", "bgr"]
Range = Literal["0-255", "0-1", "imagenet"]
Placement = Literal["top_left", "centre", "stretch"]
Layout = Literal["nchw", "nhwc"]

IMAGENET_MEAN = (123.675, 116.28, 103.53)
IMAGENET_STD = (58.395, 57.12, 57.375)


@dataclass(frozen=True, slots=True)
class Preprocess:
    """How a family of models wants its pictures; the graph does not say."""

    channels: Channels = "rgb"
    range: Range = "0-255"
    placement: Placement = "top_left"
    pad: int = 114
    """Brightness of the border, 0..255, before scaling."""


@dataclass(frozen=True, slots=True)
class Port:
    """One input or output of a graph. A free dimension is None."""

    name: str
    shape: tuple[int | None, ...]
    dtype: str
    """As numpy names it: `float32`, `uint8`, `int64`."""


@dataclass(frozen=True, slots=True)
class Graph:
    """The outside of an ONNX graph."""

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    metadata: Mapping[str, str] = field(default_factory=dict)

    def output(self, name: str) -> Port | None:
        """Return the output of that name, if there is one."""
        return next((port for port in self.outputs if port.name == name), None)

    def __str__(self) -> str:
        """Return inputs → outputs on one line, for messages."""
        return f"{_ports(self.inputs)} → {_ports(self.outputs)}"


def _ports(ports: tuple[Port, ...]) -> str:
    return ", ".join(
        f"{p.name} {p.dtype} {'×'.join('?' if d is None else str(d) for d in p.shape)}" for p in ports
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class InputSpec:
    """The picture input of one model, complete."""

    name: str
    width: int
    """Pixels."""
    height: int
    layout: Layout
    dtype: Literal["uint8", "float32", "float16"]
    batch: int | None
    """None: any."""
    preprocess: Preprocess

    @property
    def shape(self) -> tuple[int, int, int]:
        """The shape of one picture's tensor."""
        size = (self.height, self.width)
        return (3, *size) if self.layout == "nchw" else (*size, 3)

    @property
    def side(self) -> int:
        """The shorter side, px: what a square crop is scaled to."""
        return min(self.width, self.height)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFile:
    """One model of the store: where it is and how it is to be used."""

    name: str
    path: Path
    sha256: str
    """Hexadecimal; what the file must have."""
    decoder: str
    """A name in `DECODERS`; else what a model is for that is no detector for cameras: `embedding`, `faces`."""
    labels: tuple[str, ...]
    """Class names by index; empty: not known, the decoder's class numbers are used."""
    preprocess: Preprocess
    size: tuple[int, int] | None = None
    """Width and height in px for a graph that leaves them free."""
    embedded: bool = False
    experimental: bool = False
    """No real export has been run through its decoder yet."""
    licence: str = ""
    source: str = ""
    data: tuple[tuple[str, str], ...] = ()
    """Name and sha256 of further files beside it, which hold weights."""
