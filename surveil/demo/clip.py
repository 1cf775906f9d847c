"""Writes a scene as a video file."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
from av.video.stream import VideoStream

from surveil.demo.scene import DrawnScene

_SPEED = {
    "libx264": {"preset": "ultrafast", "bf": "0"},
    "libx265": {"preset": "ultrafast", "x265-params": "log-level=error:bframes=0:open-gop=0:scenecut=0"},
}


def write_clip(
    path: Path,
    scene: DrawnScene,
    *,
    codec: str = "libx264",
    gop: int = 30,
    crf: int = 25,
    on_frame: Callable[[int], None] | None = None,
) -> None:
    """Encode `scene` to `path` (container by its suffix). Key frames every `gop` frames and nowhere else.

    `codec`: libx264, libx265 or mjpeg. `on_frame` is called with the number of frames written.
    Raises `av.FFmpegError` or OSError when the file cannot be written.
    """
    with av.open(str(path), "w") as out:
        stream = cast("VideoStream", out.add_stream(codec, rate=scene.fps))
        stream.width, stream.height = scene.size
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.time_base = Fraction(1, scene.fps)
        stream.gop_size = gop
        stream.thread_count = 1
        if codec in _SPEED:
            stream.options = {**_SPEED[codec], "crf": str(crf), "sc_threshold": "0", "keyint_min": str(gop)}
        for i in range(scene.frames):
            frame = av.VideoFrame.from_ndarray(scene.frame(i), format="bgr24")
            frame.pts = i
            out.mux(stream.encode(frame))
            if on_frame is not None:
                on_frame(i + 1)
        out.mux(stream.encode())
