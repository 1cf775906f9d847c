"""Picture health on sick and on harmless variants of real clips: `python -m benchmarks.health`.

Each variant is 12 s of the clip as it is and 10 s with the effect, at 5 frames/s. Printed: in how many the true
state was raised within 5 s, which other states were, what the harmless ones raised, and the cost of a frame.
"""

from __future__ import annotations

import argparse
import io
import time
from collections import Counter
from collections.abc import Callable, Iterator

import av
import cv2
import numpy as np

from benchmarks.people import Image, footage, read
from surveil.capture.picture import ArrayPicture
from surveil.features.health.picture_health import PictureHealth
from surveil.features.health.settings import HealthSettings
from surveil.vision.motion import plane_size

FPS, LEAD_S, SICK_S, VARIANTS = 5, 12, 10, 20
Effect = Callable[[Image, float], Image]
"""Takes a picture and the seconds since the effect began (below 0: before)."""


def rng_of(i: int) -> np.random.Generator:
    return np.random.default_rng(1000 + i)


def clipped(picture: np.ndarray) -> Image:
    return np.clip(picture, 0, 255).astype(np.uint8)


def clock(picture: Image, t: float) -> Image:
    out = picture.copy()
    cv2.putText(
        out, f"2026-03-01 12:00:{t + 12:05.2f}", (12, 28), cv2.FONT_HERSHEY_SIMPLEX, 0.7, (255, 255, 255), 2
    )
    return out


class Freeze:
    """The same picture for ever; every third with a running clock, every third through an encoder."""

    def __init__(self, i: int) -> None:
        self.kind, self.held, self.rng = i % 3, None, rng_of(i)

    def __call__(self, picture: Image, t: float) -> Image:
        if t >= 0:
            self.held = picture if self.held is None else self.held
            picture = self.held
        return clock(picture, t) if self.kind == 1 else picture


def darken(i: int) -> Effect:
    factor = 0.01 + 0.005 * i
    return lambda p, t: p if t < 0 else clipped(p * factor)


def brighten(i: int) -> Effect:
    gain, lift = 1.0 + 0.1 * i, 235 - i
    return lambda p, t: p if t < 0 else clipped(p.astype(np.float32) * gain * 0.3 + lift)


def blur(i: int) -> Effect:
    sigma = 2 + 6 * i / (VARIANTS - 1)
    return lambda p, t: p if t < 0 else cv2.GaussianBlur(p, (0, 0), sigma)


def cover(i: int) -> Effect:
    """Cover 30 to 100 % from one side with a plain or slightly textured sheet."""
    share, rng = 0.3 + 0.7 * i / (VARIANTS - 1), rng_of(i)
    colour = rng.uniform(40, 210, 3) * rng.uniform(0.7, 1.1)
    grain = cv2.GaussianBlur(rng.normal(0, 12, (1200, 1200, 3)).astype(np.float32), (0, 0), 6) * (i % 3)

    def effect(p: Image, t: float) -> Image:
        if t < 0:
            return p
        h, w = p.shape[:2]
        sheet = clipped(colour + grain[:h, :w])
        out = p.copy()
        across, down = round(w * share), round(h * share)
        where = [np.s_[:, :across], np.s_[:, w - across :], np.s_[:down], np.s_[h - down :]][i % 4]
        out[where] = sheet[where]
        return out

    return effect


def shift(i: int) -> Effect:
    """Turn the camera by 2 to 30 % of the width; what comes into view is the mirrored border."""
    share = 0.02 + 0.28 * i / (VARIANTS - 1)
    angle = rng_of(i).uniform(-0.5, 0.5) + (np.pi if i % 2 else 0)

    def effect(p: Image, t: float) -> Image:
        if t < 0:
            return p
        dx, dy = share * p.shape[1] * np.cos(angle), share * p.shape[1] * np.sin(angle) * 0.5
        move = np.array([[1, 0, dx], [0, 1, dy]], np.float32)
        return cv2.warpAffine(p, move, p.shape[1::-1], borderMode=cv2.BORDER_REFLECT_101)

    return effect


