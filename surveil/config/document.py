"""Parses YAML into a tree in which every value knows its line and its path.

PyYAML's composer gives the marks; the rest is stricter than YAML: duplicate keys and tags are errors, only
`true` and `false` are booleans and `22:00` stays text (YAML 1.1 would read 1320), and size, depth and the
expansion of aliases are bounded, so that no file can exhaust the memory.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

import yaml

from surveil.config.problems import Problems
from surveil.filesystem import check_regular

MAX_BYTES = 1 << 20
MAX_DEPTH = 32
MAX_NODES = 100_000

type_prefix = "tag:yaml.org,2002:"
Scalar = str | int | float | bool | None
_KINDS = ("null", "bool", "int", "float", "str")


@dataclass(slots=True)
class YamlNode:
    """A value of the file."""

    value: Scalar | dict[str, YamlNode] | list[YamlNode]
    line: int
    """1-based line of its key or list item."""
    path: str
    """Where it stands: `cameras.gate.rules[0].zone`."""

    def get(self, *keys: str | int) -> YamlNode | None:
        """Return the value below, or None when there is none."""
        node: YamlNode | None = self
        for key in keys:
            node = node._child(key) if node else None  # noqa: SLF001 - of the same class
        return node

    def _child(self, key: str | int) -> YamlNode | None:
        if isinstance(self.value, dict):
            return self.value.get(str(key))
        if isinstance(self.value, list) and str(key).isdecimal() and int(key) < len(self.value):
            return self.value[int(key)]
        return None

    @property
    def children(self) -> dict[str, YamlNode]:
        """The values of a mapping; of anything else, none."""
        return self.value if isinstance(self.value, dict) else {}

    @property
    def items(self) -> list[YamlNode]:
        """The values of a list; of anything else, none."""
        return self.value if isinstance(self.value, list) else []

    @property
    def text(self) -> str | None:
        """The value if it is a string."""
        return self.value if isinstance(self.value, str) else None


class _TooMuchError(Exception):
    """A bound was passed: no use in reading on."""

    def __init__(self, line: int, text: str) -> None:
        super().__init__(text)
        self.line = line


class _Loader(
    yaml.reader.Reader,
    yaml.scanner.Scanner,
    yaml.parser.Parser,
    yaml.composer.Composer,
    yaml.resolver.BaseResolver,
):
    """Composes nodes only; PyYAML's own Python parser, because its messages are the same everywhere."""

    def __init__(self, text: str) -> None:
        yaml.reader.Reader.__init__(self, text)
        yaml.scanner.Scanner.__init__(self)
        yaml.parser.Parser.__init__(self)
        yaml.composer.Composer.__init__(self)
        yaml.resolver.BaseResolver.__init__(self)
        self._depth = 0
        self._count = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Compose, not deeper than allowed: Python's stack is finite."""
        self._depth += 1
        self._count += 1
        if self._count > MAX_NODES:
            # Composing costs a tenth of a millisecond a value: no use in reading a megabyte of them.
            line = self.peek_event().start_mark.line + 1  # type: ignore[no-untyped-call]
            raise _TooMuchError(line, f"has more than {MAX_NODES} values: this is not a configuration")
        if self._depth > MAX_DEPTH:
            line = self.peek_event().start_mark.line + 1  # type: ignore[no-untyped-call]
            raise _TooMuchError(line, f"is nested deeper than {MAX_DEPTH} levels")
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1


class Dumper(yaml.SafeDumper):
    """Writes text so that it is read as text: `1e3` is a number here, and in YAML 1.1 it is none."""


def _resolve(kind: str, pattern: str, first: str) -> None:
    for one in (_Loader, Dumper):
        one.add_implicit_resolver(type_prefix + kind, re.compile(f"^(?:{pattern})$"), list(first))


