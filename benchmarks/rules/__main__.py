"""What rules find, miss and take for an event: `python -m benchmarks.rules [--footage DIR] [--hours N]`.

The labels in `benchmarks/rules/labels` are of footage that is no part of this project (SURVEIL_FOOTAGE, or --footage),
and those of vtest are made of boxes that lie beside it (`boxes.py`);
the drawn films are made here, with their labels. Both go through `surveil evaluate`. Printed: a table for each.
`--keep FOLDER` keeps the films, their labels, and the reports with pictures of what was missed and false.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Collection
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2

from benchmarks.people import footage
from benchmarks.rules.boxes import labelled
from benchmarks.rules.drawn import CAMERAS, DrawnFilm, films

LABELS = Path(__file__).parent / "labels"
COLUMNS = ("recall", "false_per_hour", "p_miss", "delay_s", "f1_operational", "f1_recording")
HEADS = ("", "found", "late", "missed", "false in h", "recall", "false per hour", "P_miss", "delay, s", "F1 alert",
         "F1 recording")  # fmt: skip


def draw(folder: Path, chosen: Collection[str], seeds: range, hours: float) -> None:
    """Write the drawn films and the labels of their suites."""
    suites: dict[str, list[dict[str, object]]] = defaultdict(list)
    for film in films(chosen, seeds, hours):
        write(folder / f"{film.name}.mp4", film)
        labels = {"conditions": list(film.conditions), "events": list(film.events)}
        suites[film.suite].append({"path": f"{film.name}.mp4", **labels})
        print(f"drawn: {film.name}", file=sys.stderr, flush=True)
    for suite, of in suites.items():
        document = {"name": suite, "camera": asdict(CAMERAS[suite]), "films": of}
        (folder / f"{suite}.json").write_text(json.dumps(document))


def write_labels(folder: Path, recordings: Path) -> Path:
    """Write the labels of the footage, those of vtest made of its boxes; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in LABELS.glob("*.yaml"):
        shutil.copy(path, folder)
    boxes = recordings / "vtest" / "pets09_s2l1_gt_every10.txt"
    (folder / "vtest.json").write_text(json.dumps(labelled(LABELS.parent / "vtest.yaml", boxes)))
    return folder


def write(path: Path, film: DrawnFilm) -> None:
    """Encode a film."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream(
            "libx264", rate=Fraction(film.fps), options={"preset": "ultrafast", "crf": "23"}
        )
        stream.pix_fmt = "yuv420p"
        for i, picture in enumerate(film.pictures):
            colour = picture if picture.ndim == 3 else cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR)
            if not i:
                stream.width, stream.height = colour.shape[1::-1]
            frame = av.VideoFrame.from_ndarray(colour, format="bgr24")
            frame.pts, frame.time_base = i, 1 / Fraction(film.fps)
            out.mux(stream.encode(frame))
        out.mux(stream.encode())


def evaluate(suites: Path, recordings: Path, report: Path) -> dict[str, Any]:
    """Return what `surveil evaluate` makes of the suites of a folder."""
    words = ["evaluate", suites, "--footage", recordings, "--report", report, "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "surveil", *map(str, words)], check=True, stdout=subprocess.PIPE, text=True
    )
    return json.loads(done.stdout)


def table(report: dict[str, Any]) -> str:
    """Return the groups as a table in Markdown."""
    rows = [_row(name, group) for name, group in report["groups"].items()]
    return "\n".join(f"| {' | '.join(row)} |" for row in (HEADS, ["---"] * len(HEADS), *rows))


def _row(name: str, group: dict[str, Any]) -> list[str]:
    found, events, hours = group["found"], group["events"], group["hours"]
    counts = [f"{found} of {events}", str(group["late"]), str(group["missed"])]
    false = "" if hours is None else f"{group['false']} in {hours:.3f}"
    return [name, *counts, false, *(_figure(group["figures"][column]) for column in COLUMNS)]


def _figure(estimate: dict[str, float | None]) -> str:
    value, low, high = (estimate[key] for key in ("value", "low", "high"))
    if value is None:
        return ""
    return f"{value:.3g}" + ("" if low is None or high is None else f" ({low:.2g} … {high:.2g})")


def wrong(report: dict[str, Any]) -> list[str]:
    """Return what was missed and what was false, a line for each film that has any."""
    lines = []
    for film in report["films"]:
        missed = [f"{e['rule']} {e['start']:g} s ({e['is']})" for e in film["events"] if e["is"] != "found"]
        false = [f"{a['rule']} {a['t']:g} s {a['key']}" for a in film["alerts"] if a["is"] == "false"]
        if missed or false:
            lines.append(
                f"{film['film']}: missed {', '.join(missed) or 'nothing'}; false {', '.join(false) or 'none'}"
            )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--footage", type=Path, help="default: SURVEIL_FOOTAGE")
    parser.add_argument("--hours", type=float, default=1.0, help="of drawn weather without any event")
    parser.add_argument("--seeds", type=int, default=2, help="of every other drawn film")
    parser.add_argument(
        "--first", type=int, default=0, help="seed of the first: others than 0 were not tuned on"
    )
    parser.add_argument("--only", choices=("footage", "drawn"))
    parser.add_argument("--suites", default=",".join(CAMERAS), help="of drawn films, separated by commas")
    parser.add_argument("--keep", type=Path, help="folder for films, labels and reports")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="rules-") as temporary:
        folder = given.keep or Path(temporary)
        drawn = folder / "drawn"
        drawn.mkdir(parents=True, exist_ok=True)
        if given.only != "drawn":
            recordings = given.footage or footage()
            labels = write_labels(folder / "labels", recordings)
            show("Footage", evaluate(labels, recordings, folder / "report-footage"))
        if given.only != "footage":
            draw(drawn, given.suites.split(","), range(given.first, given.first + given.seeds), given.hours)
            show("Drawn films", evaluate(drawn, drawn, folder / "report-drawn"))


def show(title: str, report: dict[str, Any]) -> None:
    print(f"\n{title}\n\n{table(report)}\n\n" + "\n".join(wrong(report)), flush=True)


if __name__ == "__main__":
    main()
