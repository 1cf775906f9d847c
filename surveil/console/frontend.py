"""Front-end files: read once, compressed once, and cached by browsers forever under a name with their hash.

Every page is `index.html`, in which `__ASSETS__` is replaced by the folder of this version; modules and styles name
each other by relative paths in it.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from surveil.console.refusal import not_found
from surveil.console.safety import secured
from surveil.web import takes_gzip

_INDEX = "index.html"
_MARK = "__ASSETS__"
_TEXT = ("text/", "application/javascript", "application/json", "image/svg+xml")
_TYPES = {
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".json": "application/json",
    ".woff2": "font/woff2",
}
"""What the types of this machine may have otherwise."""
_LEAST = 512
"""Bytes that are worth compressing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    body: bytes
    packed: bytes | None
    """Compressed; None where that is of no use."""
    kind: str
    etag: str


class Frontend:
    """The files by their path, in memory: no path of a request ever reaches the disk. Never changes."""

    def __init__(self, folder: Traversable | None = None) -> None:
        root = resources.files("surveil.console") / "static" if folder is None else folder
        read = dict(_read(root, "")) if root.is_dir() else {}
        digest = hashlib.sha256()
        for name, body in sorted(read.items()):
            digest.update(f"{name}\0{len(body)}\0".encode() + body)
        self.version = digest.hexdigest()[:16]
        self._prefix = f"v-{self.version}/"
        if _INDEX in read:
            assets = f"/console/{self._prefix}".rstrip("/")
            read[_INDEX] = read[_INDEX].replace(_MARK.encode(), assets.encode())
        self._files = {name: _packed(name, body) for name, body in read.items()}

    async def to_folder(self, _request: Request) -> Response:
        """Send a browser from /console to /console/."""
        return secured(RedirectResponse("/console/", 308))

    async def file(self, request: Request) -> Response:
        """Answer with a file; an address without an extension is one of the pages."""
        path = str(request.path_params["path"])
        lasting = path.startswith(self._prefix)
        name = path.removeprefix(self._prefix)
        if not lasting and "." not in path.rpartition("/")[2]:
            name = _INDEX
        found = self._files.get(name)
        if found is None:
            return secured(not_found("file").response())
        headers = {
            "cache-control": "public, max-age=31536000, immutable" if lasting else "no-cache",
            "etag": found.etag,
            "vary": "accept-encoding",
        }
        if request.headers.get("if-none-match") == found.etag:
            return secured(Response(status_code=304, headers=headers))
        body = found.body
        if found.packed is not None and takes_gzip(request.headers.get("accept-encoding", "")):
            body, headers["content-encoding"] = found.packed, "gzip"
        return secured(Response(body, headers=headers, media_type=found.kind))


def _read(folder: Traversable, prefix: str) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    for one in folder.iterdir():
        if one.is_dir():
            found += _read(one, f"{prefix}{one.name}/")
        elif not one.name.startswith("."):
            found.append((prefix + one.name, one.read_bytes()))
    return found


def _packed(name: str, body: bytes) -> _File:
    suffix = f".{name.rpartition('.')[2]}"
    kind = _TYPES.get(suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
    packed = gzip.compress(body, 9, mtime=0) if kind.startswith(_TEXT) and len(body) >= _LEAST else None
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    return _File(body=body, packed=packed, kind=kind, etag=etag)
