#!/usr/bin/env bash
# Runs the tests on every other Python that is here: PYTHONS="python3.12 python3.13 ..." tests/system/pythons.sh [TESTS...]
# An interpreter that is missing is named and left out; one whose tests fail fails the script.
set -uo pipefail
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=()
for python in ${PYTHONS:-python3.12 python3.13 python3.14}; do
  if ! command -v "$python" >/dev/null; then
    echo "== $python is not here: not tried"
    continue
  fi
  echo "== $("$python" -V)"
  rm -rf "$work/venv"
  if make VENV="$work/venv" PYTHON="$python" dev && "$work/venv/bin/python" -m pytest "${@:-tests}"; then
    continue
  fi
  failed+=("$python")

done
[ ${#failed[@]} = 0 ] || { echo "failed: ${failed[*]}" >&2; exit 1; }
