"""Stored pictures: their paths, whether they still exist, and links to them for browsers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from surveil.types import Alert

DETAIL = "link"
"""What an alert's details call its link, on the way to a sink."""
GONE = "missing: deleted by retention"
ASTRAY = "missing: not a path below the state directory"


def stored_file(state_dir: Path, relative: str) -> Path | None:
    """Return the file of a piece of evidence; None for a path that leads out of the state directory."""
    path = PurePosixPath(relative)
    if not path.parts or path.is_absolute() or ".." in path.parts or "\0" in relative:
        return None
    return state_dir / path


def present(alert: Alert, state_dir: Path) -> Alert:
    """Return the alert without the names of files that are gone: each is told as missing."""
    evidence = {kind: _present(path, state_dir) for kind, path in alert.evidence.items()}
    return alert if evidence == alert.evidence else replace(alert, evidence=evidence)


def _present(path: str, state_dir: Path) -> str:
    if path.startswith("missing:"):
        return path
    file = stored_file(state_dir, path)
    try:
        return ASTRAY if file is None else path if file.is_file() else GONE
    except OSError as error:  # a folder of another user, a damaged disk
        return f"missing: {error.strerror}"


def picture_path(alert: Alert, kind: str = "snapshot") -> str:
    """Return where below the state directory an alert's picture lies, empty when there is none."""
    path = alert.evidence.get(kind, "missing:")
    return "" if path.startswith("missing:") else path


def page_link(alert: Alert) -> str:
    """Return the signed link to the event's page, which an alert has on its way to a sink; empty without such pages."""
    return str(alert.details.get(DETAIL, ""))


def picture_link(base_url: str, alert: Alert, kind: str = "snapshot") -> str:
    """Return where a picture can be fetched, empty when there is none or no place is known."""
    path = picture_path(alert, kind)
    if not base_url or not path:
        return ""
    return f"{base_url.rstrip('/')}/{quote(path)}"
