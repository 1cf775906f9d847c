"""No setting is accepted and then forgotten: each is read by the code, and each hook is handed in by somebody."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from surveil.capture.settings import CaptureSettings
from surveil.config import load
from surveil.features.registry import FEATURES
from tests.schema import setting_names

PACKAGE = Path(__file__).parents[1] / "surveil"
READ_AS_A_WHOLE = {"version", "defaults"}
"""Of the file itself: `load` takes them apart before there are settings."""
OTHER_WORDS = {"class"}
"""A word of Python: the attribute is `class_`."""


@pytest.fixture(scope="module")
def nodes() -> Iterator[list[ast.AST]]:
    """Give the package as half a million nodes; kept, every later collection of garbage would visit them."""
    found = [node for path in PACKAGE.rglob("*.py") for node in ast.walk(ast.parse(path.read_text()))]
    yield found
    found.clear()


def test_every_setting_is_read(nodes: Sequence[ast.AST]) -> None:
    read = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    sections = {
        feature.section.name for feature in FEATURES.values() if feature.section
    }  # read by their type
    assert setting_names() - read - READ_AS_A_WHOLE - sections - OTHER_WORDS == set()


def functions(nodes: Sequence[ast.AST]) -> Iterator[tuple[str, ast.FunctionDef]]:
    """Yield every function with the name that it is called by: that of its class for `__init__`."""
    for node in nodes:
        if isinstance(node, ast.ClassDef):
            yield from (
                (node.name, f) for f in node.body if isinstance(f, ast.FunctionDef) and f.name == "__init__"
            )
        if isinstance(node, ast.FunctionDef):
            yield node.name, node


def positional(function: ast.FunctionDef) -> list[str]:
    names = [argument.arg for argument in function.args.args]
    return names[1:] if names[:1] in (["self"], ["cls"]) else names


def hooks(nodes: Sequence[ast.AST]) -> set[tuple[str, str]]:
    """Name the parameters whose default is a function that does nothing."""
    found = set()
    for name, function in functions(nodes):
        arguments = function.args
        with_default = arguments.args[len(arguments.args) - len(arguments.defaults) :]
        pairs = (*zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
                 *zip(with_default, arguments.defaults, strict=True))  # fmt: skip
        if name != "__init__":
            found |= {(name, one.arg) for one, default in pairs if isinstance(default, ast.Lambda)}
    return found


def handed_in(nodes: Sequence[ast.AST]) -> set[tuple[str, str]]:
    """Name the parameters that some call of the package gives."""
    by_name: dict[str, list[list[str]]] = {}
    for name, function in functions(nodes):
        by_name.setdefault(name, []).append(positional(function))
    found: set[tuple[str, str]] = set()
    for call in (node for node in nodes if isinstance(node, ast.Call)):
        name = getattr(call.func, "id", None) or getattr(call.func, "attr", "")
        found |= {(name, keyword.arg) for keyword in call.keywords if keyword.arg}
        for names in by_name.get(name, ()):
            found |= {(name, given) for given in names[: len(call.args)]}
    return found


def test_every_hook_is_handed_in_by_the_package_itself(nodes: Sequence[ast.AST]) -> None:
    """A hook that tests alone hand in works in tests alone."""
    assert hooks(nodes) <= handed_in(nodes)


CHANGED = {
    "transport": "udp", "hwaccel": "auto", "open_timeout_s": 3.0, "read_timeout_s": 0.7, "keyframe_timeout_s": 17.0,
    "undecodable_s": 4.0, "degraded_after_s": 6.0, "catch_up_lag_s": 0.9, "max_lag_s": 7.0, "skip_loop_filter": True,
    "decode": "full", "idle_reaction_s": 2.0, "fps": 12.0, "repeat": True, "serial": "SN-0042",
}  # fmt: skip
"""Of each setting of a stream a value that is not the default."""
ELSEWHERE = {"tls", "rotate"}
"""Tested with what they do."""


def test_every_setting_of_a_stream_reaches_what_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    streams = {"detect": "rtsp://192.0.2.1/sub", "record": "rtsp://192.0.2.1/main"}
    path.write_text(json.dumps({"version": 1, "cameras": {"gate": {"streams": streams, **CHANGED}}}))
    camera = load(path).cameras["gate"]
    assert set(CaptureSettings.model_fields) - ELSEWHERE == set(CHANGED)
    assert camera.record is not None
    for stream in (camera.stream, camera.record):
        assert {name: getattr(stream, name) for name in CHANGED} == CHANGED
