"""Translatable texts for people: English, with the template and the values from which it is made.

    text = say("{label} in {zone}", label="person", zone="yard")

A text is a `str`, its English; `surveil.language` finds the template in a catalogue and says it again. A test holds the
catalogues to the calls of `say`, whose templates are therefore literals.

Texts of others are not translated. A device, a server or a file may put anything into one: `one_line` and
`without_control` make it fit to be shown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, LiteralString, TypeAlias

if TYPE_CHECKING:
    from surveil.language import Catalogue

_FIELD = re.compile(r"\{\w+(:\.\d[f%])?\}")
"""What a template that was stored may have: nothing that looks into values, or makes them long."""
Value: TypeAlias = "str | int | float | Said"
"""What a template is filled with; a text among them is said in the other language, too."""

_CONTROL = dict.fromkeys(
    (*(code for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\t\n"),
     *range(0x202A, 0x202F), *range(0x2066, 0x206A))
)  # fmt: skip
"""Control characters (C0, C1) but tabs and line ends, and those that reorder a line (UAX #9)."""


class Language(StrEnum):
    """A language that texts are said in."""

    ENGLISH = "en"
    CHINESE = "zh"


class Said(str):
    """A text in English that knows its template and values. Never changes."""

    __slots__ = ("template", "values")
    template: str
    values: Mapping[str, Value]

    @classmethod
    def of(cls, template: str, values: Mapping[str, Value]) -> Said:
        """Return the text. Raises LookupError or ValueError for values that do not fit the template."""
        made = cls(template.format(**values))
        made.template, made.values = template, values
        return made

    def with_values(self, changes: Mapping[str, Value]) -> Said:
        """Return the text with other values."""
        return Said.of(self.template, {**self.values, **changes})


def say(template: LiteralString, /, **values: Value) -> Said:
    """Return a text. The template has `{name}` or `{name:format}` for each value."""
    return Said.of(template, values)


def in_language(text: str, language: Language) -> str:
    """Return a text in a language; as it is, where it is only a string or the language does not know it."""
    if language is Language.ENGLISH or not isinstance(text, Said):
        return text
    from surveil.language import catalogue  # noqa: PLC0415 - English needs none

    return _translated(text, catalogue(language))


def pack(text: str) -> object:
    """Return how a text is made, as JSON's types; None for one that is only a string."""
    if not isinstance(text, Said):
        return None
    return [text.template, {name: _packed(value) for name, value in text.values.items()}]


def unpack(text: str, packed: object) -> str:
    """Return the text that was packed; only the string where what is packed does not say the same."""
    try:
        made = _unpacked(packed)
    except (LookupError, ValueError, TypeError, AttributeError, RecursionError):
        return text
    return made if made == text else text


def _translated(text: Said, known: Catalogue) -> str:
    """Return a text by a catalogue; in English where that does not know its template."""
    template = known.messages.get(text.template, text.template)
    return template.format(**{name: _value(name, value, known) for name, value in text.values.items()})


def _value(name: str, value: Value, known: Catalogue) -> Value:
    if isinstance(value, Said):
        return _translated(value, known)
    return known.word(name, value) if isinstance(value, str) else value


def _packed(value: Value) -> object:
    return pack(value) if isinstance(value, Said) else value


def _unpacked(packed: object) -> Said:
    if not isinstance(packed, list):
        raise TypeError("is no text that was packed")
    template, values = packed
    if set(_FIELD.sub("", template)) & set("{}"):
        raise ValueError("is no template of ours")
    return Said.of(template, {k: _unpacked(v) if isinstance(v, list) else v for k, v in values.items()})


def one_line(text: str) -> str:
    """Return `text` on one line, with a blank for what is not printable."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def without_control(text: str) -> str:
    """Return `text` without what commands a terminal, with its tabs and line ends."""
    return text.translate(_CONTROL)
