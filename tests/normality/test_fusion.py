"""What attributes say together, and how much of a say each has after little footage."""

import numpy as np
import pytest

from surveil.features.normality.attributes import NAMES, SHARES
from surveil.features.normality.score import Fusion
from surveil.features.normality.tails import MAX_EPISODES, Tail
from tests.normality.drawn import model


def tail(episodes: float, excess: float = 1.0) -> Tail:
    known = Tail.unknown()
    return Tail(known.knots, excess, episodes)


def fusion(**episodes: float) -> Fusion:
    """Attributes with the same tail, known from so many episodes."""
    return Fusion({name: tail(episodes.get(name, 0.0)) for name in NAMES})


def test_few_episodes_are_less_sure_of_themselves_than_many():
    far = 20.0
    said = [tail(n).surprise(far) for n in (1, 2, 5, 50, 1000)]
    assert said == sorted(said)
    assert said[0] == pytest.approx(1.3 + np.log10(19), abs=0.01)
    assert said[-1] == pytest.approx(1.3 + 18 / np.log(10), rel=0.02), "nearly the exponential tail"


def test_below_the_knee_episodes_make_no_difference():
    assert tail(1).surprise(1.5) == tail(1000).surprise(1.5)


def test_what_lasts_is_one_episode():
    rng = np.random.default_rng(0)
    times = np.arange(1000) / 10
    noise = rng.normal(0, 1, 1000)
    visit = noise + 10 * ((times > 40) & (times < 48))
    visits = noise + 10 * (times % 10 < 0.8)
    assert Tail.fit(visit, times=times).episodes == 1
    assert Tail.fit(visits, times=times).episodes == 10
    assert Tail.fit(noise).episodes == 50


def test_episodes_of_clips_are_apart_although_their_times_begin_anew():
    times = np.concatenate([np.arange(100) / 10, np.arange(100) / 10])
    scores = np.random.default_rng(1).normal(0, 1, 200) + 10 * (times > 9.4)
    assert Tail.fit(scores, times=times).episodes == 2


def test_footage_that_comes_on_top_adds_episodes():
    assert tail(7).mixed(tail(5), 0.5).episodes == 12
    assert tail(MAX_EPISODES).mixed(tail(5), 0.5).episodes == MAX_EPISODES
    assert Tail.fit(np.random.default_rng(2).normal(0, 1, 50_000)).episodes == MAX_EPISODES


def test_weights_are_the_shares_where_all_is_well_known():
    weights = fusion(**dict.fromkeys(NAMES, MAX_EPISODES)).weights
    assert weights == pytest.approx(SHARES, rel=0.08)


def test_an_attribute_of_two_episodes_has_little_say_beside_one_of_a_hundred():
    together = fusion(speed=100, static=2)
    assert together.weights["static"] / SHARES["static"] < 0.35 * together.weights["speed"]
    assert together.weights["speed"] + together.weights["static"] == pytest.approx(
        SHARES["speed"] + SHARES["static"]
    )


def test_little_footage_makes_scores_no_smaller():
    said = dict.fromkeys(("speed", "energy", "stay"), 3.0)
    little, much = (fusion(**dict.fromkeys(said, n)).fuse(said) for n in (3, 300))
    assert little == pytest.approx(much)


def test_weak_hints_add_up_and_what_is_rare_counts_in_full():
    everybody = fusion(**dict.fromkeys(NAMES, 100))
    weak = everybody.fuse({"speed": 1.5, "direction": 1.5, "energy": 1.5, "stay": 1.5})
    assert weak > everybody.fuse({"energy": 3.0})
    assert everybody.fuse({"energy": 4.0}) == pytest.approx(3 * everybody.fuse({"energy": 2.0}))
    assert everybody.fuse({}) == 0.0


def test_the_leading_attribute_is_the_one_that_says_most():
    everybody = fusion(**dict.fromkeys(NAMES, 100))
    assert everybody.leading({"speed": 2.0, "static": 3.0}) == "speed"
    assert everybody.leading({"speed": 0.5, "stay": 4.0}) == "stay"
    assert everybody.leading({"stay": 0.0, "energy": 0.0}) == "energy", "the first by name"


def test_a_model_knows_its_episodes():
    tails = model().model.tails
    assert 1 <= tails["speed"].episodes <= 65 / 3
    assert tails["object"].episodes == 0
