"""Errors of the configuration in Chinese, found by their English: nothing else is left where secrets were cut out.

A message that is not known stays in English; so does the place at its beginning, which editors read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache

from surveil.language import read_file

_FIELD = re.compile(r"\\\{(\w+)\\\}")


def in_chinese(line: str) -> str:
    """Return a line of an error, `FILE:LINE: PATH: TEXT`, with its text in Chinese where that is known."""
    # The text begins after the place in the file and the path in it, and may have a colon of its own.
    cuts = [0, *(found.end() for found in re.finditer(": ", line))][:4]
    for cut in reversed(cuts):
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
    """Return what stands for a value; None for a `text` within another that is not known."""
    return _said(value) if name == "text" else words.get(value, value)


@cache
def _catalogue() -> tuple[list[tuple[re.Pattern[str], str]], Mapping[str, str]]:
    found = json.loads(read_file("errors.zh.json"))
    patterns = [
        (re.compile(_FIELD.sub(r"(?P<\1>(?:(?!; ).)+?)", re.escape(english))), chinese)
        for english, chinese in found["patterns"].items()
    ]
    return patterns, found["words"]
