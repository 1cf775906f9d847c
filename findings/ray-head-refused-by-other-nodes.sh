#!/usr/bin/env bash
# Ray 2.60: a head that has died cannot be started again as long as another node's raylet runs on the same machine.
#
# `ray start --head` says "Ray is trying to start at ADDRESS, but is already running at ADDRESS", although nobody listens
# there. It asks no port: it looks for processes on the machine whose command line names the address, and a raylet of
# another node names the head that it belongs to. Such a raylet waits for its head for about a minute, so whoever restarts
# a head at once, with several nodes on one machine (tests, demonstrations), is refused for as long. Ray looks only where
# ray_current_cluster in its folder names the same address: without that file the head starts.
#
# Seen: refused with the file, started without it.
set -euo pipefail
folder=$(mktemp -d)
head=127.0.0.2 port=26411
# Everything of Ray's here has this folder in its command line.
trap 'pgrep -f "$folder/venv" | xargs -r kill -9 || true; rm -rf "$folder"' EXIT

python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" -q --disable-pip-version-check install ray==2.60.0 >/dev/null 2>&1
export RAY_USAGE_STATS_ENABLED=0 RAY_AUTH_MODE=disabled
small=(--disable-usage-stats --num-cpus=1 --num-gpus=0 --object-store-memory=81788928 --block)
begin() { # name, options: start Ray in the background
    setsid "$folder/venv/bin/ray" start "${@:2}" "${small[@]}" >"$folder/$1.log" 2>&1 &
}
until_true() { for _ in $(seq 600); do "$@" && return; sleep 0.2; done; echo "gave up: $*"; exit 1; }
answers() { (exec 3<>"/dev/tcp/$head/$port") 2>/dev/null; }
ours() { pgrep -f "$folder/venv.*$1"; }
start_head() { begin "$1" --head --node-ip-address=$head --port=$port --temp-dir="$folder/ray" --include-dashboard=false; }

start_head head
until_true answers
begin node --address=$head:$port --node-ip-address=127.0.0.3
until_true grep -q "block forever" "$folder/node.log"
for program in "gcs_server" "raylet.*--node_ip_address=$head"; do
    ours "$program" | xargs -r kill -9 || true # the one ends with the other
done
ours "raylet.*--node_ip_address" >/dev/null || { echo "the other node ended at once: this has changed"; exit 1; }
if answers; then echo "somebody still listens at $head:$port"; exit 1; fi

start_head again
# Where this has changed, it gives up after two minutes.
until_true grep "already running at $head:$port" "$folder/again.log"
rm "$folder/ray/ray_current_cluster"
start_head without_file
until_true answers
echo "as described: refused with ray_current_cluster, started without it"
