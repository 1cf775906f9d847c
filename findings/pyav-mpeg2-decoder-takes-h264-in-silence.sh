#!/usr/bin/env bash
# av (PyAV) 18.1.0: behind MPEG-2 in one transport stream, H.264 decodes to nothing, without an error.
#
# Recorders put parts together, and a setting of the camera changes the codec between two of them. FFmpeg's demuxer keeps
# the codec of the first part. Where that is H.264 and H.265 follows, each packet raises InvalidDataError or is logged;
# where it is MPEG-2 and H.264 follows, decode() returns no frames, and but for one line at the seam nothing is logged.
# Who plays recordings: count the packets that give no frame, and open the file again from there on.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q --disable-pip-version-check install av==18.1.0 numpy==2.4.6 >/dev/null 2>&1
"$work/venv/bin/python" - "$work" <<'PY'
import sys
from pathlib import Path

import av
import numpy as np

folder = Path(sys.argv[1])


def part(encoder):
    """Two seconds of a moving square."""
    path = folder / f"{encoder}.ts"
    with av.open(str(path), "w") as out:
        stream = out.add_stream(encoder, rate=25, options={"bf": "0", "x265-params": "log-level=none"})
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for n in range(50):
            picture = np.full((240, 320, 3), 90, np.uint8)
            picture[100:140, 4 * n : 4 * n + 40] = 230
            frame = av.VideoFrame.from_ndarray(picture, "rgb24")
            frame.pts = n
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path.read_bytes()


def played(first, second):
    """Return packets, frames and complaints of two parts put together."""
    path = folder / "whole.ts"
    path.write_bytes(part(first) + part(second))
    packets = frames = complaints = 0
    with av.logging.Capture() as lines, av.open(str(path)) as container:
        for packet in container.demux(video=0):
            packets += packet.size > 0
            lines.clear()
            try:
                frames += len(packet.decode())
            except av.error.FFmpegError:
                complaints += 1
            complaints += any(level <= av.logging.ERROR for level, _, _ in lines)
    return packets, frames, complaints


av.logging.set_level(av.logging.ERROR)
for first, second in (("libx264", "libx265"), ("mpeg2video", "libx264")):
    packets, frames, complaints = played(first, second)
    print(f"{first} then {second}: {packets} packets, {frames} frames, {complaints} complaints")
    silent = complaints < 10
    assert frames <= 60 and packets >= 90, "the second part is decoded"
    assert silent == (first == "mpeg2video"), "complaints are not as described"
PY
echo "as described"
