"""Reads rows of a table from the pages of a SQLite file whose tree is damaged.

A leaf page of a table says itself where its rows are (sqlite.org/fileformat2.html, 1.6 and 2.1).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

_LEAF = 0x0D
_HEADER = 8
Value = int | float | str | bytes | None


def leaf_rows(data: bytes, page: int, columns: int) -> Iterator[tuple[int, tuple[Value, ...]]]:
    """Yield the row id and the values of every row of `columns` values in any leaf page of any table.

    What is not a whole row in its page (damaged, or too long for one) is left out.
    """
    for start in range(0, len(data) - page + 1, page):
        # Before the first page's own header lies that of the file.
        head = start + (100 if start == 0 else 0)
        if data[head] == _LEAF:
            yield from _page(data[start : start + page], head - start, columns)


def _page(page: bytes, head: int, columns: int) -> Iterator[tuple[int, tuple[Value, ...]]]:
    n = int.from_bytes(page[head + 3 : head + 5], "big")
    for k in range(min(n, (len(page) - head - _HEADER) // 2)):
        at = head + _HEADER + 2 * k
        cell = int.from_bytes(page[at : at + 2], "big")
        try:
            row = _cell(page, cell)
        except (IndexError, ValueError, struct.error):
            continue
        if len(row[1]) == columns:
            yield row


def _cell(page: bytes, at: int) -> tuple[int, tuple[Value, ...]]:
    size, at = _varint(page, at)
    row, at = _varint(page, at)
    if size > len(page) - at:
        raise ValueError("goes on in other pages")
    return row, _record(page[at : at + size])


def _record(record: bytes) -> tuple[Value, ...]:
    length, at = _varint(record, 0)
    if not 0 < length <= len(record):
        raise ValueError("no record")
    kinds: list[int] = []
    while at < length:
        kind, at = _varint(record, at)
        kinds.append(kind)
    values: list[Value] = []
    at = length
    for kind in kinds:
        size = _size(kind)
        if at + size > len(record):
            raise ValueError("no record")
        values.append(_value(kind, record[at : at + size]))
        at += size
    return tuple(values)


def _size(kind: int) -> int:
    if kind >= 12:
        return (kind - 12) // 2
    return (0, 1, 2, 3, 4, 6, 8, 8, 0, 0)[kind]


def _value(kind: int, raw: bytes) -> Value:
    if kind >= 12:
        return raw.decode("utf-8", "replace") if kind % 2 else raw
    if kind == 0:
        return None
    if kind == 7:
        return float(struct.unpack(">d", raw)[0])
    return kind - 8 if kind in (8, 9) else int.from_bytes(raw, "big", signed=True)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return a number of one to nine bytes, and where it ends."""
    value = 0
    for k in range(9):
        byte = data[at + k]
        if k == 8:
            return value << 8 | byte, at + 9
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + k + 1
    raise AssertionError("unreachable")
