#!/usr/bin/env bash
# PyAV 18.1.0, Linux wheel: its FFmpeg says "LGPL version 3 or later" and was configured with libx264 and libx265.
#
# FFmpeg counts both among the libraries that need --enable-gpl, and a build with that says "GPL". The wheel ships both
# libraries beside it, which are GPL-2.0-or-later; `av.ffmpeg_version_info` and the licence of the package (BSD-3-Clause)
# do not tell. Whoever puts the wheel into an image, a package or an appliance should read the list of its libraries, not
# its metadata.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q --disable-pip-version-check install --only-binary :all: av==18.1.0 >/dev/null 2>&1
"$work/venv/bin/python" - <<'PY'
from importlib.metadata import distribution, metadata

import av._core

about = av._core.library_meta["libavcodec"]
print("libavcodec:", about["license"])
flags = about["configuration"].split()
print("configured with:", [flag for flag in flags if "264" in flag or "265" in flag or "gpl" in flag])
shipped = sorted(file.name for file in distribution("av").files if "x264" in file.name or "x265" in file.name)
print("in the wheel:", shipped)
print("licence of the package:", metadata("av")["License-Expression"])
assert about["license"] == "LGPL version 3 or later"
assert "--enable-libx264" in flags and "--enable-libx265" in flags and "--enable-gpl" not in flags
assert len(shipped) == 2
assert metadata("av")["License-Expression"] == "BSD-3-Clause"
PY
echo "as described"
