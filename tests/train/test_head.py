"""Choosing on few pictures, and what a head is moved to."""

import numpy as np
import pytest

from surveil.features.classify.preprocess import CropPreprocess
from surveil.offline.classify import dataset
from surveil.offline.classify.features import Backbone
from surveil.offline.classify.head import Head, log_loss, losses_of, simplest
from surveil.offline.classify.prepared import Options, prepare
from surveil.offline.classify.split import TEST, VALIDATION
from surveil.offline.classify.trainer import fit_head
from tests.train.pictures import fill


def test_the_simplest_candidate_that_is_not_surely_worse_is_taken():
    rng = np.random.default_rng(0)
    unit = np.arange(200)
    lucky = rng.uniform(0, 1, (2, 200))
    lucky[1] += lucky[0].mean() - lucky[1].mean() - 0.001
    assert simplest(lucky, unit) == 0
    better = np.stack([lucky[0], lucky[0] - 0.2, lucky[0] - 0.201 - rng.normal(0, 0.05, 200)])
    assert simplest(better, unit) == 1
    assert simplest(better[:1], unit) == 0


def test_pictures_of_one_unit_count_as_one_observation():
    gain, unit = np.zeros(200), np.arange(200)
    gain[:20], gain[20:40] = 1.0, -0.3
    losses = np.stack([gain, np.zeros(200)])
    assert simplest(losses, unit) == 1
    assert simplest(losses, unit // 20) == 0


def test_a_head_moves_a_share_of_the_way():
    zero, two = (Head(np.full((2, 3), v), np.full(2, v)) for v in (0.0, 2.0))
    moved = Head(np.ones((2, 3)), np.ones(2)).moved(zero, two, 0.25)
    assert moved.weights == pytest.approx(1.5)
    assert moved.bias == pytest.approx(1.5)


def test_the_loss_is_the_mean_of_each_pictures():
    logits, labels = np.array([[2.0, 0.0], [0.0, 1.0]]), np.array([0, 0])
    assert losses_of(logits, labels) == pytest.approx([np.log1p(np.exp(-2)), np.log1p(np.exp(1))])
    assert log_loss(logits, labels) == pytest.approx(losses_of(logits, labels).mean())


def test_by_validation_is_chosen_before_it_is_learned_from(tmp_path):
    options = Options(variations=1, threads=1, preprocess=CropPreprocess(size=64))
    ready = prepare(dataset.load(fill(tmp_path / "set", 20)), options)
    learned = fit_head(ready, options, Backbone(threads=1))
    held, tested = ready.split.of(VALIDATION), ready.split.of(TEST)
    found, chosen, whole = learned.probabilities(ready), learned.chosen.head, learned.whole
    assert (found[held] == chosen.probabilities(learned.plain[held])).all()
    assert (found[tested] == whole.probabilities(learned.plain)[tested]).all()
    before, after = (log_loss(h.logits(learned.plain[held]), ready.labels[held]) for h in (chosen, whole))
    assert after < before
