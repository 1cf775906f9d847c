"""Links to stored pictures, for sinks whose readers look at them in a browser."""

from __future__ import annotations

from urllib.parse import quote

from surveil.types import Alert


def picture_link(base_url: str, alert: Alert, kind: str = "snapshot") -> str:
    """Return where a picture can be fetched, empty when there is none or no place is known."""
    path = alert.evidence.get(kind, "missing:")
    if not base_url or path.startswith("missing:"):
        return ""
    return f"{base_url.rstrip('/')}/{quote(path)}"
