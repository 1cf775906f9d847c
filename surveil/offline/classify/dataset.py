"""A data set: a folder of pictures with a manifest of where each comes from.

    DATASET/manifest.jsonl      one picture a line: path, sha256, class, camera, time, origin, group
    DATASET/CLASS/….jpg         the pictures

A line with a path and `"removed": true` takes a picture out again.

A folder with one folder of pictures per class and no manifest is a data set too. Lines are appended
while collecting, so that a crash loses at most the last one.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from io import FileIO
from pathlib import Path
from typing import Any

import cv2

from surveil.errors import ConfigError
from surveil.filesystem import appear, make_folders, read_json, stage, write_atomically
from surveil.offline.classify.pictures import SUFFIXES, BadPictureError, decode, read_bytes
from surveil.types import Bytes

MANIFEST = "manifest.jsonl"
_KEYS = frozenset({"path", "sha256", "label", "camera", "t_wall", "origin", "group"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One labelled picture."""

    path: str
    """Relative to the data set's folder."""
    sha256: str
    """Of the file."""
    label: str
    camera: str = ""
    t_wall: float | None = None
    """Unix s when it was taken; None: not known."""
    origin: str = "folder"
    """How it came here: folder, camera, video, feedback."""
    group: str = ""
    """Pictures of one group are never on two sides of a split, for instance crops of one photo."""


@dataclass(frozen=True, slots=True)
class PictureSet:
    """A data set that was read. `problems` name pictures that were left out, and why."""

    folder: Path
    items: tuple[Item, ...]
    problems: tuple[str, ...] = ()

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names, sorted."""
        return tuple(sorted({item.label for item in self.items}))

    @property
    def counts(self) -> dict[str, int]:
        """Pictures per class."""
        return dict(sorted(Counter(item.label for item in self.items).items()))

    @property
    def sha256(self) -> str:
        """Fingerprint of contents and labels, whatever their order and names."""
        lines = sorted(f"{item.sha256} {item.label}" for item in self.items)
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def read(self, item: Item) -> Bytes:
        """Return a picture, uint8 RGB. Raises ConfigError when it is no longer what the manifest says."""
        try:
            raw = read_bytes(self.folder / item.path)
        except BadPictureError as error:
            raise ConfigError(
                [f"{self.folder / item.path}: {error}; the data set changed while it was read"]
            ) from None
        if hashlib.sha256(raw).hexdigest() != item.sha256:
            raise ConfigError(
                [f"{self.folder / item.path}: is not what it was; the data set changed while it was read"]
            )
        return decode(raw)

    def only(self, classes: Iterable[str]) -> PictureSet:
        """Return the pictures of these classes. Raises ConfigError for a class without pictures."""
        wanted = tuple(classes)
        missing = [c for c in wanted if c not in self.classes]
        if missing:
            have = ", ".join(self.classes)
            raise ConfigError([f"{self.folder}: there is no class {c!r}; there are {have}" for c in missing])
        return replace(self, items=tuple(i for i in self.items if i.label in wanted))


def load(folder: Path) -> PictureSet:
    """Read a data set and check every picture.

    Raises ConfigError when there is no folder, a manifest line is wrong, nothing can be read, or the
    same picture has two classes.
    """
    if not folder.is_dir():
        raise ConfigError([f"{folder}: there is no such folder"])
    found = _manifest(folder) if (folder / MANIFEST).exists() else _folders(folder)
    items: list[Item] = []
    problems: list[str] = []
    for item in found:
        try:
            items.append(_checked(folder, item))
        except BadPictureError as error:
            problems.append(f"{folder / item.path}: {error}")
    if not items:
        raise ConfigError([f"{folder}: has no pictures that can be read", *problems])
    items, twice = _unique(items)
    return PictureSet(folder, tuple(items), (*problems, *twice))


def listed(folder: Path) -> list[Item]:
    """Return what the manifest lists; the pictures themselves are not read. Raises ConfigError for a wrong line."""
    return _manifest(folder) if (folder / MANIFEST).exists() else []


def totals(folder: Path) -> dict[str, int]:
    """Return the pictures per class that the manifest lists."""
    return dict(sorted(Counter(item.label for item in listed(folder)).items()))


def _manifest(folder: Path) -> list[Item]:
    found: dict[str, Item] = {}
    wrong: list[str] = []
    path = folder / MANIFEST
    for number, line in enumerate(_lines(path), 1):
        try:
            raw = read_json(line)
            if _is_removal(raw):
                found.pop(raw["path"], None)
                continue
            item = item_of(raw)
        except (ValueError, TypeError) as error:
            wrong.append(f"{path}:{number}: {error}")
            continue
        # A later line about the same file replaces the earlier: that is how labels are corrected.
        found[item.path] = item
    if wrong:
        raise ConfigError(wrong)
    return list(found.values())


def _lines(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from None
    except UnicodeDecodeError:
        raise ConfigError([f"{path}: is not UTF-8 text"]) from None
    lines = text.splitlines()
    return lines[:-1] if _is_torn(text.encode()) else lines


def _is_torn(text: bytes) -> bool:
    """Whether the end is a part of a line: all that a crash or a full disk left room for."""
    return not text.endswith(b"\n") and text.rpartition(b"\n")[2].startswith(b"{") and not text.endswith(b"}")


def _is_removal(raw: Any) -> bool:
    return isinstance(raw, dict) and set(raw) == {"path", "removed"} and raw["removed"] is True


def item_of(raw: Any) -> Item:
    """Return the picture of a manifest's line. Raises ValueError or TypeError where it makes no sense."""
    if not isinstance(raw, dict) or set(raw) - _KEYS or not {"path", "sha256", "label"} <= set(raw):
        raise ValueError(f"must be an object with {', '.join(sorted(_KEYS))}")
    item = Item(**raw)
    inside = not Path(item.path).is_absolute() and ".." not in Path(item.path).parts
    if not inside or "\0" in item.path or not item.label or not isinstance(item.label, str):
        raise ValueError("path must lie in the data set, and label must not be empty")
    return item


