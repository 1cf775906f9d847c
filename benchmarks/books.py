"""Whether both ledgers balance to zero: real footage and a storm through a daemon that is killed again and again.

    python -m benchmarks.books FOOTAGE [--kills 4]

FOOTAGE holds `vtest.avi` and `one-by-one-person-detection.mp4`, anywhere below. Both, and a drawn yard under a dozen
rules and a cap of twenty alerts an hour, are served as cameras to `surveil run`, which is killed with SIGKILL
at random moments while they play (once in full), restarted, and stopped at the end. One of its two sinks is dead.

Printed: for each camera the signals (raised − opened − joined − suppressed − pending) and the events (opened −
committed − withheld − repeated), for each sink the alerts without a state, and what `surveil alerts check` finds.
Exits with 1 unless all are 0. Takes about three minutes.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from surveil.alerts.admin import check
from surveil.clock import Stop, SystemClock
from surveil.demo.clip import write_clip
from surveil.demo.rtp import RtpClip
from surveil.demo.rtsp_server import RtspServer
from surveil.demo.scene import DrawnScene
from tests.integration.books import Signals, deliveries, in_database, on_page
from tests.integration.world import Process, Webhook
from tests.rig.clips import make_clip

FILES = {"vtest": "vtest.avi", "one_by_one": "one-by-one-person-detection.mp4"}
WHOLE = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]
CALM = {
    "zones": {"all": WHOLE},
    "lines": {"middle": [[0.5, 0.0], [0.5, 1.0]]},
    "rules": [
        {"type": "intrusion", "zone": "all"},
        {"type": "intrusion", "name": "again", "zone": "all", "linger_s": 0.5, "cooldown_s": 20},
        {"type": "line_crossing", "line": "middle"},
    ],
}
STORM = {
    "zones": {"all": WHOLE},
    "lines": {f"at{n}": [[n / 12, 0.0], [n / 12, 1.0]] for n in range(2, 11)},
    "rules": [
        *({"type": "line_crossing", "line": f"at{n}"} for n in range(2, 11)),
        *(
            {"type": "intrusion", "name": f"flicker{n}", "zone": "all", "after_s": 0, "linger_s": n / 10}
            for n in (0, 2, 4)
        ),
    ],
}
MAX_PER_HOUR = 20
MORE_S = 10.0
"""How long the daemon runs beyond the longest clip."""


def pictures(path: Path) -> Iterator[NDArray[np.uint8]]:
    """Yield a clip's pictures, uint8 RGB."""
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            yield frame.to_ndarray(format="rgb24")


def as_camera(source: Path, target: Path) -> float:
    """Encode a clip as a camera would, without B-frames; return its length, s."""
    with av.open(str(source)) as container:
        stream = container.streams.video[0]
        fps, size, count = round(stream.average_rate), (stream.width, stream.height), stream.frames
    shown = pictures(source)
    make_clip(target, size=size, fps=fps, seconds=count / fps, gop=fps, scene=lambda *_: next(shown))
    return count / fps


def prepare(footage: Path, folder: Path) -> tuple[dict[str, Path], float]:
    """Return camera → clip, and the length of the longest, s."""
    clips = {name: folder / f"{name}.mp4" for name in (*FILES, "storm")}
    seconds = [as_camera(next(footage.rglob(FILES[name])), clips[name]) for name in FILES]
    write_clip(clips["storm"], DrawnScene.default(seed=1, size=(640, 360), seconds=60.0))
    return clips, max(seconds)


def configured(path: Path, urls: dict[str, str], hook: str) -> Path:
    """Write the configuration; return its path."""
    cameras = {name: {"url": url, **(STORM if name == "storm" else CALM)} for name, url in urls.items()}
    sinks = {
        "live": {"type": "webhook", "url": hook},
        "dead": {"type": "webhook", "url": "http://127.0.0.1:9/"},
    }
    settings = {
        "version": 1,
        "cameras": cameras,
        "sinks": sinks,
        "state_dir": str(path.parent / "state"),
        "http": {"listen": "127.0.0.1:0"},
        "storm": {"max_per_hour": MAX_PER_HOUR},
    }
    path.write_text(json.dumps(settings))
    return path


def live(config: Path, seconds: float, *, killed: bool) -> int:
    """Run the daemon for `seconds` from its first page on; return how many signals its last page leaves unexplained."""
    with Process(config) as daemon:
        try:
            daemon.get("/metrics")
        except AssertionError:
            sys.exit(f"the daemon did not start: {daemon.log.read_text()[-2000:]}")
        SystemClock().sleep(seconds, Stop())
        page = daemon.get("/metrics")[1]
        daemon.end(signal.SIGKILL if killed else signal.SIGTERM)
    return sum(abs(book.unexplained) for book in on_page(page).values())


def by_camera(books: dict[tuple[str, str], Signals]) -> dict[str, Signals]:
    """Add up the rules of each camera."""
    found: dict[str, Signals] = {}
    for (camera, _), book in books.items():
        whole = found.setdefault(camera, Signals())
        whole.of.update(book.of)
        whole.why.update(book.why)
    return found


def report(database: Path) -> int:
    """Print both ledgers and what the check finds; return how far they are from balance in all."""
    books = in_database(database)
    for camera, book in by_camera(books).items():
        n, why = book.of, ", ".join(f"{word} {k:,}" for word, k in book.why.most_common())
        print(
            f"{camera}: {n['raised']:,} signals raised − {n['opened']:,} opened − {n['joined']:,} joined − "
            f"{n['suppressed']:,} suppressed ({why}) = {book.unexplained}; {n['opened']:,} events opened − "
            f"{n['committed']:,} committed − {n['withheld']:,} withheld − {n['repeated']:,} repeated = {book.untold}"
        )
    verdict, off = check(database), 0
    for sink, ways in deliveries(database).items():
        stateless = verdict.alerts - ways["pending"] - ways["delivered"] - ways["dead"]
        print(
            f"sink {sink}: {verdict.alerts:,} alerts − {ways['delivered']:,} delivered − {ways['pending']:,} pending − "
            f"{ways['dead']:,} dead = {stateless}"
        )
        off += abs(stateless)
    print(f"check: {', '.join(verdict.problems) or 'no problems'}")
    return off + len(verdict.problems) + sum(abs(b.unexplained) + abs(b.untold) for b in books.values())


def main() -> None:
    """Serve, run, kill, and read the books."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("footage", type=Path, help="folder with the two clips, anywhere below")
    parser.add_argument("--kills", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        clips, seconds = prepare(options.footage, folder)
        hook = stack.enter_context(Webhook())
        cameras = {name: stack.enter_context(RtspServer(RtpClip(clip))) for name, clip in clips.items()}
        config = configured(folder / "config.yaml", {n: c.url for n, c in cameras.items()}, hook.url)
        moments = sorted(rng.uniform(0.1, 0.9) * (seconds + MORE_S) for _ in range(options.kills))
        ends = [*moments, seconds + MORE_S]
        lives = [end - begin for begin, end in zip([0.0, *moments], ends, strict=True)]
        off = 0
        for i, life in enumerate(lives):
            unexplained = live(config, life, killed=i < options.kills)
            print(
                f"life {i + 1}, {life:.0f} s: {unexplained} signals unexplained on its last page", flush=True
            )
            off += unexplained
        off += report(folder / "state" / "surveil.db")
    print(f"{options.kills} kills, off by {off} in all")
    sys.exit(off != 0)


if __name__ == "__main__":
    main()
