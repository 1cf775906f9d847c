#!/usr/bin/env bash
# Ray 2.60.0: a head that is given an address on loopback listens on every address of the machine.
#
# `ray start --head --node-ip-address=127.0.0.2` tells other nodes 127.0.0.2, and its control service (GCS) still accepts
# connections on all interfaces. 127.0.0.1 is not even taken: Ray puts an address that others can reach in its place.
# Whoever reaches that port (and has the token, where token authentication is on) may run programs on the machine.
# Who runs Ray beside something else: a firewall, or IPAddressDeny=any and IPAddressAllow= in the systemd unit, not the
# option, keeps others out.
set -euo pipefail
work=$(mktemp -d)
end() {
  [ -z "${head:-}" ] || { kill "$head" 2>/dev/null || true; wait "$head" 2>/dev/null || true; }
  rm -rf "$work"
}
trap end EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q --disable-pip-version-check install ray==2.60.0 >/dev/null 2>&1
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.2", 0)); print(s.getsockname()[1])')
RAY_AUTH_MODE=disabled RAY_raylet_start_wait_time_s=120 "$work/venv/bin/ray" start --head --block --port="$port" \
  --node-ip-address=127.0.0.2 --include-dashboard=false --disable-usage-stats --num-cpus=1 --temp-dir="$work/ray" \
  --object-store-memory=80000000 --min-worker-port=0 --max-worker-port=0 >"$work/log" 2>&1 &
head=$!
python3 - "$port" <<'PY'
import sys
import time
from pathlib import Path

LISTEN = "0A"
port = int(sys.argv[1])
for _ in range(240):
    found = {
        fields[1].split(":")[0]
        for table in ("tcp", "tcp6")
        for fields in map(str.split, Path("/proc/net", table).read_text().splitlines()[1:])
        if fields[3] == LISTEN and int(fields[1].split(":")[1], 16) == port
    }
    if found:
        break
    time.sleep(0.5)
print("the control service of a head at 127.0.0.2 listens on:", sorted(found))
assert found and all(set(address) == {"0"} for address in found), "it keeps to its address, or did not start"
PY
"$work/venv/bin/python" - <<'PY'
from ray._private.services import resolve_ip_for_localhost

found = resolve_ip_for_localhost("127.0.0.1"), resolve_ip_for_localhost("127.0.0.2")
print("given 127.0.0.1 and 127.0.0.2 it takes:", *found)
assert found[0] != "127.0.0.1" and found[1] == "127.0.0.2"
PY
