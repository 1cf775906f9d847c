"""Rules `classified` and the classifiers that are deployed in the state directory of the file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from surveil.config.document import YamlNode
from surveil.config.file import FileSettings
from surveil.config.problems import Problems, suggest
from surveil.errors import ModelError, StateError

_FIRST = "`surveil train` makes one, `surveil models deploy` puts it into use"


def check_classes(root: YamlNode, problems: Problems) -> None:
    """Refuse a class that the deployed classifier does not know."""
    for model, rule in _rules(root):
        node = rule.get("class")
        try:
            labels = _labels(state_dir_of(root), model)
        except (ModelError, StateError):
            continue
        if labels and node is not None and node.text is not None and node.text not in labels:
            text = f"the classifier '{model.text}' has no class '{node.text}'{suggest(node.text, labels)}"
            problems.add(node.line, node.path, text)


def missing_classifiers(root: YamlNode, but: str = "") -> list[tuple[int, str, str]]:
    """Return (line, path, text) of every rule that sees nothing yet: its classifier is not deployed, or is damaged.

    `but`: the classifier that is being trained or deployed.
    """
    models = [model for model, _ in _rules(root) if model.text != but]
    return [(model.line, model.path, text) for model in models if (text := _why_blind(root, model))]


def _why_blind(root: YamlNode, model: YamlNode) -> str:
    from surveil.features.classify.store import names  # noqa: PLC0415 - as in _labels

    folder = state_dir_of(root)
    try:
        if _labels(folder, model):
            return ""
        known = names(folder)
    except (ModelError, StateError) as error:
        return f"the rule is inactive: {error}"
    hint = suggest(str(model.text), known) if known else ""
    return f"no classifier '{model.text}' is deployed, the rule is inactive until then{hint or f': {_FIRST}'}"


def _rules(root: YamlNode) -> Iterator[tuple[YamlNode, YamlNode]]:
    """Yield the `model` of each rule that has one, and the rule."""
    cameras = root.get("cameras")
    for camera in cameras.children.values() if cameras else ():
        rules = camera.get("rules")
        for rule in rules.items if rules else []:
            kind, model = rule.get("type"), rule.get("model")
            if (
                kind is not None
                and kind.text == "classified"
                and model is not None
                and model.text is not None
            ):
                yield model, rule


def _labels(state_dir: Path, model: YamlNode) -> tuple[str, ...]:
    """Return the classes of a deployed classifier; () when none is. Raises ModelError or StateError."""
    # Who has no such rule need not wait for the runtime of the models.
    from surveil.features.classify.classifier import read_card  # noqa: PLC0415
    from surveil.features.classify.store import ClassifierStore  # noqa: PLC0415

    path = ClassifierStore(state_dir, str(model.text)).path()
    return () if path is None else read_card(path).labels


def state_dir_of(root: YamlNode) -> Path:
    """Return the state directory of a file that is read and not checked."""
    node = root.get("state_dir")
    return Path(str(FileSettings.model_fields["state_dir"].default if node is None else node.value))
