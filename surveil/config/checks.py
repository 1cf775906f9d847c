"""Checks that involve several parts of the configuration file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from surveil.capture.address import device_number
from surveil.config.document import YamlNode
from surveil.config.problems import Problems, suggest
from surveil.detect.settings import DetectSettings, ModelSettings
from surveil.features.registry import RULES
from surveil.rules.base import ObjectRuleSettings
from surveil.rules.movers import ANY
from surveil.vision.crops import round_s

_REFERENCES = (("zone", "zones"), ("line", "lines"))
"""A rule's key (and its plural) → the camera's mapping that the name must be in."""

_SYNONYMS = {
    "person": (
        "people",
        "persons",
        "human",
        "pedestrian",
        "man",
        "woman",
        "men",
        "women",
        "child",
        "somebody",
    ),
    "bicycle": ("bike", "bikes", "cyclist"),
    "motorcycle": ("motorbike", "motorbikes", "moped", "scooter"),
    "car": ("vehicle", "vehicles", "auto", "automobile", "van"),
    "truck": ("lorry", "lorries"),
    "airplane": ("aeroplane", "plane"),
    "couch": ("sofa",),
    "tv": ("television", "tvmonitor", "monitor"),
    "cell phone": ("phone", "mobile phone", "smartphone"),
    "potted plant": ("pottedplant", "plant"),
    "dining table": ("diningtable", "table"),
}
"""What users and other data sets call a class of COCO."""

_TELLING = ("zone", "zones", "line", "lines", "classes", "model", "class", "on")
"""What tells two unnamed rules of one type apart."""
_RECORDING = ("events", "continuous")
_DETECT, _MODEL = DetectSettings(), ModelSettings().name
_COMMON = ((1920, 1080), (3840, 2160))
"""Sizes of pictures for which an example is given."""


def check_references(root: YamlNode, problems: Problems, labels: tuple[str, ...]) -> None:
    """Check the names that one part of the file uses and another defines.

    `labels` are the model's classes; empty when they are not known.
    """
    sinks, schedules = set(_children(root, "sinks")), set(_children(root, "schedules"))
    http = root.get("http")
    if http is not None and (audit := http.get("audit_sink")) is not None and audit.text:
        _check_names(http, "audit_sink", "sinks", sinks, problems)
        sinks -= {audit.text}  # it gets no alerts
    for camera in _children(root, "cameras").values():
        _check_source(camera, problems)
        _check_names(camera, "sinks", "sinks", sinks, problems)
        _check_labels(camera.get("detect", "scores"), labels, problems)
        if counting := camera.get("counting"):
            _check_places(counting, camera, problems, labels)
        rules = camera.get("rules")
        for rule in rules.items if rules else []:
            _check_places(rule, camera, problems, labels)
            _check_names(rule, "schedule", "schedules", schedules, problems)
            _check_names(rule, "sinks", "sinks", sinks, problems)
        _check_rule_names(rules.items if rules else [], problems)


def _check_source(camera: YamlNode, problems: Problems) -> None:
    """Refuse none and two sources; the schema looks for that only where nothing else of the camera is wrong."""
    written = [node for key in ("url", "streams") if (node := camera.get(key)) and node.value is not None]
    if isinstance(camera.value, dict) and len(written) != 1:
        problems.add(camera.line, camera.path, "give either 'url' or 'streams'")


def check_booleans(
    node: YamlNode, shape: Mapping[str, Any], schema: Mapping[str, Any], problems: Problems
) -> None:
    """Refuse `true` where a number is wanted: Python, and so pydantic, would take it for 1."""
    shape = resolve(schema, shape)
    if isinstance(node.value, bool) and shape.get("type") in {"number", "integer"}:
        problems.add(node.line, node.path, f"must be a number, not {str(node.value).lower()}")
    kind = node.get("type")
    if "oneOf" in shape and kind and kind.text:
        shape = resolve(schema, step_into(shape, kind.text))
    below: list[tuple[str | int, YamlNode]] = [*node.children.items(), *enumerate(node.items)]
    for step, child in below:
        check_booleans(child, step_into(shape, step), schema, problems)


def check_any_camera(root: YamlNode) -> list[tuple[int, str, str]]:
    """Return (line, path, text) when no camera is watched: a daemon that is up and sees nothing should say so."""
    cameras = _children(root, "cameras").values()
    if any((enabled := camera.get("enabled")) is None or enabled.value is not False for camera in cameras):
        return []
    section = root.get("cameras")
    why = "every camera is disabled" if cameras else "there is no camera"
    return [(section.line if section else 0, "cameras", f"{why}: nothing is monitored")]


def check_streams(root: YamlNode) -> list[tuple[int, str, str]]:
    """Return (line, path, text) of every camera that reads a stream which another reads too."""
    first: dict[str, str] = {}
    found = []
    for name, camera in _children(root, "cameras").items():
        if (enabled := camera.get("enabled")) and enabled.value is False:
            continue
        for node in (camera.get("url"), camera.get("streams", "detect"), camera.get("streams", "record")):
            if node is None or node.value is None:
                continue
            other = first.setdefault(str(node.value), name)
            if other != name:
                found.append((node.line, node.path, f"the camera '{other}' reads the same stream"))
    return found


def check_clips(root: YamlNode) -> list[tuple[int, str, str]]:
    """Return (line, path, text) of every camera that wants clips and cannot have them, because it hides something."""
    found = []
    for camera in _children(root, "cameras").values():
        clip = camera.get("evidence", "clip")
        if clip is not None and clip.value is True and _hides(camera):
            text = "no clips will be stored: packets cannot be masked, and stored pictures of this camera are"
            found.append((clip.line, clip.path, text))
    return found


def check_recordings(root: YamlNode) -> list[tuple[int, str, str]]:
    """Return (line, path, text) of every camera that shall be recorded and cannot be."""
    found = []
    for camera in _children(root, "cameras").values():
        mode = camera.get("record", "mode")
        why = _unrecorded(camera) if mode is not None and _text(mode) in _RECORDING else ""
        if mode is not None and why:
            found.append((mode.line, mode.path, f"'{camera.path.partition('.')[2]}' is not recorded: {why}"))
    return found


def _unrecorded(camera: YamlNode) -> str:
    """Return why a camera cannot be recorded; empty where it can."""
    if _hides(camera):
        return "packets cannot be masked, and stored pictures of this camera are"
    address = camera.get("streams", "record") or camera.get("streams", "detect") or camera.get("url")
    is_webcam = address is not None and device_number(str(address.value)) is not None
    return "a webcam sends pictures, no packets" if is_webcam else ""


def _hides(camera: YamlNode) -> bool:
    """Whether something of the camera is hidden in what is stored."""
    masks = _children(camera, "masks").values()
    kept = [m for m in masks if m.children and _text(m.get("hide")) != "detect"]
    blurs = camera.get("evidence", "blur_faces")
    return bool(
        kept or camera.get("evidence", "blur_faces_model") or (blurs is not None and blurs.value is True)
    )


def check_timezones(root: YamlNode) -> list[tuple[int, str, str]]:
    """Return (line, path, text) of every schedule that does not say in which time zone its windows are."""
    text = (
        "has no timezone: its windows are in UTC; write for example 'timezone: Europe/Berlin', "
        "or 'timezone: UTC' if that is meant"
    )
    return [
        (schedule.line, schedule.path, text)
        for schedule in _children(root, "schedules").values()
        if schedule.get("timezone") is None
    ]


def check_anomaly(root: YamlNode) -> list[tuple[int, str, str]]:
    """Return (line, path, text) of every `anomaly` rule that can never alert: its camera's normality is not watched."""
    found = []
    for camera in _children(root, "cameras").values():
        enabled, rules = camera.get("normality", "enabled"), camera.get("rules")
        if enabled is not None and enabled.value is True:
            continue
        for rule in rules.items if rules else []:
            if _text(kind := rule.get("type")) == "anomaly" and kind is not None:
                text = "will never alert: add to this camera 'normality: {enabled: true}'"
                found.append((kind.line, kind.path, text))
    return found


