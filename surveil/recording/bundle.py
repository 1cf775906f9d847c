"""A verifiable export: one ZIP with films, their description, their SHA-256, and a signature.

`SHA256SUMS` lists every other file and is signed with Ed25519 (RFC 8032). The key is made once and stays in the state
directory; its public half lies in the bundle, and whoever was told its fingerprint knows which machine has signed. A
signature says that nothing was changed since, not that the camera's picture was true.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from surveil.errors import StateError
from surveil.filesystem import appearing
from surveil.recording.layout import oddities

SHEET, SUMS, SIGNATURE, PUBLIC_KEY = "export.json", "SHA256SUMS", "SHA256SUMS.sig", "public-key.pem"
_CHUNK = 1 << 20
_MOST_BYTES = 1 << 20
"""Of a file that is no film."""


class Signs(Protocol):
    """Signs bundles."""

    @property
    def public_pem(self) -> bytes:
        """The public key, as `openssl pkeyutl -verify` reads it."""

    def sign(self, data: bytes) -> bytes:
        """Return the signature."""


Verifies = Callable[[bytes, bytes, bytes], str]
"""Takes public key (PEM), signature and data; returns the key's fingerprint. Raises ValueError where they disagree."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What a bundle turned out to be."""

    files: tuple[str, ...]
    """With the right SHA-256."""
    faults: tuple[str, ...]
    """What is wrong, with the name of the file."""
    key: str
    """Fingerprint of the key that signed it; empty: it is unsigned, or the signature is wrong."""

    @property
    def is_good(self) -> bool:
        """Whether it is what was exported, as far as can be known."""
        return not self.faults


def pack(target: Path, sheet: Mapping[str, object], films: Mapping[str, Path], signer: Signs | None) -> None:
    """Write a bundle. Raises StateError."""
    files: dict[str, bytes | Path] = {**films, SHEET: (json.dumps(sheet, indent=2) + "\n").encode()}
    if signer is not None:
        files[PUBLIC_KEY] = signer.public_pem
    sums = "".join(f"{_digest(content)}  {name}\n" for name, content in files.items()).encode()
    files[SUMS] = sums
    if signer is not None:
        files[SIGNATURE] = signer.sign(sums)
    try:
        with appearing(target) as beside, zipfile.ZipFile(beside, "w", zipfile.ZIP_STORED) as archive:
            for name, content in files.items():
                if isinstance(content, Path):
                    archive.write(content, name)
                else:
                    archive.writestr(name, content)
    except OSError as error:
        raise StateError(f"{target}: cannot be written: {error.strerror}") from error


def _digest(content: bytes | Path) -> str:
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    with content.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def verify(path: Path, check: Verifies | None) -> Verified:
    """Compare a bundle with its sums and its signature; `check` None: signatures cannot be checked here.

    Raises StateError where it is no bundle.
    """
    with _archive(path) as (file, archive):
        faults = list(oddities(file, archive))
        sums = _small(archive, SUMS)
        listed = dict(_sums(sums))
        there = set(archive.namelist()) - {SUMS, SIGNATURE}
        faults += [f"{name}: is not listed in {SUMS}" for name in sorted(there - listed.keys())]
        good = []
        for name, wanted in listed.items():
            if fault := _fault(archive, name, wanted):
                faults.append(f"{name}: {fault}")
            else:
                good.append(name)
        key, fault = _signed_by(archive, sums, check)
        return Verified(files=tuple(good), faults=(*faults, fault) if fault else tuple(faults), key=key)


@contextmanager
def _archive(path: Path) -> Iterator[tuple[IO[bytes], zipfile.ZipFile]]:
    try:
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            yield file, archive
    except (OSError, zipfile.BadZipFile, KeyError, NotImplementedError, RuntimeError) as error:
        raise StateError(f"{path}: is no bundle of `surveil export`: {error}") from error


def _small(archive: zipfile.ZipFile, name: str) -> bytes:
    with archive.open(name) as file:
        content = file.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        raise zipfile.BadZipFile(f"{name} is larger than {_MOST_BYTES} bytes")
    return content


def _sums(sums: bytes) -> Iterator[tuple[str, str]]:
    for line in sums.decode("utf-8", "replace").splitlines():
        digest, _, name = line.partition("  ")
        yield name, digest


def _fault(archive: zipfile.ZipFile, name: str, wanted: str) -> str:
    try:
        with archive.open(name) as file:
            return "" if _digest_of(file) == wanted else "was changed: its SHA-256 is another"
    except KeyError:
        return "is missing"
    except (zipfile.BadZipFile, EOFError) as error:
        return f"was changed: {error}"


def _digest_of(file: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
    return digest.hexdigest()


def _signed_by(archive: zipfile.ZipFile, sums: bytes, check: Verifies | None) -> tuple[str, str]:
    """Return the fingerprint of the key, and what is wrong with the signature."""
    if SIGNATURE not in archive.namelist():
        return "", f"{SIGNATURE}: is missing: nobody has signed this bundle"
    if check is None:
        return "", f"{SIGNATURE}: cannot be checked here"
    try:
        return check(_small(archive, PUBLIC_KEY), _small(archive, SIGNATURE), sums), ""
    except (KeyError, ValueError):
        return "", f"{SIGNATURE}: is wrong: {SUMS} was changed, or another key has signed"
