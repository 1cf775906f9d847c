"""Base of all settings: unknown keys are errors, values are frozen.

Settings live beside the code they configure and are pydantic models; pydantic stays at the border:
running objects copy what they need. Units are in the names (`read_timeout_s`).
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """Strict, frozen settings.

    Every field has a `Field(description=…)`: the reference is generated from it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)
