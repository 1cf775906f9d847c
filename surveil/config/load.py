"""Loads a file into a checked `Config`, or reports every mistake in it."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from surveil.config.checks import (
    check_anomaly,
    check_any_camera,
    check_booleans,
    check_clips,
    check_gates_off,
    check_recordings,
    check_references,
    check_streams,
    check_timezones,
    resolve,
)
from surveil.config.classifiers import check_classes, missing_classifiers, state_dir_of
from surveil.config.document import YamlNode, read
from surveil.config.draft import Overlay, draft_file, is_used, lay_over
from surveil.config.file import FileSettings
from surveil.config.problems import Problem, Problems, suggest
from surveil.config.running import Config, build, secret_places
from surveil.config.secrets import LEAST, Secrets
from surveil.detect.labels import COCO, read_labels
from surveil.detect.settings import ModelSettings
from surveil.errors import ConfigError, Mistake, ModelError

_SNIPPET = "x-"
"""Top-level keys that begin so are ignored: a place for anchors."""
_COCO_MODELS = ("efficientdet-lite0",)
_AUTO = "auto"


def load(
    path: Path,
    env: Mapping[str, str] = os.environ,
    *,
    needs_model: bool = False,
    needs_secrets: bool = True,
    classifier: str = "",
    draft: str | None = None,
) -> Config:
    """Read, fill, check and freeze a configuration; `needs_model`: its model must be there, too.

    Without `needs_secrets` a secret that is not at hand is no mistake. Its camera gets an address that leads nowhere,
    and its sink writes to the log only: such a configuration is for looking at what the daemon wrote. Of `classifier`,
    which is being trained or deployed, there is no warning. `draft` takes the place of what the console has drawn, to
    try it before it is kept.

    Raises:
        ConfigError: with all mistakes, each as `file:line: path: what is wrong`. Nothing else: a running daemon
            reads a file that was just edited, and has cameras to watch.
    """
    secrets = Secrets(environ=env, base=path.parent, needed=needs_secrets)
    try:
        return _load(path, secrets, draft, needs_model=needs_model, classifier=classifier)
    except ConfigError:
        raise
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        what = f"a path in it cannot be used: {where}{error.strerror or error}"
    except Exception as error:  # noqa: BLE001 - whatever a library thinks of a file must not end the daemon
        what = (
            f"cannot be checked: {type(error).__name__}: {error}; this is a bug in surveil, please report it"
        )
    raise ConfigError([secrets.mask(f"{path}: {what}")])


def _load(path: Path, secrets: Secrets, draft: str | None, *, needs_model: bool, classifier: str) -> Config:
    problems = Problems(mask=secrets.mask)
    root = read(path, problems)
    if root is None and not problems.found:
        problems.add(0, "", "is empty: write at least 'version: 1'")
    overlay = Overlay(path)
    if root is not None and is_used(root):
        overlay = lay_over(root, draft_file(state_dir_of(root)), draft, problems)
    settings = _check(root, secrets, problems, needs_model=needs_model) if root else None
    if problems.found or root is None or settings is None:
        raise _error(path, problems, secrets, overlay)
    looks = (
        check_any_camera,
        check_streams,
        check_clips,
        check_recordings,
        check_timezones,
        check_anomaly,
        check_gates_off,
    )
    doubtful = [found for look in looks for found in look(root)]
    doubtful += missing_classifiers(root, classifier)
    doubtful += _short_secrets(root, settings, secrets)
    warnings = [Problem(*one).show(str(overlay.place(one[1], path))) for one in doubtful]
    return build(path, settings, secrets, warnings, overlay.paths)


def _short_secrets(root: YamlNode, settings: FileSettings, secrets: Secrets) -> list[tuple[int, str, str]]:
    places = set(secrets.short)
    for steps, value in secret_places(settings):
        node = root.get(*steps)
        if node is not None and 0 < len(value) < LEAST:
            places.add((node.line, node.path))
    text = (
        f"has a secret of fewer than {LEAST} characters: "
        "they are masked in messages wherever they occur, even within words"
    )
    return [(line, path, f"{text}; choose a longer one") for line, path in sorted(places)]


def _error(path: Path, problems: Problems, secrets: Secrets, overlay: Overlay) -> ConfigError:
    found = [(problem, str(overlay.place(problem.path, path))) for problem in sorted(problems.found)]
    mistakes = [
        Mistake(file, problem.line or None, problem.path, secrets.mask(problem.text))
        for problem, file in found
    ]
    return ConfigError([secrets.mask(problem.show(file)) for problem, file in found], mistakes)


def schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of the file, for editors and the reference."""
    made = FileSettings.model_json_schema(mode="validation")
    made["patternProperties"] = {f"^{_SNIPPET}": {"description": "Ignored: a place for YAML anchors."}}
    made["required"] = ["version"]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **made,
        "title": "surveil configuration",
    }


_schema = cache(schema)


