"""Rules and sinks of the registries as unions told apart by `type`: a new plug-in needs no change here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Union

from pydantic import Field

from surveil.alerts.sinks import SINKS
from surveil.features.registry import RULES
from surveil.settings import Settings


def settings_of(plugin: Any) -> type[Settings]:
    """Return the settings class of a registry's entry: the entry itself, or its `Settings`."""
    for candidate in (plugin, getattr(plugin, "Settings", None), getattr(plugin, "settings", None)):
        if isinstance(candidate, type) and issubclass(candidate, Settings):
            return candidate
    raise TypeError(f"{plugin!r} names no settings class")


def union_of(registry: Mapping[str, Any]) -> Any:
    """Return the type `A | B | …` of a registry's settings, told apart by `type`."""
    kinds = tuple(settings_of(plugin) for plugin in registry.values())
    if len(kinds) == 1:
        return kinds[0]
    return Annotated[Union[kinds], Field(discriminator="type")]  # noqa: UP007 - made at run time


AnyRule = union_of(RULES)
AnySink = union_of(SINKS)