def _text(node: YamlNode | None) -> str | None:
    return node.text if node else None


def _children(root: YamlNode, key: str) -> Mapping[str, YamlNode]:
    node = root.get(key)
    return node.children if node else {}


def _check_names(owner: YamlNode, key: str, plural: str, known: set[str], problems: Problems) -> None:
    """Check the names under `key` of something; `plural` is where they are defined."""
    for node in _names(owner, key):
        if node.text not in known:
            text = f"unknown {plural[:-1]} '{node.text}'{_known(plural, node, known)}"
            problems.add(node.line, node.path, text)


def _check_places(owner: YamlNode, camera: YamlNode, problems: Problems, labels: tuple[str, ...]) -> None:
    """Check the zones, lines and classes that a rule or the counting names."""
    for key, plural in _REFERENCES:
        known = set(_children(camera, plural))
        _check_names(owner, key, plural, known, problems)
        _check_names(owner, plural, plural, known, problems)
    _check_labels(owner.get("classes"), (*labels, ANY) if labels and _takes_any(owner) else labels, problems)
    _check_labels(owner.get("ignore"), labels, problems)


def _takes_any(owner: YamlNode) -> bool:
    """Whether it is a rule about objects, for which `any` is a class, too."""
    kind = RULES.get(_text(owner.get("type")) or "")
    return kind is not None and issubclass(kind.settings, ObjectRuleSettings)


