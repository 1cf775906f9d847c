#!/usr/bin/env bash
# onvif-zeep-async 4.3.0: importing it configures the root logger, and making a camera removes the proxy variables.
#
# `import onvif` calls logging.basicConfig(level=INFO): from then on every INFO record of the whole process is written to
# stderr, and a later logging.basicConfig of the application does nothing, without a word. ONVIFCamera(...) deletes
# http_proxy and https_proxy from os.environ, for the whole process and its children, before anything is sent.
# Who builds a service on it: configure logging before the import, and keep a copy of the two variables.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q --disable-pip-version-check install onvif-zeep-async==4.3.0 >/dev/null 2>&1
http_proxy=http://192.0.2.1:3128 https_proxy=http://192.0.2.1:3128 "$work/venv/bin/python" - <<'PY'
import asyncio
import logging
import os

root = logging.getLogger()
assert (root.handlers, root.level) == ([], logging.WARNING)
import onvif

print("handlers of the root logger after the import:", root.handlers, "level", logging.getLevelName(root.level))
assert len(root.handlers) == 1 and root.level == logging.INFO
logging.basicConfig(level=logging.ERROR)
assert root.level == logging.INFO, "a later basicConfig counts"


async def main():
    camera = onvif.ONVIFCamera("192.0.2.9", 80, "user", "password")
    await camera.close()


asyncio.run(main())
left = [name for name in ("http_proxy", "https_proxy") if name in os.environ]
print("proxy variables after ONVIFCamera():", left)
assert left == []
PY
echo "as described"
