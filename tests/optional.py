"""Packages of the development group."""

import importlib
import os
from typing import Any

import pytest


def package(name: str) -> Any:
    """Import a package; skip where it is not installed, unless on CI, where it must be."""
    if os.environ.get("CI") == "true":
        return importlib.import_module(name)
    return pytest.importorskip(name, reason=f"not installed: {name}")
