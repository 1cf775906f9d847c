"""The configuration file: YAML in, frozen values out, and every mistake at once with its line.

`load` reads and checks; `schema` and `reference` describe the format. Settings of a part live beside its
code; `file` puts them together and `running` is what the program sees. Only `app` and `cli` import this.
"""

from __future__ import annotations

from surveil.config.load import load, schema
from surveil.config.running import CameraConfig, Config

__all__ = ["CameraConfig", "Config", "load", "schema"]
