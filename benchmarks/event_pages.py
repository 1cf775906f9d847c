"""The list of a million events: the first page beside the page after row 500,000.

    python -m benchmarks.event_pages [EVENTS]

Exit code 1 unless the two cost the same within a factor of two. The median of 200 pages of 50 events each, alternating.
"""

from __future__ import annotations

import sqlite3
import statistics
import sys
import tempfile
import time
from pathlib import Path

from surveil.alerts.database import run_migrations
from surveil.alerts.history import Cursor, EventFilter, History

ROUNDS = 200
MOST = 2.0
BODY = '{"schema":1,"label":"person","type":"intrusion","key":"yard/person","t":1.0,"t_wall":%d.0,"text":"x"}'


def fill(path: Path, events: int) -> None:
    """Write starts and ends of events of 16 cameras."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode=WAL")
    run_migrations(db)
    db.execute("BEGIN")
    insert = "INSERT INTO alerts VALUES (?, ?, ?, ?, 'intrusion', ?, ?, 0, ?)"
    for n in range(events):
        t_wall = 1_700_000_000 + n
        for step, phase in enumerate(("start", "end")):
            values = (
                2 * n + step + 1,
                f"{n}-{phase}",
                f"{n}",
                f"camera-{n % 16}",
                phase,
                t_wall + 0.5 * step,
            )
            db.execute(insert, (*values, BODY % t_wall))
    db.execute("COMMIT")
    db.close()


def main() -> None:
    """Fill, read, compare."""
    events = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "surveil.db"
        fill(path, events)
        history, middle = History(path), events // 2
        places = {"first page": None, "in the middle": Cursor(1_700_000_000.0 + middle, 2 * middle + 1)}
        worst = 0.0
        for name, wanted in {
            "all": EventFilter(),
            "one camera": EventFilter(cameras=("camera-3",)),
            "a class": EventFilter(label="person"),
            "not judged": EventFilter(judged=False),
        }.items():
            taken: dict[str, list[float]] = {place: [] for place in places}
            for _ in range(ROUNDS):
                for place, after in places.items():
                    began = time.perf_counter()
                    assert len(history.page(wanted, after).events) == 50
                    taken[place].append(time.perf_counter() - began)
            ms = {place: statistics.median(times) * 1000 for place, times in taken.items()}
            ratio = ms["in the middle"] / ms["first page"]
            worst = max(worst, ratio, 1 / ratio)
            print(f"{name:12}" + "".join(f"  {place} {value:.2f} ms" for place, value in ms.items()))
    print(f"worst ratio {worst:.2f}, allowed {MOST}")
    sys.exit(worst > MOST)


if __name__ == "__main__":
    main()