def noise(i: int) -> Effect:
    sigma, rng = 25 + 2.5 * i, rng_of(i)
    bank = rng.normal(0, sigma, (3, 800, 900, 3)).astype(np.float32)
    return lambda p, t: p if t < 0 else clipped(p + grain_of(bank, rng, p.shape))


def grain_of(bank: np.ndarray, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    k, y, x = rng.integers(0, len(bank)), rng.integers(0, 200), rng.integers(0, 100)
    return bank[k, y : y + shape[0], x : x + shape[1]]


SICK: dict[str, Callable[[int], Effect]] = {
    "frozen": Freeze, "dark": darken, "bright": brighten, "blurred": blur, "covered": cover, "moved": shift,
    "noise": noise,
}  # fmt: skip


def gamma(i: int) -> Effect:
    power = 0.7 + 0.6 * i / (VARIANTS - 1)
    table = (255 * (np.arange(256) / 255) ** power).astype(np.uint8)
    return lambda p, t: p if t < 0 else cv2.LUT(p, table)


def light_switch(i: int) -> Effect:
    gain = (0.35 + 0.04 * i) if i % 2 else (1.1 + 0.04 * i)
    return lambda p, t: p if t < 0 else clipped(p * np.float32(gain))


def lamp(i: int) -> Effect:
    """A lamp goes on (or off) whose light falls off from one side."""
    low, high = (0.6, 1.5) if i % 2 else (1.4, 0.6)
    return lambda p, t: (
        p if t < 0 else clipped(p * np.linspace(low, high, p.shape[1], dtype=np.float32)[None, :, None])
    )


def headlights(i: int) -> Effect:
    def effect(p: Image, t: float) -> Image:
        phase = t % 4.0
        if t < 0 or phase > 2.0:
            return p
        h, w = p.shape[:2]
        x = np.arange(w, dtype=np.float32)[None] - w * phase / 2
        y = np.arange(h, dtype=np.float32)[:, None] - h * (0.4 + 0.02 * i)
        glow = (120 + 6 * i) * np.exp(-(x**2) / (0.12 * w) ** 2 - y**2 / (0.2 * h) ** 2)
        return clipped(p + glow[..., None])

    return effect


def rain(i: int) -> Effect:
    rng = rng_of(i)

    def effect(p: Image, t: float) -> Image:
        if t < 0:
            return p
        streaks = np.zeros(p.shape[:2], np.uint8)
        for x, y in rng.integers(0, (p.shape[1], p.shape[0]), (100 + 40 * i, 2)).tolist():
            cv2.line(streaks, (x, y), (x + 3, y + int(rng.integers(10, 30))), 90, 1)
        return cv2.add(p, cv2.merge([cv2.blur(streaks, (2, 2))] * 3))

    return effect


def overlay(_i: int) -> Effect:
    return clock


def night(i: int) -> Effect:
    """Dusk in one step: a third of the light, with the grain that gain brings."""
    rng, gain = rng_of(i), 0.3 + 0.015 * i
    bank = rng.normal(0, 3 + 0.4 * i, (3, 800, 900, 3)).astype(np.float32)
    return lambda p, t: p if t < 0 else clipped(p * np.float32(gain) + 8 + grain_of(bank, rng, p.shape))


def unchanged(_i: int) -> Effect:
    return lambda p, _t: p


HARMLESS: dict[str, Callable[[int], Effect]] = {
    "as it is": unchanged, "gamma": gamma, "light switch": light_switch, "lamp": lamp, "headlights": headlights,
    "rain": rain, "clock": overlay, "night noise": night, "h264 200k": unchanged, "h264 200k from then": unchanged,
}  # fmt: skip


def encoded(pictures: list[Image], bit_rate: int | None, repeat: int = 2) -> list[Image]:
    """Return the pictures after H.264 at `bit_rate` (None: at constant quality), `repeat` times each."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as out:
        stream = out.add_stream("libx264", rate=FPS * repeat)
        stream.width, stream.height = pictures[0].shape[1::-1]
        stream.pix_fmt = "yuv420p"
        options = {"preset": "veryfast", "tune": "zerolatency", "g": "20"}
        if bit_rate:
            stream.bit_rate = bit_rate
            options |= {"maxrate": str(bit_rate), "bufsize": str(bit_rate)}
        stream.options = options if bit_rate else options | {"crf": "25"}
        for picture in pictures:
            for _ in range(repeat):
                out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        out.mux(stream.encode())
    buffer.seek(0)
    with av.open(buffer) as clip:
        return [
            f.to_ndarray(format="bgr24")
            for i, f in enumerate(clip.decode(video=0))
            if i % repeat == repeat - 1
        ]


def affected(frames: list[Image], name: str, effect: Effect, i: int) -> Iterator[tuple[float, Image]]:
    """Yield seconds since the effect and pictures, from a place of the clip that varies with `i`."""
    count = (LEAD_S + SICK_S) * FPS
    start = (i * 37) % max(1, len(frames) - count)
    times = [k / FPS - LEAD_S for k in range(count)]
    pictures = [effect(p, t) for p, t in zip(frames[start : start + count], times, strict=True)]
    if name == "h264 200k" or (name == "frozen" and i % 3 == 2):
        pictures = encoded(pictures, 200_000 if name != "frozen" else None)
    elif name == "h264 200k from then":
        pictures = pictures[: LEAD_S * FPS] + encoded(pictures[LEAD_S * FPS :], 200_000)
    yield from zip(times, pictures, strict=True)


def judge(
    frames: list[Image], name: str, effect: Effect, i: int, cost: list[float]
) -> tuple[dict[str, float], dict[str, float]]:
    """Return when each state was first raised, and the last measures."""
    health, raised = PictureHealth(HealthSettings()), {}
    measures: dict[str, float] = {}
    for t, picture in affected(frames, name, effect, i):
        plane = ArrayPicture(picture).luma(*plane_size(picture.shape[1], picture.shape[0], 40))
        began = time.perf_counter()
        report = health.update(plane, t + 100)
        cost.append(time.perf_counter() - began)
        for state in report.states:
            raised.setdefault(state, t)
        measures = dict(report.measures)
    return raised, measures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--variants", type=int, default=VARIANTS)
    parser.add_argument("--only", default="")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    clips = {
        "vtest": read(footage() / "vtest" / "vtest.avi", 2),
        "one-by-one": read(footage() / "intel" / "one-by-one-person-detection.mp4", 2),
    }
    cost: list[float] = []
    chosen = np.linspace(0, VARIANTS - 1, options.variants).round().astype(int).tolist()
    for clip, frames in clips.items():
        for name, make in {**SICK, **HARMLESS}.items():
            if options.only and name not in options.only.split(","):
                continue
            report(clip, frames, name, make, chosen, cost, options.verbose)
    print(f"cost of a frame: median {np.median(cost) * 1e3:.2f} ms, mean {np.mean(cost) * 1e3:.2f} ms")


def report(
    clip: str,
    frames: list[Image],
    name: str,
    make: Callable[[int], Effect],
    chosen: list[int],
    cost: list[float],
    verbose: bool,
) -> None:
    hits, others = 0, Counter()
    for i in chosen:
        raised, measures = judge(frames, name, make(i), i, cost)
        hits += 0 <= raised.get(name, 99) <= 5.0
        others.update(s for s in raised if s != name)
        if verbose:
            print(
                "   ",
                i,
                {k: round(v, 1) for k, v in raised.items()},
                {k: round(v, 3) for k, v in measures.items()},
            )
    what = f"{hits}/{len(chosen)} raised in 5 s" if name in SICK else "harmless"
    print(f"{clip:11} {name:20} {what:20} others: {dict(others) or 'none'}", flush=True)


if __name__ == "__main__":
    main()
