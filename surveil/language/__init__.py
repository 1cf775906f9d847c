"""Says texts in another language than English. Catalogues are read when they are first needed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources

from surveil.wording import Language, Said, Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """What one language says instead."""

    messages: Mapping[str, str] = field(default_factory=dict)
    """By the English template; the values' names are the same."""
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """By the name of a value: what is said for each of its words, such as the class of an object."""


@cache
def catalogue(language: Language) -> Catalogue:
    """Return what a language says; of English nothing, since texts are in it."""
    if language is Language.ENGLISH:
        return Catalogue()
    return Catalogue(**json.loads(_read(f"{language}.json")))


def help_texts() -> Mapping[str, str]:
    """Return the Chinese help of commands and options, by the English."""
    found: dict[str, str] = json.loads(_read("help.zh.json"))
    return found


def translated(text: Said, language: Language) -> str:
    """Return a text in a language; in English where the language does not know its template."""
    known = catalogue(language)
    template = known.messages.get(text.template, text.template)
    return template.format(**{name: _value(name, value, language) for name, value in text.values.items()})


def word(kind: str, name: str, language: Language) -> str:
    """Return what a language says for a word of a kind, such as the `label` person; itself where it knows none."""
    return catalogue(language).values.get(kind, {}).get(name, name)


def _value(name: str, value: Value, language: Language) -> Value:
    if isinstance(value, Said):
        return translated(value, language)
    return word(name, value, language) if isinstance(value, str) else value


def _read(name: str) -> str:
    return (resources.files("surveil.language") / name).read_text(encoding="utf-8")
