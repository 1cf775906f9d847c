"""Errors and warnings of commands in Chinese, found by their English text after secrets were cut out.

A message that is not known stays in English; so does the place at its beginning, which editors read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache, lru_cache

from surveil.language import read_file

_FIELD = re.compile(r"\{(\w+)\}")
_LONGEST = 1000
"""Characters; hundreds of patterns are tried, and each takes longer the longer the line is."""
_MOST_PLACES = 4
"""Where the text of an error may begin: `surveil: FILE:LINE: PATH: TEXT`."""


@lru_cache(maxsize=1024)
def in_chinese(line: str) -> str:
    """Return a line of an error, `FILE:LINE: PATH: TEXT`, with its text in Chinese where that is known.

    A line of more than 1000 characters stays in English.
    """
    if len(line) > _LONGEST:
        return line
    # The text begins after the place in the file and the path in it, and may have a colon of its own.
    cuts = [0, *(found.end() for found in re.finditer(": ", line))][:_MOST_PLACES]
    for cut in cuts:
        if (said := _said(line[cut:])) is not None:
            return line[:cut] + said
    return line


def _said(text: str) -> str | None:
    """Return a text in Chinese, or each of its parts; None where one is not known."""
    if (whole := _one(text)) is not None:
        return whole
    first, mark, rest = text.partition("; ")
    parts = (_said(first), _said(rest)) if mark else (None, None)
    return None if parts[0] is None or parts[1] is None else f"{parts[0]}；{parts[1]}"


def _one(text: str) -> str | None:
    patterns, words = _catalogue()
    for pattern, chinese in patterns:
        if found := pattern.fullmatch(text):
            values = {name: _value(name, value, words) for name, value in found.groupdict().items()}
            if None not in values.values():
                return chinese.format_map(values)
    return None


def _value(name: str, value: str, words: Mapping[str, str]) -> str | None:
    """Return what stands for a value: a word, or a text of its own, which only in `text` has to be known."""
    if name == "text":
        return _said(value)
    may_be_a_text = name == "what" or name.startswith("reason")
    said = _said(value) if may_be_a_text else None
    return said or words.get(value) or words.get(value[:1].upper() + value[1:], value)


@cache
def _catalogue() -> tuple[list[tuple[re.Pattern[str], str]], Mapping[str, str]]:
    found = json.loads(read_file("errors.zh.json"))
    # The one that says most of a text itself is meant: `cannot be read: {reason}` fits much.
    in_order = sorted(found["patterns"].items(), key=lambda one: -len(_FIELD.sub("", one[0])))
    return [(_pattern(english), chinese) for english, chinese in in_order], found["words"]


def _pattern(english: str) -> re.Pattern[str]:
    """Return the pattern of a text. A value has no second sentence, and the first no place before it."""
    pieces = _FIELD.split(english)
    found = ""
    for number, piece in enumerate(pieces):
        if number % 2 == 0:
            found += re.escape(piece)
        elif piece in pieces[1:number:2]:
            found += f"(?P={piece})"
        else:
            found += f"(?P<{piece}>(?:(?!{'; ' if found else '; |: '}).)+?)"
    return re.compile(found, re.DOTALL)
