#!/usr/bin/env bash
# Builds sdist and wheel, the wheel from the sdist, installs it in a bare environment from a folder of packages alone,
# and runs the demo: tests/system/wheel.sh [WORK FOLDER]
set -euo pipefail
cd "$(dirname "$0")/../.."
work=${1:-$(mktemp -d)}
python=${PYTHON:-python3}
index=$work/index
mkdir -p "$index"
"$python" -m venv --clear "$work/tools"
"$work/tools/bin/pip" -q --disable-pip-version-check install build==1.6.1
"$work/tools/bin/python" -m build --outdir "$index" . >/dev/null
ls -l "$index"
"$work/tools/bin/pip" -q --disable-pip-version-check download --only-binary :all: --require-hashes -r requirements/run.txt -d "$index"

"$python" -m venv --clear "$work/bare"
env -u PIP_FIND_LINKS "$work/bare/bin/pip" -q --disable-pip-version-check install --no-index --find-links "$index" surveil-daemon
cd "$work"
"$work/bare/bin/surveil" --version
"$work/bare/bin/surveil" demo --seconds 20
echo "== the wheel from the sdist works without an index"
