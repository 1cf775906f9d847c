#!/usr/bin/env bash
# Prints the CycloneDX bill of materials of a Python environment: packaging/sbom.sh PYTHON
set -euo pipefail
cd "$(dirname "$0")/.."
python=$(realpath -s "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$python" -m pip -q --disable-pip-version-check install --target "$work" cyclonedx-bom==7.5.0 >&2
PYTHONPATH=$work "$python" -m cyclonedx_py environment --pyproject pyproject.toml --output-reproducible --of JSON --output-file - "$python"
