"""Base of all settings: unknown keys are errors, values are frozen.

Settings live beside the code they configure and are pydantic models; pydantic stays at the border:
running objects copy what they need. Units are in the names (`read_timeout_s`).
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

_JOINERS = "\u200c\u200d"
"""They are not printable, and some scripts need them."""


def _check_title(title: str) -> str:
    if (title and not title.strip()) or not all(c.isprintable() or c in _JOINERS for c in title):
        raise ValueError(
            "a title is one line of printable characters; line breaks and control characters do not fit"
        )
    return title.strip()


Title = Annotated[str, AfterValidator(_check_title), Field(max_length=80)]
"""A display name in any script; empty: none."""


class Settings(BaseModel):
    """Strict, frozen settings.

    Every field has a `Field(description=…)`: the reference is generated from it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)
