"""Fine-tuning: the same network in PyTorch, better or equal afterwards, resumable, the same when run. Needs torch."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra surveil[train]")

import torch

from surveil.errors import ModelError, StateError
from surveil.features.classify.classifier import Classifier
from surveil.features.classify.preprocess import CropPreprocess
from surveil.offline.classify import dataset
from surveil.offline.classify.descent import Descent
from surveil.offline.classify.features import Backbone, backbone_path
from surveil.offline.classify.finetune import SHARES, TuningStage, finetune
from surveil.offline.classify.head import Head
from surveil.offline.classify.network import Network
from surveil.offline.classify.outcome import evaluate_file
from surveil.offline.classify.prepared import Options, digest, prepare
from tests.train.pictures import draw, fill, no_room

pytestmark = pytest.mark.timeout(300)
FAST = Options(threads=1, preprocess=CropPreprocess(size=64))
STAGES = (TuningStage(14, 1, 3e-4), TuningStage(13, 1, 1e-4))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return dataset.load(fill(tmp_path_factory.mktemp("finetune") / "set", 20))


def test_the_network_in_pytorch_is_the_one_in_onnx():
    batch = np.stack([CropPreprocess(size=96).apply(draw("disc", k)) for k in range(4)])
    rng = np.random.default_rng(0)
    head = Head(rng.normal(0, 0.05, (3, 1392)), rng.normal(0, 1, 3))
    network = Network(backbone_path().read_bytes(), 3)
    network.set_head(head)
    with torch.no_grad():
        mine = network(torch.from_numpy(batch)).numpy()
    assert mine == pytest.approx(head.logits(Backbone(threads=1).features(batch)), abs=1e-4)


def test_what_was_fine_tuned_runs_as_it_was_judged(data, tmp_path):
    made = finetune(data, tmp_path / "shapes.onnx", FAST, stages=STAGES)
    assert made.card.how == "finetune"
    assert len(made.history) == 3
    assert made.share in SHARES
    assert made.evaluation.values()["accuracy"] >= 0.85
    again = evaluate_file(made.path, data).evaluation
    assert again.values() == pytest.approx(made.evaluation.values(), abs=1e-4)
    assert Classifier(made.path).card.labels == ("cross", "disc")
    assert not list(tmp_path.glob("*.checkpoint*"))


def test_an_interrupted_run_goes_on_to_the_same_end(data, tmp_path):
    class PulledPlugError(Exception):
        pass

    def interrupt(what, share):
        if what == "fine-tuning, stage 2, epoch 1" and share == 1.0:
            raise PulledPlugError

    whole = finetune(data, tmp_path / "a" / "x.onnx", FAST, stages=STAGES)
    target = tmp_path / "b" / "x.onnx"
    with pytest.raises(PulledPlugError):
        finetune(data, target, FAST, stages=STAGES, progress=interrupt)
    assert target.with_suffix(".checkpoint.npz").exists()
    resumed = finetune(data, target, FAST, stages=STAGES, resume=True)
    assert resumed.path.read_bytes() == whole.path.read_bytes()


def test_a_checkpoint_of_another_network_data_set_or_seed_is_refused(data, tmp_path):
    target = tmp_path / "x.onnx"
    saved = target.with_suffix(".checkpoint.npz")
    saved.write_bytes(b"no checkpoint")
    with pytest.raises(ModelError, match="cannot be read"):
        finetune(data, target, FAST, resume=True)
    from surveil.offline.classify.checkpoint import Checkpoint

    Checkpoint.new(digest(prepare(data, FAST), FAST)[::-1]).save(saved)
    with pytest.raises(ModelError, match="another training"):
        finetune(data, target, FAST, resume=True)
    other = Checkpoint.new(digest(prepare(data, FAST), FAST))
    other.weights = {"stem.weight": np.zeros((1, 1), np.float32)}
    other.save(saved)
    with pytest.raises(ModelError, match="another network"):
        finetune(data, target, replace(FAST), resume=True)


def test_a_disk_that_is_full_in_mid_training_ends_it_in_words_and_it_can_go_on(data, tmp_path):
    target = tmp_path / "x.onnx"
    with no_room(), pytest.raises(StateError, match="the checkpoint cannot be written"):
        finetune(data, target, FAST, stages=STAGES)
    assert list(tmp_path.iterdir()) == []
    assert finetune(data, target, FAST, stages=STAGES, resume=True).path == target


def test_an_epoch_is_kept_as_the_mean_of_its_steps_and_goes_on_from_the_last():
    weight = torch.nn.Parameter(torch.zeros(3))
    descent = Descent([weight], rate=0.1, steps=6)
    passed = []
    for _ in range(4):
        descent.step((weight - 1).square().sum())
        passed.append(weight.detach().clone())
    with descent.averaged():
        assert weight.detach().numpy() == pytest.approx(torch.stack(passed).mean(0).numpy(), abs=1e-6)
    assert torch.equal(weight, passed[-1])
    descent.step((weight - 1).square().sum())
    last = weight.detach().clone()
    with descent.averaged():
        assert weight.detach().numpy() == pytest.approx(last.numpy(), abs=1e-6)


def test_steps_begin_small_and_end_small():
    weight = torch.nn.Parameter(torch.zeros(1))
    descent = Descent([weight], rate=0.01, steps=50)
    lengths = []
    for _ in range(50):
        before = float(weight.detach())
        descent.step(-weight.sum())
        lengths.append(float(weight.detach()) - before)
    assert lengths[0] < 0.0025
    assert max(lengths) == pytest.approx(0.01, rel=0.1)
    assert lengths[-1] < 0.0005
