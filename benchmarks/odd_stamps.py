"""Cameras whose stamps are wrong beside an honest one: `python -m benchmarks.odd_stamps FOOTAGE`.

The one-by-one clip of the footage in FOOTAGE (six visits) is encoded as a camera would, key frames every 4 s, and
played through the whole pipeline as a live stream in virtual time, whatever the machine has to do beside it. Pictures
arrive at an even pace; only their stamps are odd. Printed of every oddity, decoded on demand and in full: the frames
that were analysed beside those of the honest camera, the visits that were found, the pictures dropped as `behind` or
taken for damaged, and the connections.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.idle_cpu import FILM
from benchmarks.rehearsal import FPS, AsIfLive, Played, Rehearsal, configuration, encode, film
from surveil.capture.settings import StreamSettings
from surveil.capture.source import Arrival
from surveil.clock import ManualClock
from surveil.detect.detector import Detector
from surveil.detect.settings import ModelSettings
from surveil.models.store import ModelStore, open_detector
from surveil.ring import Drop

GOP_S = 4.0
GOP = round(GOP_S * FPS)
PAST_S, FUTURE_S = -9_800.0, 37_600.0
LATER = 20 * FPS
"""The picture from which on a camera that was honest is not: its groups of pictures have been learned by then."""
RULES = [{"type": "presence", "classes": ["person"]}]

Stamps = Callable[[int], float | None]
"""Number of a picture → its stamp, s."""


def _now_and_then(by_s: float, every: int, at: int, begin: int = 0) -> Stamps:
    return lambda n: n / FPS + (by_s if n >= begin and n % every == at else 0.0)


def _from_later_on(rate: float, step_s: float = 0.0) -> Stamps:
    return lambda n: n / FPS if n < LATER else LATER / FPS + step_s + rate * (n - LATER) / FPS


STAMPS: dict[str, Stamps] = {
    "honest": lambda n: n / FPS,
    **{
        f"{rate:g} of real time": (lambda n, rate=rate: rate * n / FPS)
        for rate in (0.4, 0.6, 0.84, 0.94, 0.97, 1.25, 2.0)
    },
    "constant": lambda _n: 7.0,
    "milliseconds": lambda n: n / FPS / 90,
    "none": lambda _n: None,
    "in pairs": lambda n: n // 2 * 2 / FPS,
    "one in 20 in the past": _now_and_then(PAST_S, 20, 13),
    "one in 20 in the future": _now_and_then(FUTURE_S, 20, 13),
    "one in 5 in the past": _now_and_then(PAST_S, 5, 3),
    "each key frame in the past": _now_and_then(PAST_S, GOP, 0),
    "each key frame in the future": _now_and_then(FUTURE_S, GOP, 0),
    "one in 20 in the past, later on": _now_and_then(PAST_S, 20, 13, LATER),
    "one in 20 in the future, later on": _now_and_then(FUTURE_S, 20, 13, LATER),
    "each key frame in the past, later on": _now_and_then(PAST_S, GOP, 0, LATER),
    "each key frame in the future, later on": _now_and_then(FUTURE_S, GOP, 0, LATER),
    "an hour on": _from_later_on(1.0, 3600.0),
    "an hour back": _from_later_on(1.0, -3600.0),
    "0.84 of real time, later on": _from_later_on(0.84),
    "0.4 of real time, later on": _from_later_on(0.4),
    "constant, later on": _from_later_on(0.0),
    "falls by 2³² ticks": _from_later_on(1.0, -(2**32) / 90_000),
}


class OddlyStamped(AsIfLive):
    """A camera that stamps its pictures as it likes."""

    def __init__(
        self, settings: StreamSettings, clock: ManualClock, work: Callable[[], None], stamps: Stamps
    ) -> None:
        super().__init__(settings, clock, work)
        self._stamps = stamps
        self._number = 0

    def read(self) -> Arrival | None:
        """Return the next packet at its true moment, with a stamp that may be wrong."""
        arrival = super().read()
        if arrival is None:
            return None
        stamp = self._stamps(self._number)
        self._number += 1
        ticks = None if stamp is None else round(stamp / self._tick)
        arrival.packet.pts = arrival.packet.dts = ticks
        return arrival._replace(stamp=None if ticks is None else ticks * self._tick)


def play(clip: Path, stamps: Stamps, detector: Detector, decode: str, fps: float) -> Played:
    """Play a clip whose pictures are stamped so."""
    with tempfile.TemporaryDirectory() as folder:
        config = configuration(Path(folder), decode=decode, rules=RULES, detect={"fps": fps})
        rehearsal = Rehearsal(
            config, detector, Path(folder),
            source=lambda settings, clock, work: OddlyStamped(settings, clock, work, stamps),
        )  # fmt: skip
        return rehearsal.play(clip)


def main() -> None:
    """Play every oddity in both ways of decoding."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("footage", type=Path)
    parser.add_argument("--seconds", type=float, default=140.0, help="how much of the clip is played")
    parser.add_argument("--fps", type=float, default=5.0, help="analysed frames a second")
    parser.add_argument("--only", default="", help="a word in the name of the oddity")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        clip = Path(work) / "clip.mp4"
        recording = asked.footage / FILM
        encode(film(recording, asked.seconds), clip, codec="h264", coding="vbr", gop_s=GOP_S, grain=0)
        detector = open_detector(ModelSettings(), ModelStore(Path(work) / "models"))
        for decode in ("full", "auto"):
            honest = play(clip, STAMPS["honest"], detector, decode, asked.fps)
            for name, stamps in STAMPS.items():
                if asked.only in name:
                    _tell(f"{decode} {name}", play(clip, stamps, detector, decode, asked.fps), honest)


def _tell(label: str, played: Played, honest: Played) -> None:
    visits = sum(alert.phase == "start" for alert in played.alerts)
    expected = sum(alert.phase == "start" for alert in honest.alerts)
    print(
        f"{label:46} {'/'.join(played.modes):20} analysed {played.books.processed / honest.books.processed:.3f}, "
        f"{visits} of {expected} visits, {played.books.dropped.get(Drop.BEHIND, 0)} behind, "
        f"{played.damages} damages, {played.connections} connections",
        flush=True,
    )


if __name__ == "__main__":
    main()
