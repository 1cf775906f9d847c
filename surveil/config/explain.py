"""Converts pydantic's errors into problems with a line, a path and a remedy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from surveil.config.checks import resolve, step_into
from surveil.config.document import YamlNode
from surveil.config.problems import Problems, shorten, suggest

_BOUNDS = {"greater_than": "greater than", "greater_than_equal": "at least"} | {
    "less_than": "less than",
    "less_than_equal": "at most",
}
_WANTED = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "string": "text",
    "list": "a list",
    "tuple": "a list",
    "dict": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "path_type": "a path",
}


def explain(error: ValidationError, root: YamlNode, schema: Mapping[str, Any], problems: Problems) -> None:
    """Add everything pydantic found wrong with the file."""
    for detail in error.errors(include_url=False):
        if _is_echo(detail):
            continue
        _explain_one(detail, root, schema, problems)


def _is_echo(detail: ErrorDetails) -> bool:
    """Whether a list is called too short only because of items that are wrong, which is told for itself."""
    return detail["type"] == "too_short" and len(detail["input"]) >= detail["ctx"]["min_length"]


def _items(count: int) -> str:
    return f"{count} item" + ("" if count == 1 else "s")


_REPLACED = {
    "keyframes_only_when_idle": "was replaced by `decode` and `idle_reaction_s`: remove it; decoding on demand is the "
    "default, `decode: full` decodes every picture",
}
"""Settings of earlier releases, and what to write now."""


def _explain_one(detail: ErrorDetails, root: YamlNode, schema: Mapping[str, Any], problems: Problems) -> None:
    node, below = _descend(root, detail["loc"])
    path = node.path
    kind = detail["type"]
    if kind == "extra_forbidden":
        name = below or str(detail["loc"][-1])
        text = _REPLACED.get(name) or f"unknown key{suggest(name, known_keys(schema, detail['loc'][:-1]))}"
    elif kind == "missing" and isinstance(detail["loc"][-1], int):
        text = f"needs more than {_items(detail['loc'][-1])}"
    elif kind == "missing":
        path = _join(path, str(detail["loc"][-1]))
        text = "is missing"
    elif kind in {"union_tag_not_found", "union_tag_invalid"}:
        node, path, text = _tag(detail, node)
    else:
        text = _pixels(detail) or _say(_masked(detail, problems))
    if path not in problems.settled:
        problems.add(node.line, path, text)


def _masked(detail: ErrorDetails, problems: Problems) -> ErrorDetails:
    """Return the error without secrets in the value that it quotes."""
    value = detail["input"]
    if isinstance(value, str):
        detail["input"] = problems.mask(value)
    return detail


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _descend(root: YamlNode, loc: tuple[int | str, ...]) -> tuple[YamlNode, str]:
    """Follow `loc` as far as the file goes; union tags and validators' names in it are passed over."""
    node, last = root, ""
    for step in loc:
        if step == "[key]":
            break
        if child := node.get(step):
            node, last = child, str(step)
    return node, last


def _tag(detail: ErrorDetails, node: YamlNode) -> tuple[YamlNode, str, str]:
    context = detail.get("ctx", {})
    known = _known_tags(detail)
    if detail["type"] == "union_tag_not_found":
        return node, _join(node.path, "type"), f"is missing{suggest('', known)}"
    child = node.get("type") or node
    return (
        child,
        child.path,
        f"unknown type '{context.get('tag', '')}'{suggest(str(context.get('tag')), known)}",
    )


def _known_tags(detail: ErrorDetails) -> list[str]:
    """Read the tags that pydantic names: they are in its message only for one of the two errors."""
    said = str(detail.get("ctx", {}).get("expected_tags", ""))
    return [word.strip().strip("'") for word in said.split(",") if word.strip()]


def _say(detail: ErrorDetails) -> str:
    kind, value, context = detail["type"], detail["input"], detail.get("ctx", {})
    if kind in {"value_error", "assertion_error"}:
        return str(context.get("error", detail["msg"]))
    if kind == "string_type" and isinstance(value, int | float) and not isinstance(value, bool):
        return "must be text: put the number in quotes"  # it may be a password, and is not repeated
    if kind in {"literal_error", "enum"}:
        return _choice(str(context.get("expected", "")), value)
    if limit := _limit(kind, value, context):
        return limit
    for family in (kind, kind.partition("_")[0]):
        if (wanted := _WANTED.get(family)) and kind.endswith(("_type", "_parsing", "_from_float")):
            return f"must be {wanted}, not {_what(value)}"
    return _plain(detail)


def _limit(kind: str, value: Any, context: Mapping[str, Any]) -> str:
    """Say which bound of a number or of a list's length was passed; empty when it was none."""
    if kind == "too_short":
        return f"needs at least {_items(context['min_length'])}, has {len(value)}"
    if kind == "too_long":
        return f"may have at most {_items(context['max_length'])}, has {len(value)}"
    if words := _BOUNDS.get(kind):
        return f"must be {words} {next(iter(context.values())):g}, not {shorten(value)}"
    return ""


def _pixels(detail: ErrorDetails) -> str:
    """Say how to write a coordinate that was given in pixels; empty where it was not."""
    numbers = [step for step in detail["loc"] if isinstance(step, int)]
    if detail["type"] != "less_than_equal" or len(numbers) < 2 or detail["loc"][-1] not in (0, 1):
        return ""
    side = ("width", "height")[numbers[-1]]
    remedy = f"points are in fractions of the picture, 1 is its whole {side}: divide pixels by it"
    return f"{_limit(detail['type'], detail['input'], detail.get('ctx', {}))}; {remedy}"


def _choice(expected: str, value: object) -> str:
    words = [word.strip("' ") for word in expected.replace(" or ", ", ").split(",")]
    wanted = expected if len(words) > 1 else f"must be {expected}"
    near = suggest(value, words) if isinstance(value, str) else ""
    said = f"must be {wanted.removeprefix('must be ')}, not {_what(value)}"
    return said + (near if "did you mean" in near else "")


def _what(value: object) -> str:
    match value:
        case dict():
            return "a mapping"
        case list() | tuple():
            return "a list"
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case _:
            return shorten(value)


def _plain(detail: ErrorDetails) -> str:
    message = detail["msg"]
    return message[:1].lower() + message[1:]


def known_keys(schema: Mapping[str, Any], loc: tuple[int | str, ...]) -> list[str]:
    """Return the keys that may stand at `loc`, found in the JSON Schema."""
    node: Mapping[str, Any] = schema
    for step in loc:
        node = step_into(resolve(schema, node), step)
    node = resolve(schema, node)
    forms = [resolve(schema, form) for form in node.get("oneOf", ())]
    return [key for form in (node, *forms) for key in form.get("properties", {})]
