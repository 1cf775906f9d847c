"""Damaged models of learned normality and damaged descriptions: the daemon's keepers and its start survive them."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

from surveil.clock import ManualClock
from surveil.detect.settings import ModelSettings
from surveil.errors import SurveilError
from surveil.features.normality.keeper import NormalityKeeper
from surveil.features.normality.scene import SceneNormality, Scenes
from surveil.features.normality.settings import NormalitySettings
from surveil.features.normality.store import NormalityStore
from surveil.models.store import ModelStore
from tests.normality.drawn import model
from tests.survival.mutations import mutants

FIELDS = ("sha256", "decoder", "labels", "preprocess", "size", "name", "licence")


def run_normality(folder: Path, seed: int, n: int) -> Counter[str]:
    """Deploy two versions, damage the second, look as the daemon does; the first must then be in use."""
    outcomes: Counter[str] = Counter()
    first = NormalityStore(folder / "sound", "yard")
    for _ in range(2):
        first.deploy(model().model)
    whole = (first.folder / "0002.npz").read_bytes()
    for k, mutant in enumerate(mutants(whole, random.Random(seed), n)):
        store = NormalityStore(folder / f"{k}", "yard")
        store.folder.mkdir(parents=True)
        for name, data in (("0001.npz", whole), ("0002.npz", mutant.data), ("current", b"0002.npz\n")):
            (store.folder / name).write_bytes(data)
        scene = SceneNormality("yard", NormalitySettings(enabled=True, learn="off"))
        scenes = Scenes()
        scenes.put(scene)
        keeper = NormalityKeeper(folder / f"{k}", scenes, lambda _camera, _what: None, ManualClock())
        for _ in range(2):
            keeper.run_once()
        used = store.current()
        loaded = store.load()
        assert loaded is not None, f"seed {seed}, {k}: {mutant.kind} at {mutant.start}: no version is used"
        assert loaded.name == model().name
        assert used == ("0002.npz" if (store.folder / "0002.npz").exists() else "0001.npz")
        outcomes["set aside" if used == "0001.npz" else "as it was"] += 1
    return outcomes


def run_descriptions(folder: Path, file: bytes, seed: int, n: int) -> Counter[str]:
    """Add two models, damage the description of one, find both as a start of the daemon does."""
    outcomes: Counter[str] = Counter()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pets.onnx").write_bytes(file)
    sound = ModelStore(folder / "models")
    for name in ("pets", "others"):
        sound.add(folder / "pets.onnx", name)
    description = folder / "models" / "pets.json"
    whole = description.read_bytes()
    for k, mutant in enumerate(mutants(whole, random.Random(seed), n)):
        description.write_bytes(mutant.data)
        store = ModelStore(folder / "models")
        try:
            found = store.find(ModelSettings(name="pets"))
            store.find(ModelSettings(name="others"))
            store.find(ModelSettings())
        except SurveilError as error:
            raise AssertionError(f"seed {seed}, {k}: {mutant.kind} at {mutant.start}: {error}") from error
        assert found.path == folder / "models" / "pets.onnx"
        outcomes["recognised by its file" if found.decoder == "auto" else "as it was"] += 1
    return outcomes
