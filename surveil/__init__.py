"""surveil: a video surveillance daemon that says why.

The way of a frame, file by file: `capture/` → `ring` → `pipeline/prepare` → `pipeline/detect` →
`pipeline/analyse` (`engine`: `track/`, `rules/`, `events`) → `pipeline/commit` (`alerts/`).
"""

import os

# From 1.29 on, onnxruntime's Linux wheels look up a telemetry collector at import time and only the
# environment, set before the import, stops them.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__version__ = "0.1.0"