def _folders(folder: Path) -> list[Item]:
    paths = sorted(p for p in folder.glob("*/**/*") if p.suffix.lower() in SUFFIXES and p.is_file())
    names = [p.relative_to(folder) for p in paths]
    return [Item(path=str(name), sha256="", label=name.parts[0]) for name in names]


def _checked(folder: Path, item: Item) -> Item:
    raw = read_bytes(folder / item.path)
    decode(raw)
    found = hashlib.sha256(raw).hexdigest()
    if item.sha256 and found != item.sha256:
        raise BadPictureError("is not the picture of the manifest")
    return replace(item, sha256=found)


def _unique(items: list[Item]) -> tuple[list[Item], list[str]]:
    """Keep one of equal files. Raises ConfigError when equal files have different classes."""
    same: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        same[item.sha256].append(item)
    clashes = [_clash(group) for group in same.values() if len({i.label for i in group}) > 1]
    if clashes:
        raise ConfigError(clashes)
    twice = [f"{i.path}: the same file as {group[0].path}" for group in same.values() for i in group[1:]]
    return [group[0] for group in same.values()], twice


def _clash(group: list[Item]) -> str:
    classes = " and ".join(sorted({item.label for item in group}))
    return f"{' and '.join(item.path for item in group)}: the same picture in the classes {classes}"


def add(
    folder: Path, bgr: Bytes, label: str, *, camera: str = "", t_wall: float | None = None,
    origin: str = "camera", group: str = "", box: tuple[int, int, int, int] | None = None, quality: int = 95,
    correct: bool = False,
) -> Item:  # fmt: skip
    """Store a picture (uint8 BGR), or the part `box` x1 y1 x2 y2 of it, with its line in the manifest.

    With `correct`, one that is there already is not stored again: its class is `label` from now on.
    Raises ConfigError for a label that cannot name a folder or a box without pixels, OSError on a full disk.
    """
    if not label or label.startswith(".") or any(c in label for c in "/\\\0"):
        raise ConfigError([f"label {label!r}: cannot name a folder"])
    raw = encoded(bgr, box, quality)
    sha256 = hashlib.sha256(raw).hexdigest()
    if correct and (known := _relabelled(folder, sha256, label)):
        return known
    item = Item(
        path=f"{label}/{sha256[:24]}.jpg",
        sha256=sha256,
        label=label,
        camera=camera,
        t_wall=t_wall,
        origin=origin,
        group=group,
    )
    path = folder / item.path
    _write_picture(path, raw)
    append(folder, item)
    return item