def _check(root: YamlNode, secrets: Secrets, problems: Problems, *, needs_model: bool) -> FileSettings | None:
    """Note every mistake; return the settings unless there was one that pydantic saw."""
    if not isinstance(root.value, dict):
        problems.add(
            root.line, "", "must be a mapping of sections such as 'cameras:', not one value or a list"
        )
        return None
    if not _is_supported(root, problems):
        return None
    _drop_snippets(root)
    _drop_empty_sections(root, _schema())
    secrets.fill(root, problems)
    _stand_in(root, secrets.missing)
    _inherit(root)
    check_booleans(root, _schema(), _schema(), problems)
    check_references(root, problems, model_labels(_plain(root.get("model"))))
    check_classes(root, problems)
    if needs_model:
        check_model(root, problems)
    return _validate(root, problems)


def _stand_in(root: YamlNode, missing: Collection[str]) -> None:
    """Put what is valid where a secret is missing, so that the rest of the file is checked and can be used."""
    for section, name in {(*path.split(".")[:2], "")[:2] for path in missing}:
        owner = root.get(section, name)
        if owner is None:
            continue
        if section == "sinks" and isinstance(owner.value, dict):
            owner.value = {"type": YamlNode("log", owner.line, f"{owner.path}.type")}
        for place in (("url",), ("streams", "detect"), ("streams", "record")):
            address = owner.get(*place)
            if section == "cameras" and address is not None and address.path in missing:
                address.value = f"rtsp://unresolved.invalid/{address.path}"


def _is_supported(root: YamlNode, problems: Problems) -> bool:
    """Check the version first: messages about a file of another version would mislead."""
    version = root.get("version")
    if version is None and isinstance(root.value, dict):
        problems.add(1, "version", "is missing: write 'version: 1'")
        root.value["version"] = YamlNode(1, 1, "version")  # so that the rest is checked as well
        return True
    assert version is not None
    if version.value != 1 or isinstance(version.value, bool):
        problems.add(version.line, version.path, f"{version.value!r} is not supported, this release reads 1")
        return False
    return True


def _drop_snippets(root: YamlNode) -> None:
    root.value = {key: child for key, child in root.children.items() if not key.startswith(_SNIPPET)}


def _drop_empty_sections(node: YamlNode, shape: Mapping[str, Any]) -> None:
    """Treat `cameras:` with nothing below as not given: its lines may all be comments."""
    properties = resolve(_schema(), shape).get("properties", {})
    for key, child in list(node.children.items()):
        section = properties.get(key)
        if section is None:
            continue
        if child.value is None and resolve(_schema(), section).get("type") in {"object", "array"}:
            del node.children[key]
        else:
            _drop_empty_sections(child, section)


def _inherit(root: YamlNode) -> None:
    """Merge `defaults` into every camera; a value keeps the line where it was written."""
    defaults, cameras = root.get("defaults"), root.get("cameras")
    for camera in cameras.children.values() if cameras and defaults else ():
        if isinstance(camera.value, dict) and defaults:
            camera.value = _merged(defaults, camera).value


def _merged(below: YamlNode, above: YamlNode) -> YamlNode:
    if not (isinstance(below.value, dict) and isinstance(above.value, dict)):
        return above
    value = dict(below.value)
    for key, child in above.value.items():
        value[key] = _merged(value[key], child) if key in value else child
    return YamlNode(value, above.line, above.path)


def _validate(root: YamlNode, problems: Problems) -> FileSettings | None:
    try:
        return FileSettings.model_validate(_plain(root))
    except ValidationError as error:
        from surveil.config.explain import explain  # noqa: PLC0415 - most files are right

        explain(error, root, _schema(), problems)
        return None


def _plain(node: YamlNode | None) -> Any:
    match node:
        case None:
            return None
        case YamlNode(value=dict() as value):
            return {key: _plain(child) for key, child in value.items()}
        case YamlNode(value=list() as value):
            return [_plain(child) for child in value]
        case YamlNode(value=value):
            return value


def check_model(root: YamlNode, problems: Problems) -> None:
    """Refuse a model, a decoder or a file of labels that is not there."""
    # Only who opens the model waits for its runtime.
    from surveil.detect.decoders import DECODERS  # noqa: PLC0415
    from surveil.models.store import ModelStore  # noqa: PLC0415

    def text(key: str) -> str | None:
        node = root.get("model", key)
        return node.text if node else None

    def add(key: str, message: str) -> None:
        node = root.get("model", key) or root.get("model") or root
        problems.add(node.line, f"model.{key}", message)

    decoder, labels, file = text("decoder") or _AUTO, text("labels"), text("file")
    if decoder not in (_AUTO, *DECODERS):
        add("decoder", f"there is no decoder '{decoder}'{suggest(decoder, (_AUTO, *DECODERS))}")
    try:
        named = {"file": Path(file)} if file else {"name": text("name") or _COCO_MODELS[0]}
        ModelStore(state_dir_of(root) / "models").find(ModelSettings(decoder=decoder, **named))
    except ModelError as error:
        add("file" if file else "name", str(error))
    if labels:
        try:
            read_labels(Path(labels))
        except ModelError as error:
            add("labels", str(error))


def model_labels(model: Any) -> tuple[str, ...]:
    """Return the labels of the model section as written, or () when they are not known without opening it."""
    section = model if isinstance(model, dict) else {}
    if section.get("labels"):
        try:
            return read_labels(Path(str(section["labels"])))
        except ModelError:
            return ()
    known = not section.get("file") and section.get("name", _COCO_MODELS[0]) in _COCO_MODELS
    return COCO if known else ()
