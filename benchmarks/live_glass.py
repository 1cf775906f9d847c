"""Glass to browser: how old the picture is that a browser shows, beside the camera's own RTSP stream.

    python -m benchmarks.live_glass [--seconds 30] [--size 720p]

Each picture has its number drawn into it as a row of squares. The console plays the camera in a real Chromium, which
notes the number of every picture that it shows, and when. An RTSP client notes when each number arrived. The age is
the time between the two; GOP 1 s, 15 fps. Needs Playwright and Debian's Chromium. Takes a minute.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import sync_playwright

from benchmarks.live import running
from benchmarks.streams import SIZES, cameras, machine

FPS, BITS, SECONDS = 15, 11, 60
SQUARE = 40
"""Pixels: no encoder loses it, and no browser scales it away."""
CHROMIUM = "/usr/bin/chromium"
NOTE = """
([bits, square, width, height]) => {
  const canvas = document.createElement('canvas');
  const context = canvas.getContext('2d', { willReadFrequently: true });
  canvas.width = bits * square;
  canvas.height = square;
  window.noted = [];
  const note = (now, frame) => {
    const video = document.querySelector('video');
    const scale = video.videoWidth / width;
    context.drawImage(video, 0, 0, bits * square * scale, square * scale, 0, 0, bits * square, square);
    const { data } = context.getImageData(0, square / 2, bits * square, 1);
    let number = 0;
    for (let bit = 0; bit < bits; bit += 1) number = 2 * number + (data[4 * (bit * square + square / 2)] > 128 ? 1 : 0);
    noted.push([number, (performance.timeOrigin + frame.expectedDisplayTime) / 1000]);
    video.requestVideoFrameCallback(note);
  };
  document.querySelector('video').requestVideoFrameCallback(note);
}
"""


def numbered(path: Path, size: tuple[int, int]) -> Path:
    """Draw and encode a clip whose pictures have numbers."""
    width, height = size
    grain = np.random.default_rng(3).integers(60, 120, (height, width, 3), np.uint8)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=FPS, options={"preset": "veryfast", "bf": "0"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.gop_size = FPS
        stream.codec_context.time_base = Fraction(1, FPS)
        for number in range(FPS * SECONDS):
            picture = grain.copy()
            for bit in range(BITS):
                is_set = number >> (BITS - 1 - bit) & 1
                picture[:SQUARE, bit * SQUARE : (bit + 1) * SQUARE] = 255 * is_set
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = number
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def number_of(luma: NDArray[np.uint8]) -> int:
    """Read the number of a picture."""
    row = luma[SQUARE // 2, SQUARE // 2 : BITS * SQUARE : SQUARE] > 128
    return int("".join("01"[int(bit)] for bit in row), 2)


class Arrivals(threading.Thread):
    """Notes when each picture of a camera arrives."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self.at: dict[int, list[float]] = {}
        self._url = url
        self.stop = threading.Event()

    def run(self) -> None:
        """Read until `stop`."""
        options = {"rtsp_transport": "tcp", "fflags": "nobuffer", "probesize": "32", "analyzeduration": "0"}
        with av.open(self._url, options=options, timeout=(5.0, 5.0)) as container:
            for packet in container.demux(video=0):
                arrived = time.time()
                for frame in packet.decode():
                    self.at.setdefault(number_of(frame.to_ndarray(format="gray")), []).append(arrived)
                if self.stop.is_set():
                    return


def shown(url: str, seconds: float, size: tuple[int, int]) -> list[tuple[int, float]]:
    """Return the numbers that a browser shows, and when."""
    arguments = ["--no-sandbox", "--disable-dev-shm-usage", "--mute-audio"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        try:
            page = browser.new_page()
            page.goto(f"{url}/console/#/live/c0")
            page.wait_for_selector("video")
            page.wait_for_timeout(5000)
            page.evaluate(NOTE, [BITS, SQUARE, *size])
            page.wait_for_timeout(1000 * seconds)
            return [(int(number), float(at)) for number, at in page.evaluate("noted")]
        finally:
            browser.close()


def main() -> None:
    """Print the row."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--size", choices=SIZES, default="720p")
    options = parser.parse_args()
    size = SIZES[options.size]
    sys.stdout.write(f"{machine()}\n")
    with tempfile.TemporaryDirectory(prefix="surveil-bench-") as name:
        folder = Path(name)
        with cameras(numbered(folder / "clip.mp4", size), 1) as urls, running(folder, urls) as daemon:
            arrivals = Arrivals(urls[0])
            arrivals.start()
            host, port = daemon.address
            noted = shown(f"http://{host}:{port}", options.seconds, size)
            arrivals.stop.set()
            arrivals.join(10)
    ages = [min(at - one for one in arrivals.at[n] if one <= at) for n, at in noted if n in arrivals.at]
    p50, p95 = np.percentile(ages, (50, 95))
    met = "met" if p95 <= 1.5 else "missed"
    told = f"median {p50:.2f} s, p95 {p95:.2f} s ({len(ages)} pictures), {met}"
    sys.stdout.write(f"| age of the picture shown beside the RTSP picture | ≤ 1.5 s | {told} | "
                     "`python -m benchmarks.live_glass` |\n")  # fmt: skip


if __name__ == "__main__":
    main()
