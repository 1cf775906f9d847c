"""Seeded damage to bytes: flipped bits, overwritten bytes, sectors and pages, ends cut off."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

PAGE = 4096
KINDS = ("bit", "bit", "bit", "byte", "bytes", "sector", "page", "cut", "ones")


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """Damaged bytes, and which of the original's are still right."""

    kind: str
    data: bytes
    start: int
    end: int
    """What was damaged: from `start` up to `end`."""

    def is_intact(self, start: int, end: int) -> bool:
        """Whether a part of the original was left alone."""
        return end <= self.start or start >= self.end


def mutants(whole: bytes, rng: random.Random, n: int, kinds: tuple[str, ...] = KINDS) -> Iterator[Mutant]:
    """Yield `n` damaged copies."""
    for _ in range(n):
        yield _mutant(whole, rng, rng.choice(kinds))


def _mutant(whole: bytes, rng: random.Random, kind: str) -> Mutant:
    data, at = bytearray(whole), rng.randrange(len(whole))
    if kind == "cut":
        return Mutant(kind=kind, data=bytes(data[:at]), start=at, end=len(whole))
    start, size = at, {"bit": 1, "byte": 1, "bytes": 8, "sector": 512, "page": PAGE, "ones": 64}[kind]
    if kind in ("sector", "page"):
        start = at - at % size
    end = min(len(data), start + size)
    if kind == "bit":
        data[start] ^= 1 << rng.randrange(8)
    elif kind == "ones":
        data[start:end] = b"\xff" * (end - start)
    elif kind in ("sector", "page") and rng.random() < 0.5:
        data[start:end] = bytes(end - start)
    else:
        data[start:end] = rng.randbytes(end - start)
    return Mutant(kind=kind, data=bytes(data), start=start, end=end)
