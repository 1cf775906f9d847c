"""Data sets that verdicts fill, the same on all nodes of a fleet: their pictures travel by the shared store.

    STATE/feedback/NAME/shared.json   the class of each picture as it was the same here and there, by SHA-256

What differs from that was changed since: what was changed here goes there, what was changed there comes here. Where
both were, that of the store stays. A picture that was taken out stays in the lists as such: one that a list lacks is
only unknown to it, so nothing is lost where two nodes write at a time, or the store is another.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from itertools import islice
from pathlib import Path

import structlog

from surveil.app.rounds import do_all
from surveil.errors import ConfigError, StateError
from surveil.filesystem import read_json, write_atomically
from surveil.fleet.shelf import VERDICTS, LostError, Shelf, ShelfEntry
from surveil.offline.classify import dataset
from surveil.offline.classify.dataset import Item
from surveil.offline.classify.feedback import feedback_folder
from surveil.offline.classify.pictures import SUFFIXES

log = structlog.get_logger(__name__)
_ITEMS = "items"
_SHARED = "shared.json"
_AT_ONCE = 100
"""Pictures that are put at a time: they are read into memory."""
_OUT = ""
"""The class of a picture that was taken out."""
Classes = Mapping[str, str]
"""Class by SHA-256 of the picture."""


@dataclass(frozen=True, slots=True)
class _Listed:
    """A list in the store."""

    entry: ShelfEntry | None = None
    """None: there is none yet."""
    items: Mapping[str, Item] = field(default_factory=dict)
    """By SHA-256."""
    out: Collection[str] = ()
    """SHA-256 of what was taken out."""

    @property
    def classes(self) -> Classes:
        """Class by SHA-256."""
        return {digest: item.label for digest, item in self.items.items()} | dict.fromkeys(self.out, _OUT)


class SharedVerdicts:
    """Owned by one thread.

    Args:
        folder: the state directory.
        store: the shared folder.
    """

    def __init__(self, folder: Path, store: Path) -> None:
        self._sets, self._store = feedback_folder(folder), store
        self._same: dict[str, tuple[int, ShelfEntry | None]] = {}
        """By data set, when the manifest had changed and what the store had when both were the same."""

    def run_once(self) -> None:
        """Take and put what has changed. Raises StateError, when the other data sets are done."""
        names = sorted({*_folders(self._sets), *_folders(self._store / VERDICTS)})
        do_all(partial(self._look_at, name) for name in names)

    def _look_at(self, name: str) -> None:
        """Take and put what has changed in a data set."""
        shelf, folder = Shelf(self._store, f"{VERDICTS}/{name}"), self._sets / name
        entry, changed = shelf.newest(), _changed_at(folder / dataset.MANIFEST)
        if self._same.get(name) != (changed, entry):
            try:
                same = self._share(folder, shelf, _read(shelf, entry))
            except (ConfigError, OSError) as error:
                raise StateError(f"{folder}: cannot be shared: {error}") from error
            if same:
                self._same[name] = changed, same

    def _share(self, folder: Path, shelf: Shelf, there: _Listed) -> ShelfEntry | None:
        """Bring both to what they are to be; return what the store has then, None: it lacks some yet."""
        here = _by_content(folder, dataset.listed(folder))
        own = {digest: items[0].label for digest, items in here.items()}
        wanted = merged(_shared(folder), own, there.classes)
        lost = self._follow(folder, shelf, wanted, here, there.items)
        # A list that lacks them makes the nodes that have them put them again.
        wanted = {digest: label for digest, label in wanted.items() if digest not in lost}
        if wanted != there.classes:
            known = {**there.items, **{digest: items[0] for digest, items in here.items()}}
            there = _put(folder, shelf, there.entry, wanted, known)
        _note(folder, there.classes)
        return there.entry if there.classes == wanted else None

    def _follow(
        self,
        folder: Path,
        shelf: Shelf,
        wanted: Classes,
        here: Mapping[str, Sequence[Item]],
        there: Mapping[str, Item],
    ) -> Collection[str]:
        """Change what is here; return the SHA-256 of the pictures that the store has lost."""
        fresh = {digest for digest, label in wanted.items() if label != _OUT} - here.keys()
        lost = {digest for digest in fresh if not _fetch(folder, shelf, there[digest], wanted[digest])}
        for item in (item for items in here.values() for item in items):
            if wanted[item.sha256] == _OUT:
                dataset.remove(folder, item)
            elif item.label != wanted[item.sha256]:
                dataset.append(folder, replace(item, label=wanted[item.sha256]))
        if fresh - lost:
            count = len(fresh - lost)
            log.info("pictures of other nodes are in the data set", data_set=folder.name, pictures=count)
        return lost


def _fetch(folder: Path, shelf: Shelf, item: Item, label: str) -> bool:
    """Store a picture of the store here; return whether it is whole there."""
    try:
        content = shelf.get(item.sha256)
    except LostError as error:
        log.warning("picture of another node not taken", data_set=folder.name, why=str(error))
        return False
    dataset.store(folder, replace(item, label=label), content)
    return True


def merged(before: Classes, own: Classes, theirs: Classes) -> Classes:
    """Return the class of each picture, by what it was when both were the same."""
    # What is no longer here was taken out here; what a list lacks is only unknown to it.
    ours = {**{digest: _OUT for digest in before if digest not in own}, **own}
    return {
        digest: ours[digest]
        if digest not in theirs or (digest in ours and theirs[digest] == before.get(digest))
        else theirs[digest]
        for digest in {*ours, *theirs}
    }


def _put(
    folder: Path, shelf: Shelf, entry: ShelfEntry | None, wanted: Classes, known: Mapping[str, Item]
) -> _Listed:
    """Store a list, and some of the pictures that the store lacks; return what it has then."""
    stored = shelf.stored()
    items = [replace(known[d], label=label) for d, label in sorted(wanted.items()) if label != _OUT]
    new = list(islice((item for item in items if item.sha256 not in stored), _AT_ONCE))
    listed = [item for item in items if item.sha256 in stored] + new
    out = sorted(digest for digest, label in wanted.items() if label == _OUT)
    content = json.dumps({"items": [asdict(item) for item in listed], "out": out}).encode()
    pictures = {item.sha256: (folder / item.path).read_bytes() for item in new}
    kept = {item.sha256: item.sha256 for item in listed}
    put = shelf.put(entry.epoch + 1 if entry else 1, {_ITEMS: content, **pictures}, kept)
    return _Listed(put, {item.sha256: item for item in listed}, out)


def _by_content(folder: Path, items: Iterable[Item]) -> Mapping[str, Sequence[Item]]:
    """Return the pictures whose files are there."""
    found: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        if item.sha256 and (folder / item.path).is_file():
            found[item.sha256].append(item)
    return found


def _read(shelf: Shelf, entry: ShelfEntry | None) -> _Listed:
    if entry is None:
        return _Listed()
    try:
        plain = read_json(shelf.get(entry.parts[_ITEMS]))
        items = [_picture(raw) for raw in plain["items"]]
        return _Listed(entry, {item.sha256: item for item in items}, [str(digest) for digest in plain["out"]])
    except LostError as error:
        log.warning("list of pictures is lost, and is written anew", why=str(error))
        return _Listed(entry)
    except (ValueError, TypeError, KeyError) as error:
        raise StateError(f"the list of pictures in the store cannot be read: {error}") from error


def _picture(raw: object) -> Item:
    item = dataset.item_of(raw)
    if Path(item.path).suffix.lower() not in SUFFIXES:
        raise ValueError(f"{item.path!r} is not the name of a picture")
    return item


def _shared(folder: Path) -> Classes:
    if not (folder / dataset.MANIFEST).exists():
        return {}  # The data set was lost or begun anew, and nobody has taken out its pictures.
    try:
        return {
            str(digest): str(label) for digest, label in read_json((folder / _SHARED).read_bytes()).items()
        }
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError) as error:
        raise StateError(f"{folder / _SHARED}: cannot be read: {error}; remove it") from error


def _note(folder: Path, classes: Classes) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / _SHARED, json.dumps(classes).encode())


def _folders(folder: Path) -> list[str]:
    try:
        return [path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StateError(f"{folder}: cannot be read: {error.strerror}") from error


def _changed_at(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