_resolve("bool", "true|True|TRUE|false|False|FALSE", "tTfF")
_resolve("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789")
_resolve("float", r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", "-+.0123456789")
_resolve("float", r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)", "-+.")
_resolve("null", "~|null|Null|NULL|", "~nN\0")
_Loader.add_implicit_resolver(type_prefix + "null", re.compile("^$"), [""])
_Loader.add_implicit_resolver(type_prefix + "merge", re.compile("^<<$"), ["<"])


def read(path: Path, problems: Problems) -> YamlNode | None:
    """Read a file; None (and a problem) when there is nothing to go on with."""
    try:
        check_regular(path)
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        begin = "; name another with -c, or start with: surveil schema --as yaml"
        remedy = begin if isinstance(error, FileNotFoundError) else ""
        problems.add(0, "", f"cannot be read: {(error.strerror or str(error)).lower()}{remedy}")
        return None
    if len(raw) > MAX_BYTES:
        problems.add(0, "", f"is larger than {MAX_BYTES} bytes: this is not a configuration")
        return None
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        problems.add(line, "", f"is not UTF-8 text (byte 0x{raw[error.start]:02x})")
        return None
    return parse(text, problems)


def parse(text: str, problems: Problems) -> YamlNode | None:
    """Parse YAML text; None (and a problem) when it cannot be understood at all."""
    try:
        root = _Loader(text).get_single_node()
        return None if root is None else _Tree(problems).build(root, root.start_mark.line + 1, "", 0)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problems.add(mark.line + 1 if mark else 0, "", _syntax(error))
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        problems.add(
            line, "", f"is not text: character {error.character!r} is not allowed in YAML: remove it"
        )
    except _TooMuchError as error:
        problems.add(error.line, "", str(error))
    return None


def _syntax(error: yaml.MarkedYAMLError) -> str:
    said = error.problem or "not understood"
    if "'\\t'" in said:
        said = "a tab stands where only spaces may indent"
    elif "expected a single document" in (error.context or ""):
        said = "a second document starts here ('---'); only one is allowed"
    mark = error.problem_mark
    column = f" at column {mark.column + 1}" if mark else ""
    return f"YAML: {said}{column}"


class _Tree:
    """Turns PyYAML's nodes into ours, once per call of `parse`."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._count = 0

    def build(self, node: yaml.Node, line: int, path: str, depth: int) -> YamlNode:
        """Return the tree of `node`; aliases are expanded, within bounds."""
        self._count += 1
        if self._count > MAX_NODES:
            raise _TooMuchError(line, f"its aliases expand to more than {MAX_NODES} values")
        if depth > MAX_DEPTH:
            raise _TooMuchError(line, f"is nested deeper than {MAX_DEPTH} levels, or an alias names itself")
        if isinstance(node, yaml.MappingNode):
            return YamlNode(self._mapping(node, path, depth), line, path)
        if isinstance(node, yaml.SequenceNode):
            self._check_tag(node, "seq", line, path)
            return YamlNode(self._sequence(node, path, depth), line, path)
        return YamlNode(self._scalar(node, line, path), line, path)

    def _sequence(self, node: yaml.SequenceNode, path: str, depth: int) -> list[YamlNode]:
        return [
            self.build(item, item.start_mark.line + 1, f"{path}[{index}]", depth + 1)
            for index, item in enumerate(node.value)
        ]

    def _mapping(self, node: yaml.MappingNode, path: str, depth: int) -> dict[str, YamlNode]:
        self._check_tag(node, "map", node.start_mark.line + 1, path)
        children: dict[str, YamlNode] = {}
        merged: dict[str, YamlNode] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if key.tag == type_prefix + "merge":
                merged |= self._merge(value, line, path, depth)
            elif not isinstance(key, yaml.ScalarNode):
                self._problems.add(line, path, "a key must be plain text, not a list or a mapping")
            elif (bad := _impossible(key.value)) is not None:
                self._problems.add(
                    line, path, f"a key has the character {bad}, which is not allowed in text: remove it"
                )
            elif key.value in children:
                self._duplicate(key.value, children[key.value].line, line, path)
            else:
                below = f"{path}.{key.value}" if path else key.value
                children[key.value] = self.build(value, line, below, depth + 1)
        return merged | children

    def _merge(self, node: yaml.Node, line: int, path: str, depth: int) -> dict[str, YamlNode]:
        """Return what `<<: *anchor` (or a list of aliases, the first wins) brings in."""
        sources = node.value if isinstance(node, yaml.SequenceNode) else [node]
        merged: dict[str, YamlNode] = {}
        for source in reversed(sources):
            tree = self.build(source, line, path, depth + 1)
            if not isinstance(tree.value, dict):
                self._problems.add(line, path, "'<<' takes a mapping or a list of mappings")
            merged |= tree.children
        return merged

    def _duplicate(self, key: str, first: int, line: int, path: str) -> None:
        below = f"{path}.{key}" if path else key
        self._problems.add(line, below, f"is given twice, first in line {first}")

    def _check_tag(self, node: yaml.Node, kind: str, line: int, path: str) -> None:
        if node.tag != type_prefix + kind:
            self._problems.add(line, path, f"tags such as {_show_tag(node.tag)} are not allowed")

    def _scalar(self, node: yaml.Node, line: int, path: str) -> Scalar:
        kind = node.tag.removeprefix(type_prefix)
        if kind == "merge":
            return str(node.value)
        if kind not in _KINDS:
            self._check_tag(node, "str", line, path)
            return None
        if (bad := _impossible(node.value)) is not None:
            self._problems.add(
                line, path, f"has the character {bad}, which is not allowed in text: remove it"
            )
            self._problems.settled.add(path)
            return "impossible"
        try:
            value = _convert(kind, node.value)
        except ValueError:
            self._problems.add(
                line,
                path,
                f"'{self._problems.mask(node.value)[:40]}' is not of the type {_show_tag(node.tag)}",
            )
            return None
        if isinstance(value, float) and not math.isfinite(value):
            self._problems.add(line, path, f"must be a finite number, not {node.value}")
            self._problems.settled.add(path)
            return 0.0
        return value


def _impossible(text: str) -> str | None:
    """Return the first character that no file name, address or message can hold: NUL, half of a surrogate pair."""
    return next((ascii(char) for char in text if char == "\0" or "\ud800" <= char <= "\udfff"), None)


def _show_tag(tag: str) -> str:
    return "!!" + tag.removeprefix(type_prefix) if tag.startswith(type_prefix) else tag


def _convert(kind: str, text: str) -> Scalar:
    match kind:
        case "null":
            return None
        case "bool":
            return _boolean(text)
        case "int":
            digits = text.lower()
            base = 16 if digits.startswith("0x") else 8 if digits.startswith("0o") else 10
            return int(digits, base)
        case "float":
            return float(re.sub(r"^([-+]?)\.(inf|nan)$", r"\1\2", text.lower()))
        case _:
            return text


def _boolean(text: str) -> bool:
    if text.lower() not in {"true", "false"}:
        raise ValueError(text)
    return text.lower() == "true"
