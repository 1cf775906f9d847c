#!/usr/bin/env bash
# Builds the image of Containerfile on a stand-in for its base, and starts it. Root, buildah and mmdebstrap are needed.
#
#   tests/system/image.sh [WORK FOLDER]
#
# The stand-in is Debian 12 with Debian's Python 3.11 under the name `python`: no registry is asked.
# CA=FILE: the certificates that pip trusts, where this network has its own.
set -euo pipefail
cd "$(dirname "$0")/../.."
work=${1:-$(mktemp -d)}
ca=${CA:-/etc/ssl/certs/ca-certificates.crt}
mkdir -p "$work"
name=surveil-image-test-$$
store=(--root "$work/storage" --runroot "$work/run" --storage-driver vfs)
b() { local verb=$1; shift; buildah "${store[@]}" "$verb" "$@"; }
server=
finish() {
  # Its process group: buildah does not hand signals on to what it runs.
  [ -z "$server" ] || kill -- "-$server" 2>/dev/null || true
  b rm --all >/dev/null 2>&1 || true
}
trap finish EXIT

if [ ! -e "$work/base.tar" ]; then
  mmdebstrap --quiet --variant=minbase --include=python3,python3-venv,ca-certificates \
    --customize-hook='ln -s python3 "$1/usr/bin/python"' \
    --customize-hook="cp '$ca' \"\$1/etc/ssl/certs/ca-certificates.crt\"" \
    bookworm "$work/base.tar"
fi
base=$(b from scratch)
b add --quiet "$base" "$work/base.tar" / >/dev/null
# The name that Containerfile asks for, in a storage of its own.
b commit --quiet "$base" docker.io/library/python:3.11-slim-bookworm >/dev/null
b rm "$base" >/dev/null

b bud --isolation chroot --pull-never --tag surveil:test --file Containerfile .

image=$(b from --name "$name" surveil:test)
inside() { b run --isolation chroot "$@"; }
size=$(du -sm "$(b mount "$image")/opt/surveil" | cut -f1)
echo "== /opt/surveil in the image: $size MB"

echo "== the demo in the image"
inside "$image" -- surveil demo --seconds 20

echo "== the configuration of compose.yaml in the image, by the image's own entry point and health check"
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
sed "s/^\(  listen: 0.0.0.0:\)9108/\1$port/" compose/config.yaml > "$work/config.yaml"
chmod 0644 "$work/config.yaml"
mapfile -t entry < <(b inspect --format '{{range .OCIv1.Config.Entrypoint}}{{println .}}{{end}}{{range .OCIv1.Config.Cmd}}{{println .}}{{end}}' "$image" | sed '/^$/d')
b config --env SURVEIL_TOKEN=token-of-the-test --env YARD_URL=rtsp://127.0.0.1:9/stream2 "$image"
set -m
inside --volume "$work/config.yaml:/etc/surveil/config.yaml:ro" "$image" -- "${entry[@]}" &
server=$!
set +m
for _ in $(seq 60); do
  kill -0 "$server" || { echo "the daemon ended" >&2; exit 1; }
  if inside "$image" -- python -c "from urllib.request import urlopen; urlopen('http://127.0.0.1:$port/livez', timeout=4)" 2>/dev/null; then
    echo "== /livez answers: the image is built and starts"
    exit 0
  fi
  sleep 1
done
echo "/livez did not answer within a minute" >&2
exit 1
