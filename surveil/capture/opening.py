"""Which source a camera's address means."""

from __future__ import annotations

import stat
from pathlib import Path

from surveil.capture.address import SCHEMES
from surveil.capture.causes import open_error
from surveil.capture.certificates import Pins
from surveil.capture.file import FileSource, FolderSource
from surveil.capture.network import NetworkSource
from surveil.capture.settings import StreamSettings
from surveil.capture.source import Source
from surveil.capture.web import WebSource
from surveil.capture.webcam import WebcamSource, device_number

_WEB = ("http://", "https://")


def is_recording(url: str) -> bool:
    """Whether `url` names a file or a folder: something with an end."""
    return not url.startswith(SCHEMES) and device_number(url) is None


def make_source(settings: StreamSettings, pins: Pins | None = None) -> Source:
    """Return the source for `settings.url`, not opened yet. Raises SourceError (not_found, unauthorized).

    `pins` keeps the certificates of cameras.
    """
    if settings.url.startswith(_WEB):
        return WebSource(settings, pins)
    if settings.url.startswith(SCHEMES):
        return NetworkSource(settings, pins)
    if device_number(settings.url) is not None:
        return WebcamSource(settings)
    path = Path(settings.url)
    try:
        is_folder = stat.S_ISDIR(path.stat().st_mode)
    except OSError as error:
        raise open_error(error, settings.url, ()) from None
    return FolderSource(settings) if is_folder else FileSource(settings)
