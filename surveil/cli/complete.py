"""Shell completion: names from the configuration on the command line, or from the default one.

The file is read and not checked: a shell has none of the secrets of the service, and names need none. Where nothing
can be read, nothing is offered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import typer

from surveil.cli.common import DEFAULT_CONFIG, usual
from surveil.config.classifiers import state_dir_of
from surveil.config.document import YamlNode, read
from surveil.config.problems import Problems
from surveil.errors import StateError

Complete = Callable[[typer.Context, str], list[str]]


def names(of: Callable[[YamlNode], Iterable[str]]) -> Complete:
    """Return a completion of the names that `of` finds; a file that cannot be read offers none."""

    def complete(context: typer.Context, incomplete: str) -> list[str]:
        root = read(usual(Path(context.params.get("config") or DEFAULT_CONFIG)), Problems())
        found = of(root) if root is not None else ()
        return [name for name in found if name.startswith(incomplete)]

    return complete


def _keys(section: str) -> Complete:
    return names(lambda root: getattr(root.get(section), "children", ()))


def _rules(root: YamlNode) -> list[str]:
    """Return the names of rules, and the types of those without one."""
    shared = root.get("cameras")
    owners = [*(shared.children.values() if shared else ()), *filter(None, [root.get("defaults")])]
    rules = [rule for owner in owners for rule in getattr(owner.get("rules"), "items", ())]
    return sorted({str((rule.get("name") or rule.get("type") or rule).text) for rule in rules})


def _classifiers(root: YamlNode) -> tuple[str, ...]:
    """Return the names of classifiers in the state directory, deployed or only trained."""
    from surveil.features.classify import store  # noqa: PLC0415 - the other names need no model runtime

    with suppress(StateError):
        return store.names(state_dir_of(root))
    return ()


classifiers = names(_classifiers)
cameras, sinks, rules = _keys("cameras"), _keys("sinks"), names(_rules)