def encoded(bgr: Bytes, box: tuple[int, int, int, int] | None = None, quality: int = 95) -> bytes:
    """Return what `add` stores of a picture. Raises ConfigError for a box without pixels."""
    part = bgr if box is None else bgr[max(0, box[1]) : box[3], max(0, box[0]) : box[2]]
    if min(part.shape[:2]) < 2:
        raise ConfigError([f"box {box}: has no pixels in a picture of {bgr.shape[1]}x{bgr.shape[0]}"])
    return cv2.imencode(".jpg", part, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def _relabelled(folder: Path, sha256: str, label: str) -> Item | None:
    """Give the pictures with these contents the class; return one of them, None when there is none."""
    known = _manifest(folder) if (folder / MANIFEST).exists() else _fingerprints(folder)
    same = [replace(i, label=label) for i in known if i.sha256 == sha256 and (folder / i.path).exists()]
    for item in same:
        append(folder, item)
    return same[0] if same else None


def append(folder: Path, item: Item) -> None:
    """Add a line to the manifest; a line about a known path replaces what was said of it.

    Raises OSError on a full disk.
    """
    if not (folder / MANIFEST).exists():
        _begin_manifest(folder, item.path)
    _write_line(folder / MANIFEST, _line(item))


def _write_line(path: Path, line: str) -> None:
    """Append a whole line or nothing, in the place of one that was torn. Raises OSError."""
    with path.open("a+b", buffering=0) as file:
        begin = _mended(file)
        left = line.encode()
        try:
            while left:
                left = left[file.write(left) :]
        except OSError:
            file.truncate(begin)
            raise


def _mended(file: FileIO) -> int:
    """Bring the end of a manifest in order; return where the next line begins."""
    end = file.seek(0, os.SEEK_END)
    file.seek(max(0, end - 1))
    if file.read(1) in (b"", b"\n"):
        return end
    file.seek(0)
    text = file.readall()
    if _is_torn(text):
        return file.truncate(len(text) - len(text.rpartition(b"\n")[2]))
    file.write(b"\n")
    return end + 1


def store(folder: Path, item: Item, content: bytes) -> None:
    """Store a picture of another data set, in the place of what is there by its path. Raises OSError on a full disk."""
    path = folder / item.path
    _write_picture(path, content)
    append(folder, item)


def _write_picture(path: Path, content: bytes) -> None:
    make_folders(path.parent)
    stage(path, content)
    appear(path)


def remove(folder: Path, item: Item) -> None:
    """Take a picture out of a data set that has a manifest, and delete its file. Raises OSError."""
    # The line first: a file that is left over is in no data set, a line without its file is a problem to report.
    _write_line(folder / MANIFEST, json.dumps({"path": item.path, "removed": True}) + "\n")
    (folder / item.path).unlink(missing_ok=True)


def _begin_manifest(folder: Path, but: str) -> None:
    """Write a manifest of the pictures that are there, except `but`: only what it lists is in the data set."""
    lines = [_line(item) for item in _fingerprints(folder) if item.path != but]
    write_atomically(folder / MANIFEST, "".join(lines).encode())


def _fingerprints(folder: Path) -> list[Item]:
    """Return the pictures in the folders of classes with their files' hashes."""
    return [_fingerprinted(folder, item) for item in _folders(folder)]


def _fingerprinted(folder: Path, item: Item) -> Item:
    """Return the item with its file's hash; without where it cannot be read, which `load` then says of it."""
    try:
        return replace(item, sha256=hashlib.sha256(read_bytes(folder / item.path)).hexdigest())
    except BadPictureError:
        return item


def _line(item: Item) -> str:
    return json.dumps(asdict(item), sort_keys=True) + "\n"
