"""The classes that the configured model knows, as far as that can be told without loading it."""

from __future__ import annotations

from typing import Any


def model_labels(model: Any) -> tuple[str, ...]:
    """Return the labels of the model section as written, or () when they are not known."""
    return ()
