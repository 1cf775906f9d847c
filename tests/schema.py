"""The names of all settings, taken from the JSON Schema of the configuration file."""

from __future__ import annotations

from functools import cache
from typing import Any

from surveil.config import schema


@cache
def setting_names() -> frozenset[str]:
    """Return every key that the file may have, at whatever place."""
    whole = schema()
    return frozenset(_names(whole, whole["$defs"], frozenset()))


def _names(node: dict[str, Any], parts: dict[str, Any], seen: frozenset[str]) -> set[str]:
    reference = str(node.get("$ref", "")).rpartition("/")[2]
    found = set(node.get("properties", {}))
    below = [*node.get("properties", {}).values(), node.get("additionalProperties"), node.get("items")]
    below += (option for key in ("anyOf", "oneOf", "allOf") for option in node.get(key, ()))
    if reference and reference not in seen:
        below.append(parts[reference])
        seen |= {reference}
    for child in below:
        if isinstance(child, dict):
            found |= _names(child, parts, seen)
    return found