def _known(plural: str, node: YamlNode, known: set[str]) -> str:
    return suggest(node.text or "", known) or f": no {plural} are defined"


def _names(owner: YamlNode, key: str) -> Iterator[YamlNode]:
    """Return the strings under `key`, be it one or a list."""
    node = owner.get(key)
    candidates = [] if node is None else node.items or [node]
    return (candidate for candidate in candidates if candidate.text is not None)


def _check_labels(node: YamlNode | None, labels: tuple[str, ...], problems: Problems) -> None:
    if node is None or not labels:
        return
    keys = [(child, key) for key, child in node.children.items()]
    for place, label in keys or [(item, item.text) for item in node.items if item.text is not None]:
        if label not in labels:
            text = f"the model has no class '{label}'{_near(label, labels)}"
            problems.add(place.line, place.path, text)


def _near(label: str, labels: tuple[str, ...]) -> str:
    """Return which class may be meant: by its meaning before its letters, in which `people` is near `apple`."""
    said = {label.lower(), label.lower().removesuffix("s")}
    meant = next((known for known, others in _SYNONYMS.items() if said.intersection(others)), "")
    return f", did you mean '{meant}'?" if meant in labels else suggest(label, labels)


def _check_rule_names(rules: list[YamlNode], problems: Problems) -> None:
    """Refuse a name given twice, and unnamed rules that nothing tells apart: names are in alerts and their ids."""
    seen: dict[object, int] = {}
    for rule in rules:
        named = rule.get("name")
        place = named or rule.get("type")
        if place is None or place.text is None:
            continue
        identity = place.text if named else (place.text, *(_written(rule, key) for key in _TELLING))
        if identity in seen:
            remedy = "names must differ" if named else "give this one a `name`"
            text = f"a rule '{place.text}' like this is already in line {seen[identity]}: {remedy}"
            problems.add(place.line, place.path, text)
        seen.setdefault(identity, rule.line)


def _written(rule: YamlNode, key: str) -> tuple[str | None, ...]:
    return tuple(sorted(str(node.text) for node in _names(rule, key)))


def check_gates_off(root: YamlNode) -> list[tuple[int, str, str]]:
    """Return (line, path, text) of every camera without a motion gate: how long it takes to look everywhere."""
    found, side, cameras = [], _input_px(root), root.get("cameras")
    for camera in cameras.children.values() if cameras else ():
        enabled = camera.get("motion", "enabled")
        if enabled is None or enabled.value is not False:
            continue
        smallest = _number(camera.get("detect", "min_object_px"), _DETECT.min_object_px)
        crops = round(_number(camera.get("detect", "max_crops"), _DETECT.max_crops))
        fps = _number(camera.get("detect", "fps"), _DETECT.fps)
        rounds = (
            f"{round_s(size, side, smallest, crops, fps):.1f} s at {size[0]}x{size[1]}" for size in _COMMON
        )
        text = (
            "every due frame is analysed, whole and in tiles that take turns: with a model input of "
            f"{side} px a round of the tiles takes {', '.join(rounds)}; a higher detect.max_crops shortens it"
        )
        found.append((enabled.line, enabled.path, text))
    return found


def _input_px(root: YamlNode) -> int:
    """Return the side of the model's input as far as the file tells, else that of most models, px."""
    model = root.get("model")
    name = root.get("model", "name")
    is_other = (model is not None and model.get("file") is not None) or (
        name is not None and name.text != _MODEL
    )
    return round(_number(root.get("model", "size"), 640 if is_other else 320))


def _number(node: YamlNode | None, otherwise: float) -> float:
    """Return the number that is written, or `otherwise`."""
    return float(node.value) if node and isinstance(node.value, int | float) else otherwise


def resolve(schema: Mapping[str, Any], node: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follow references, and the one part of `X | null` that is not null."""
    while True:
        if reference := node.get("$ref"):
            node = schema["$defs"][str(reference).rpartition("/")[2]]
        elif others := [part for part in node.get("anyOf", ()) if part.get("type") != "null"]:
            node = others[0]
        else:
            return node


def step_into(node: Mapping[str, Any], step: int | str) -> Mapping[str, Any]:
    """Return the schema of what stands under `step`: a key, an index or the tag of a union."""
    if isinstance(step, int):
        prefix = node.get("prefixItems", ())
        item: Mapping[str, Any] = prefix[step] if step < len(prefix) else node.get("items", {})
        return item
    mapping = node.get("discriminator", {}).get("mapping", {})
    if step in mapping:
        return {"$ref": mapping[step]}
    if step in node.get("properties", {}):
        found: Mapping[str, Any] = node["properties"][step]
        return found
    further = node.get("additionalProperties")
    return further if isinstance(further, dict) else {} if "oneOf" not in node else node
