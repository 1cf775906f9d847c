"""Whether two builds give the same alerts: `python -m benchmarks.same_alerts BEFORE AFTER`.

BEFORE and AFTER are source folders (those with `surveil/` in them), or folders that an earlier run wrote with
`--keep FOLDER`. Each build replays vtest, both Intel clips, the bag clip, the film of the demo and the test clips of
UCSD Ped2 through its own `surveil replay`, in a process of its own; of Ped2 the scores of every frame are compared,
too. Footage lies in SURVEIL_FOOTAGE; clips that are missing are skipped. Exit code 1 when anything differs.

`same_alerts.json` says what a comparison overlooks: keys that are left out, keys that were renamed (old to new) and
modules that were moved (old to new). A learned model's name is left out as well: it depends on the time of learning.
Everything else has to be the same to the byte.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from difflib import unified_diff
from pathlib import Path

import yaml

from benchmarks.normality import footage
from surveil.demo.clip import write_clip
from surveil.demo.scene import DrawnScene

HERE = Path(__file__).parent
REPLAYED = 3
"""Clips of a case that are replayed; all of them are scored."""
SHOWN = 20
"""Lines of a difference that are printed."""

YARD = [[0.05, 0.3], [0.95, 0.3], [0.95, 1.0], [0.05, 1.0]]
SCALE = {"points": [[0, 0], [1, 0], [1, 1], [0, 1]], "metres": [[0, 0], [16, 0], [16, 12], [0, 12]]}
OBJECTS = ["person", "car"]
RULES = [
    {"type": "intrusion", "zone": "yard", "classes": OBJECTS, "after_s": 0.5},
    {"type": "presence", "classes": OBJECTS, "cooldown_s": 5.0},
    {"type": "loitering", "zone": "yard", "classes": OBJECTS, "after_s": 8.0},
    {"type": "crowding", "zone": "yard", "classes": OBJECTS, "count": 2, "after_s": 1.0},
    {"type": "line_crossing", "line": "middle", "classes": OBJECTS},
    {"type": "line_crossing", "line": "level", "classes": OBJECTS, "name": "level"},
    {"type": "speed", "zone": "yard", "classes": OBJECTS, "scale": SCALE, "min_kmh": 4.0},
    {"type": "wrong_way", "zone": "yard", "classes": OBJECTS, "way": [[0.0, 0.5], [1.0, 0.5]]},
    {"type": "left_object", "after_s": 8.0},
    {"type": "removed_object", "after_s": 8.0},
    {"type": "picture"},
]


@dataclass(frozen=True, kw_only=True)
class Case:
    """A camera and what it plays."""

    name: str
    videos: tuple[Path, ...]
    rules: list[dict[str, object]] = field(default_factory=lambda: list(RULES))
    camera: dict[str, object] = field(default_factory=dict)
    learn: tuple[Path, ...] = ()
    """Normal footage that a model is learned from before."""

    def configuration(self, state: Path) -> str:
        """Return the configuration as YAML."""
        camera = {
            "url": str(self.videos[0]),
            "zones": {"yard": YARD},
            "lines": {"middle": [[0.5, 0.0], [0.5, 1.0]], "level": [[0.0, 0.6], [1.0, 0.6]]},
            "rules": self.rules,
            "counting": {"enabled": True, "classes": OBJECTS},
            **self.camera,
        }
        return yaml.safe_dump({"version": 1, "cameras": {"yard": camera}, "state_dir": str(state)})


def cases(film: Path) -> Iterator[Case]:
    """Yield what is there to be played."""
    root = footage()
    clips = {
        "vtest": root / "vtest" / "vtest.avi",
        "cars": root / "intel" / "car-detection.mp4",
        "people": root / "intel" / "one-by-one-person-detection.mp4",
        "bag": root / "abandoned_bag" / "video4.avi",
        "film": film,
    }
    ped2 = root / "ucsd_ped2"
    for name, path in {**clips, "ped2": ped2}.items():
        if not path.exists():
            print(f"{name}: skipped, there is no {path}")
    yield from (Case(name=name, videos=(path,)) for name, path in clips.items() if path.exists())
    if ped2.exists():
        yield Case(
            name="ped2",
            videos=tuple(sorted((ped2 / "testing" / "frames").iterdir())),
            rules=[{"type": "anomaly"}, {"type": "picture"}],
            camera={
                "fps": 10,
                "detect": {"fps": 10},
                "normality": {"enabled": True, "learn": "off", "budget": 100},
            },
            learn=tuple(sorted((ped2 / "training" / "frames").iterdir())),
        )


@dataclass(frozen=True, kw_only=True)
class Build:
    """A build's source folder, called through its command line."""

    source: Path
    moved: dict[str, str]

    def surveil(self, *words: object) -> str:
        """Run a command; return what it printed."""
        return self._python("-m", "surveil", *words)

    def scores(self, dataset: Path, model: Path) -> str:
        """Return the scores of every frame of a dataset's clips as JSON lines."""
        return self._python(HERE / "frame_scores.py", dataset, model, json.dumps(self.moved))

    def _python(self, *words: object) -> str:
        # Without the safe path, `-m` would take the build from the current directory.
        place = {"PYTHONPATH": str(self.source.resolve()), "PYTHONSAFEPATH": "1"}
        environment = {**os.environ, **place, "NO_PROGRESS": "1"}
        done = subprocess.run(
            [sys.executable, *map(str, words)],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        if done.returncode:
            sys.exit(f"{self.source}: {' '.join(map(str, words))}: exit code {done.returncode}")
        return done.stdout


def replay(build: Build, case: Case, out: Path) -> None:
    """Write `NAME.alerts.jsonl`, `NAME.counts.json` and, for what was learned, `NAME.scores.jsonl` into `out`."""
    with tempfile.TemporaryDirectory(prefix="same-alerts-") as folder:
        config, alerts = Path(folder, "config.yaml"), Path(folder, "alerts.jsonl")
        config.write_text(case.configuration(Path(folder, "state")))
        if case.learn:
            model = Path(folder, "model.npz")
            build.surveil("normality", "learn", "yard", *case.learn, "-c", config, "--output", model)
            (out / f"{case.name}.scores.jsonl").write_text(
                build.scores(ped2_dataset(case, Path(folder)), model)
            )
        for video in case.videos[:REPLAYED]:
            name = case.name if len(case.videos) == 1 else f"{case.name}-{video.name}"
            counts = build.surveil("replay", video, "-c", config, "--alerts", alerts, "--json")
            (out / f"{name}.counts.json").write_text(counts)
            (out / f"{name}.alerts.jsonl").write_text(alerts.read_text())


def ped2_dataset(case: Case, folder: Path) -> Path:
    """Write the dataset of a case's clips, without labels: only the scores are wanted."""
    document = {"name": case.name, "fps": 10, "normal": [str(p) for p in case.learn],
                "clips": [{"path": str(p)} for p in case.videos]}  # fmt: skip
    path = folder / "dataset.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


def normalised(value: object, renamed: dict[str, str], left_out: frozenset[str]) -> object:
    """Return a JSON value with the new names of keys, without the keys that are left out."""
    if isinstance(value, dict):
        kept = {renamed.get(key, key): value[key] for key in value if key not in left_out}
        return {key: normalised(item, renamed, left_out) for key, item in kept.items()}
    if isinstance(value, list):
        return [normalised(item, renamed, left_out) for item in value]
    return value


def lines(path: Path, mapping: dict[str, object]) -> list[str]:
    """Return a result as lines to compare, keys sorted."""
    renamed = dict(mapping["renamed"])  # type: ignore[call-overload]
    left_out = frozenset(mapping["left_out"])  # type: ignore[arg-type]
    text = path.read_text()
    values = (
        [json.loads(line) for line in text.splitlines()] if path.suffix == ".jsonl" else [json.loads(text)]
    )
    return [json.dumps(normalised(value, renamed, left_out), sort_keys=True) for value in values]


def compare(before: Path, after: Path, mapping: dict[str, object]) -> bool:
    """Print how each result of two folders compares; return whether all are the same."""
    names = sorted({path.name for folder in (before, after) for path in folder.glob("*.json*")})
    same = [_compare(before / name, after / name, mapping) for name in names]
    return bool(names) and all(same)


def _compare(old: Path, new: Path, mapping: dict[str, object]) -> bool:
    if not (old.exists() and new.exists()):
        print(f"{old.name:24} only in {old.parent if old.exists() else new.parent}")
        return False
    a, b = lines(old, mapping), lines(new, mapping)
    if a == b:
        print(f"{old.name:24} the same, {len(a)} lines")
        return True
    difference = list(unified_diff(a, b, str(old), str(new), n=0, lineterm=""))
    print(f"{old.name:24} DIFFERENT, {len(difference)} lines of difference")
    print("\n".join(line[:400] for line in difference[:SHOWN]))
    return False


def results(source: Path, film: Path, out: Path, only: list[str], moved: dict[str, str]) -> Path:
    """Return the folder of a build's results: `source` itself where it holds some, else `out`, filled."""
    if not (source / "surveil").is_dir():
        return source
    out.mkdir(parents=True, exist_ok=True)
    build = Build(source=source, moved=moved)
    for case in cases(film):
        if not only or case.name in only:
            print(f"{source}: {case.name}", flush=True)
            replay(build, case, out)
    return out


def draw_film(path: Path) -> Path:
    """Draw the film of the demo, which every build is to play; this build's drawing is used for all."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_clip(path, DrawnScene.default(seconds=30.0))
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path, nargs="?", help="without it, BEFORE is replayed and kept")
    parser.add_argument("--keep", type=Path, help="write the results of replays here")
    parser.add_argument("--film", type=Path, help="the film of the demo; drawn where it is missing")
    parser.add_argument(
        "--only", action="append", default=[], help="a case: vtest, cars, people, bag, film, ped2"
    )
    parser.add_argument("--mapping", type=Path, default=HERE / "same_alerts.json")
    given = parser.parse_args()
    mapping = json.loads(given.mapping.read_text())
    with tempfile.TemporaryDirectory(prefix="same-alerts-") as temporary:
        keep = given.keep or Path(temporary)
        film = draw_film(given.film or keep / "film.mp4")
        found = [
            results(source, film, keep / name, given.only, mapping["moved"])
            for name, source in (("before", given.before), ("after", given.after))
            if source is not None
        ]
        if len(found) == 2 and not compare(found[0], found[1], mapping):
            sys.exit(1)


if __name__ == "__main__":
    main()
