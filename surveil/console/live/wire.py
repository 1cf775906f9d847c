"""Messages of the live stream: two lengths (uint32, big-endian), a JSON header, and a payload."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import NamedTuple

_JSON = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False)


class Message(NamedTuple):
    """One message; `payload` is shared by all viewers."""

    head: bytes
    payload: bytes = b""

    @property
    def size(self) -> int:
        """Bytes on the wire."""
        return len(self.head) + len(self.payload)


def message(header: Mapping[str, object], payload: bytes = b"") -> Message:
    """Return the message of a header, which has a `type`."""
    text = _JSON.encode(header).encode()
    return Message(struct.pack(">II", len(text), len(payload)) + text, payload)
