"""The language that a browser requests, and error messages in it."""

from __future__ import annotations

from surveil.wording import Language


def language_of(accepted: str) -> Language:
    """Return the first of an Accept-Language header's languages that the console speaks, by weight."""
    weighed: list[tuple[float, str]] = []
    for entry in accepted.lower().split(",")[:20]:
        tag, _, weight = entry.replace(" ", "").partition(";q=")
        try:
            weighed.append((float(weight or 1), tag.partition("-")[0]))
        except ValueError:
            continue
    known = [(weight, Language(tag)) for weight, tag in weighed if tag in set(Language) and weight > 0]
    return max(known, key=lambda one: one[0])[1] if known else Language.ENGLISH


def said(text: str, language: Language) -> str:
    """Return an error in a language, as far as that knows it."""
    if language is Language.ENGLISH:
        return text
    from surveil.language.errors import in_chinese  # noqa: PLC0415 - English needs no catalogue

    return "\n".join(map(in_chinese, text.splitlines()))
