"""Links to stored pictures, for sinks whose readers look at them in a browser."""

from __future__ import annotations

from urllib.parse import quote

from surveil.types import Alert


def picture_path(alert: Alert, kind: str = "snapshot") -> str:
    """Return where below the state directory an alert's picture lies, empty when there is none."""
    path = alert.evidence.get(kind, "missing:")
    return "" if path.startswith("missing:") else path


def picture_link(base_url: str, alert: Alert, kind: str = "snapshot") -> str:
    """Return where a picture can be fetched, empty when there is none or no place is known."""
    path = picture_path(alert, kind)
    if not base_url or not path:
        return ""
    return f"{base_url.rstrip('/')}/{quote(path)}"
