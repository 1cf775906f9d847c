"""Clips drawn and encoded on the spot: a textured background and a bright square that walks."""

from __future__ import annotations

from collections.abc import Callable, Collection
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.frame import PictureType
from numpy.typing import NDArray

Scene = Callable[[int, int, int], NDArray[np.uint8]]
"""Frame number, width, height → uint8 RGB (height, width, 3)."""

_ENCODERS = {
    "h264": ("libx264", "yuv420p", {"preset": "ultrafast", "tune": "zerolatency", "bf": "0"}),
    "hevc": ("libx265", "yuv420p", {"preset": "ultrafast", "x265-params": "bframes=0:log-level=none"}),
    "mjpeg": ("mjpeg", "yuvj420p", {"huffman": "default"}),
    "mpeg2video": ("mpeg2video", "yuv420p", {"bf": "0"}),
}


def background(width: int, height: int) -> NDArray[np.uint8]:
    """Smooth colour ramps with some texture: what an encoder meets in front of a camera."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    noise = np.random.default_rng(3).normal(0, 6, (height, width)).astype(np.float32)
    planes = [60 + 100 * x / width + noise, 90 + 60 * y / height + noise, 120 - 50 * x / width + noise]
    return np.clip(np.stack(planes, axis=-1), 0, 255).astype(np.uint8)


def walking_square(number: int, width: int, height: int) -> NDArray[np.uint8]:
    """A bright square of a fifth of the height that crosses the picture in 60 frames."""
    picture = background(width, height)
    side = height // 5
    left = (number * width // 60) % (width - side)
    picture[height // 2 : height // 2 + side, left : left + side] = (240, 230, 90)
    return picture


def still(_number: int, width: int, height: int) -> NDArray[np.uint8]:
    """Nothing moves."""
    return background(width, height)


def make_clip(
    path: Path,
    codec: str = "h264",
    size: tuple[int, int] = (320, 240),
    fps: int = 15,
    seconds: float = 2.0,
    gop: int = 15,
    scene: Scene = walking_square,
    options: dict[str, str] | None = None,
    keys: Collection[int] = (),
    no_b: bool = False,
) -> Path:
    """Encode `scene` to `path` with a key frame every `gop` frames and no B-frames; return `path`.

    `keys`: numbers of frames that are key frames, too; they are IDRs with the option `forced-idr`. `no_b`: none is a
    B-frame, though the encoder announces some.
    """
    encoder, pixels, defaults = _ENCODERS[codec]
    with av.open(str(path), "w") as container:
        stream = container.add_stream(encoder, rate=fps, options=defaults | (options or {}))
        stream.width, stream.height = size
        stream.pix_fmt = pixels
        stream.codec_context.gop_size = gop
        stream.codec_context.time_base = Fraction(1, fps)
        for number in range(round(seconds * fps)):
            frame = av.VideoFrame.from_ndarray(scene(number, *size), format="rgb24")
            frame.pts = number
            if number in keys:
                frame.pict_type = PictureType.I
            elif no_b:
                frame.pict_type = PictureType.P
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
