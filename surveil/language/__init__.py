"""Catalogues of texts in other languages than English. Each is read when it is first needed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """What one language says instead."""

    messages: Mapping[str, str] = field(default_factory=dict)
    """By the English template; the values' names are the same."""
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """By the name of a value: what is said for each of its words, such as the class of an object."""

    def word(self, kind: str, name: str) -> str:
        """Return what is said for a word of a kind, such as the `label` person; itself where it is not known."""
        return self.values.get(kind, {}).get(name, name)


@cache
def catalogue(language: str) -> Catalogue:
    """Return what a language says; of English nothing, since texts are in it."""
    return Catalogue() if language == "en" else Catalogue(**json.loads(read_file(f"{language}.json")))


def help_texts() -> Mapping[str, str]:
    """Return the Chinese help of commands and options, by the English."""
    found: dict[str, str] = json.loads(read_file("help.zh.json"))
    return found


def read_file(name: str) -> str:
    """Return a file of this folder."""
    return (resources.files("surveil.language") / name).read_text(encoding="utf-8")
