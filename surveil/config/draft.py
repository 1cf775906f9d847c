"""The console's draft: cameras and sections of cameras in the state directory, which override the file.

A section of a draft replaces the same section of the file; a camera that the draft has alone is one more, and one that
it removes is left out. The file itself is never written: `surveil config adopt` moves a draft into it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from surveil.config.document import Dumper, YamlNode, parse, read
from surveil.config.problems import Problems
from surveil.errors import ConfigError

ADDRESSES = ("url", "streams")
"""Of which a camera has one."""
SECTIONS = (*ADDRESSES, "title", "enabled", "zones", "lines", "masks", "rules")
"""Of a camera, that a draft may have."""
REMOVED = "removed"
"""Set for a camera of the file that is left out."""
Plain = str | int | float | bool | None | list["Plain"] | dict[str, "Plain"]


@dataclass(frozen=True, slots=True)
class Overlay:
    """Where the sections of a tree come from that are not of the file."""

    file: Path
    paths: tuple[str, ...] = ()
    """As `cameras.yard.zones`."""

    def place(self, path: str, file: Path) -> Path:
        """Return the file that a value stands in: the draft's, or the configuration `file`."""
        return self.file if self.covers(path) else file

    def covers(self, path: str) -> bool:
        """Whether a value is of the draft."""
        return any(path == one or path.startswith((f"{one}.", f"{one}[")) for one in self.paths)


def draft_file(state_dir: Path) -> Path:
    """Return where the draft of a state directory is."""
    return state_dir / "console" / "draft.yaml"


def is_used(root: YamlNode) -> bool:
    """Whether a configuration takes a draft: where the console is on."""
    console = root.get("http", "console")
    return console is not None and console.value is True


def lay_over(root: YamlNode, file: Path, text: str | None, problems: Problems) -> Overlay:
    """Lay a draft over a file's tree: the text where it is given, else the draft's file, which need not be there."""
    found = Problems(mask=problems.mask)
    if text is None and not file.exists():
        return Overlay(file)
    draft = read(file, found) if text is None else parse(text, found)
    cameras = draft.get("cameras") if draft else None
    whole = isinstance(root.value, dict)
    if found.found:
        problems.add(0, "", f"the draft of the console cannot be read: {'; '.join(found.show(str(file)))}")
    if not cameras or not whole or found.found:
        return Overlay(file)
    section = root.get("cameras")
    if section is None or not isinstance(section.value, dict):
        section = root.children["cameras"] = YamlNode({}, 0, "cameras")
    laid = [path for name, camera in cameras.children.items() for path in _lay_camera(section, name, camera)]
    return Overlay(file, tuple(laid))


def _lay_camera(section: YamlNode, name: str, camera: YamlNode) -> list[str]:
    """Lay what a draft says of one camera over the file's cameras; return the paths of what is of the draft."""
    owner = section.children.get(name)
    removed = camera.get(REMOVED)
    if removed is not None and removed.value is True:
        return [] if section.children.pop(name, None) is None else [f"cameras.{name}"]
    if owner is None:
        if not any(camera.get(key) for key in ADDRESSES):
            return []  # what was drawn on a camera that the file does not have any more
        owner = section.children[name] = YamlNode({}, camera.line, f"cameras.{name}")
    if not isinstance(owner.value, dict):
        return []
    drawn = {key: found for key in SECTIONS if (found := camera.get(key)) is not None}
    if any(key in drawn for key in ADDRESSES):
        owner.value = {key: child for key, child in owner.value.items() if key not in ADDRESSES}
    owner.value |= drawn
    return [f"cameras.{name}.{key}" for key in drawn]


def read_draft(file: Path) -> dict[str, dict[str, Plain]]:
    """Return the cameras of a draft with their sections; none where there is no draft.

    Raises ConfigError for one that cannot be read, because the next one that is written would lose its content.
    """
    if not file.exists():
        return {}
    problems = Problems()
    root = read(file, problems)
    cameras = root.get("cameras") if root else None
    if problems.found or (root is not None and not (cameras and isinstance(cameras.value, dict))):
        why = problems.show(str(file)) or [f"{file}: has no mapping of cameras"]
        raise ConfigError([f"{line}; correct the draft of the console, or delete it" for line in why])
    return {
        name: {key: plain(value) for key, value in camera.children.items()}
        for name, camera in (cameras.children.items() if cameras else ())
    }


def draft_text(cameras: Mapping[str, Mapping[str, Plain]]) -> str:
    """Return a draft as it is written."""
    kept = {name: dict(sections) for name, sections in cameras.items() if sections}
    return "# Set in the console. `surveil config adopt` moves it into the configuration file.\n" + yaml.dump(
        {"cameras": kept}, Dumper=Dumper, sort_keys=False, allow_unicode=True, default_flow_style=None
    )


def plain(node: YamlNode | None) -> Plain:
    """Return a tree as values."""
    match node:
        case YamlNode(value=dict() as value):
            return {key: plain(child) for key, child in value.items()}
        case YamlNode(value=list() as value):
            return [plain(child) for child in value]
        case YamlNode(value=None | bool() | int() | float() | str() as value):
            return value
    return None
