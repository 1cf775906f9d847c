"""Whether every reader of a ZIP sees the same files in it.

The format describes each file twice (APPNOTE 6.3.10, 4.3.6): in front of its content, which readers of a stream go by,
and in the directory at the end, which others go by. Of two files with one name some take the first. `surveil export`
writes files one behind the other, stored, and nothing else; whatever differs may hide something.
"""

from __future__ import annotations

import struct
import zipfile
from collections import Counter
from collections.abc import Iterator
from typing import IO

_LOCAL = struct.Struct("<4s2x2H4x3L2H")
"""Signature, flags, method, CRC-32, stored size, size, length of the name, length of the extra field."""
_END = struct.Struct("<4s16xH")
"""Signature and length of the comment of what ends an archive (4.3.16)."""
_ELSEWHERE = 0xFFFF_FFFF
"""For a size that is in the extra field."""


def oddities(file: IO[bytes], archive: zipfile.ZipFile) -> Iterator[str]:
    """Yield what readers may see otherwise in `archive`, which reads `file`; raises OSError and BadZipFile."""
    members = archive.infolist()
    names = Counter(member.filename.casefold() for member in members)
    yield from (f"{name}: is there {count} times" for name, count in names.items() if count > 1)
    end = 0
    for member in members:
        if member.header_offset != end:
            yield f"{member.filename}: is not directly behind the file before it, or at the beginning"
        before, is_same = _front(file, member)
        if not is_same or not _is_plain(member):
            yield f"{member.filename}: is described in two ways, or with more than its name and size"
        end = member.header_offset + before + member.compress_size
    if end != archive.start_dir or not _ends(file):
        yield "the archive: has a comment, or bytes that belong to no file"


def _front(file: IO[bytes], member: zipfile.ZipInfo) -> tuple[int, bool]:
    """Return how many bytes stand in front of a content, and whether they say what the directory says."""
    file.seek(member.header_offset)
    head = file.read(_LOCAL.size)
    if len(head) < _LOCAL.size:
        raise zipfile.BadZipFile("it ends too early")
    told = _LOCAL.unpack(head)
    name, extra = told[-2:]
    file.seek(name, 1)
    sizes = (member.compress_size, member.file_size)
    large = struct.pack("<2H2Q", 1, 16, *reversed(sizes))
    in_two_ways = ((*sizes, name, b""), (_ELSEWHERE, _ELSEWHERE, name, large))
    ours = (b"PK\x03\x04", member.flag_bits, zipfile.ZIP_STORED, member.CRC)
    is_same = (*told[:-1], file.read(extra)) in [(*ours, *rest) for rest in in_two_ways]
    return _LOCAL.size + name + extra, is_same


def _is_plain(member: zipfile.ZipInfo) -> bool:
    """Whether the directory has nothing but the file's name and sizes."""
    kind, length = struct.unpack("<2H", member.extra[:4].ljust(4, b"\0"))
    has_only_sizes = not member.extra or (kind == 1 and len(member.extra) == 4 + length)
    is_stored = member.compress_type == zipfile.ZIP_STORED and member.compress_size == member.file_size
    return has_only_sizes and is_stored and member.orig_filename == member.filename and not member.comment


def _ends(file: IO[bytes]) -> bool:
    """Whether nothing is behind the end of the directory."""
    file.seek(-_END.size, 2)
    return _END.unpack(file.read(_END.size)) == (b"PK\x05\x06", 0)
