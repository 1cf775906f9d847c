"""Chooses the source for a camera's address. A kind of source is imported when a camera needs it."""

from __future__ import annotations

import stat
from pathlib import Path

from surveil.capture.address import SCHEMES, device_number
from surveil.capture.causes import open_error
from surveil.capture.certificates import Pins
from surveil.capture.settings import StreamSettings
from surveil.capture.source import Source

_WEB = ("http://", "https://")


def is_recording(url: str) -> bool:
    """Whether `url` names a file or a folder: something with an end."""
    return not url.startswith(SCHEMES) and device_number(url) is None


def make_source(settings: StreamSettings, pins: Pins | None = None) -> Source:
    """Return the source for `settings.url`, not opened yet. Raises SourceError (not_found, unauthorized).

    `pins` keeps the certificates of cameras.
    """
    if settings.url.startswith(_WEB):
        from surveil.capture.web import WebSource  # noqa: PLC0415

        return WebSource(settings, pins)
    if settings.url.startswith(SCHEMES):
        from surveil.capture.network import NetworkSource  # noqa: PLC0415

        return NetworkSource(settings, pins)
    if device_number(settings.url) is not None:
        from surveil.capture.webcam import WebcamSource  # noqa: PLC0415

        return WebcamSource(settings)
    return _recording(settings)


def _recording(settings: StreamSettings) -> Source:
    from surveil.capture.file import FileSource, FolderSource  # noqa: PLC0415

    path = Path(settings.url)
    try:
        is_folder = stat.S_ISDIR(path.stat().st_mode)
    except OSError as error:
        raise open_error(error, settings.url, ()) from None
    return FolderSource(settings) if is_folder else FileSource(settings)
