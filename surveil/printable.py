"""Text of others, made fit to be shown: a device, a server or a file may put anything into a name."""

from __future__ import annotations

_CONTROL = dict.fromkeys(
    (*(code for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\t\n"),
     *range(0x202A, 0x202F), *range(0x2066, 0x206A))
)  # fmt: skip
"""Control characters (C0, C1) but tabs and line ends, and those that reorder a line (UAX #9)."""


def one_line(text: str) -> str:
    """Return `text` on one line, with a blank for what is not printable."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def without_control(text: str) -> str:
    """Return `text` without what commands a terminal, with its tabs and line ends."""
    return text.translate(_CONTROL)
