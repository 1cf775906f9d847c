"""Which source a camera's address means."""

from __future__ import annotations

from pathlib import Path

from surveil.capture.causes import source_error
from surveil.capture.file import FileSource, FolderSource
from surveil.capture.network import SCHEMES, NetworkSource
from surveil.capture.settings import StreamSettings
from surveil.capture.source import Source
from surveil.capture.webcam import WebcamSource, device_number
from surveil.errors import Cause


def is_recording(url: str) -> bool:
    """Whether `url` names a file or a folder: something with an end."""
    return not url.startswith(SCHEMES) and device_number(url) is None


def make_source(settings: StreamSettings) -> Source:
    """Return the source for `settings.url`, not opened yet. Raises SourceError (not_found)."""
    if settings.url.startswith(SCHEMES):
        return NetworkSource(settings)
    if device_number(settings.url) is not None:
        return WebcamSource(settings)
    path = Path(settings.url)
    if not path.exists():
        raise source_error(Cause.NOT_FOUND, settings.url, "there is no such file or folder")
    return FolderSource(settings) if path.is_dir() else FileSource(settings)
