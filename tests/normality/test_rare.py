"""Where nobody ever goes."""

from dataclasses import replace

import numpy as np
import pytest

from surveil.features.normality.attributes import PLACE
from surveil.features.normality.features import Features
from surveil.features.normality.modelfile import fingerprint
from surveil.features.normality.rare import PlaceScorer
from surveil.features.normality.scene import SceneNormality
from surveil.features.normality.settings import NormalitySettings
from surveil.features.normality.tails import KNOTS, Tail
from tests.normality.drawn import FRAME, WALKERS, Walker, frames, model

GRID = (30, 40)
LAWN, PATH = np.s_[3:6, 4:7], np.s_[20:23, 20:23]
HOUR_S = 3600.0


def at(where=None, *, moving: bool = False) -> Features:
    """Features with something at the cells of `where`."""
    zero = np.zeros(GRID, np.float32)
    there = zero.copy()
    if where is not None:
        there[where] = 0.5
    cover, ground = (there, zero) if moving else (zero, there)
    return Features(
        t=0.0, dt=0.1, vx=zero, vy=zero, cover=cover, energy=zero, ground=ground, stay=ground, shape=zero
    )


def scorer(watched_s: float, share: float = 0.1) -> PlaceScorer:
    """A scene in which somebody is on the path for a share of the time."""
    occupied = np.zeros(GRID)
    occupied[18:25] = 10.0 * share * watched_s
    return PlaceScorer(occupied, watched_s)


@pytest.mark.parametrize("moving", [False, True])
def test_where_nobody_was_is_rarer_than_where_people_walk(moving):
    lawn, path = (scorer(HOUR_S).score(at(place, moving=moving)) for place in (LAWN, PATH))
    assert lawn is not None
    assert path is not None
    assert path.raw == pytest.approx(1.0, abs=0.05)
    assert lawn.raw == pytest.approx(np.log10(HOUR_S), abs=0.05)


def test_the_longer_nobody_was_there_the_rarer():
    raw = [scorer(s).score(at(LAWN)).raw for s in (60.0, HOUR_S, 24 * HOUR_S)]
    assert raw == sorted(raw)
    assert raw[-1] - raw[0] > 2


def test_the_rarest_place_counts_and_is_named():
    both = at(PATH)
    both.ground[LAWN] = 0.5
    places = scorer(HOUR_S)
    found = places.score(both)
    assert 3 <= found.cell[0] < 6
    assert found.scores[PATH].max() < found.raw
    assert places.words(found.cell) == "there was never anything here in 60 minutes"
    assert places.words((21, 21)) == "there was something here for 6 minutes of 60 minutes only"


def test_nobody_is_nowhere():
    assert scorer(HOUR_S).score(at()) is None


def test_beside_the_path_is_less_rare_than_far_from_it():
    near, far = (scorer(HOUR_S).score(at(place)).raw for place in (np.s_[17, 20], np.s_[10, 20]))
    assert near < far - 1


def test_without_footage_no_place_is_rare():
    assert PlaceScorer(np.zeros(GRID), 0.0).score(at(LAWN)).raw == 0.0


def test_somebody_on_the_lawn_is_told_from_somebody_on_the_path():
    """With the pace and the size that are usual: nothing but the place is not."""
    settings = NormalitySettings(enabled=True, learn="off")
    said = {}
    for name, row in (("lawn", 28), ("path", 130)):
        scene = SceneNormality("yard", settings, model(), explain=True)
        walkers = (*WALKERS, Walker(40, row, 18))
        results = [
            scene.observe(plane, t, 1.7e9, FRAME) for plane, t in frames(3, walkers=walkers, start=200)
        ]
        said[name] = np.mean([r.surprise.get(PLACE, 0.0) for r in results[10:]])
    assert said["lawn"] > said["path"] + 0.5


def test_an_alarm_about_a_place_shows_it():
    """With a tail of the place that is well known, and low: nothing else contributes as much."""
    low = Tail(np.linspace(0.0, 0.5, KNOTS, dtype=np.float32), 0.1, 1000.0)
    loaded = fingerprint(replace(model().model, tails={**model().model.tails, PLACE: low}))
    settings = NormalitySettings(enabled=True, learn="off")
    scene = SceneNormality("yard", settings, loaded, explain=True)
    walkers = (Walker(40, 28, 18),)
    results = [scene.observe(plane, t, 1.7e9, FRAME) for plane, t in frames(3, walkers=walkers, start=200)]
    why = results[-1].explanation
    assert why.attribute == PLACE
    assert why.words.startswith("there was never anything here in ")
    assert why.box[3] < 90
    assert why.heat.shape == (30, 40)
    assert why.example is not None
