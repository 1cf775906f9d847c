"""`surveil train --finetune`: the same network from the same weights, trained further with PyTorch.

The network is built from the ONNX file, so that it is the same to the last operation, and its weights go back into
that file: what was trained is what runs. Batch norms are folded into the convolutions already, so small learning
rates and few epochs are the way: the linear head first (on frozen features), then the last blocks, then more of them.

Needs the extra `train`.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from surveil.errors import StateError
from surveil.filesystem import make_folders
from surveil.offline.classify.checkpoint import Checkpoint
from surveil.offline.classify.dataset import PictureSet
from surveil.offline.classify.descent import Descent
from surveil.offline.classify.features import Backbone, backbone_path
from surveil.offline.classify.head import class_weights, losses_of, simplest, temperature
from surveil.offline.classify.network import Network
from surveil.offline.classify.onnxfile import classifier, with_weights
from surveil.offline.classify.outcome import Trained, finish, make_card
from surveil.offline.classify.prepared import Options, Prepared, Progress, digest, prepare, quiet
from surveil.offline.classify.split import TRAIN, VALIDATION
from surveil.offline.classify.trainer import TrainedHead, fit_head
from surveil.offline.classify.views import augment, shrunk
from surveil.types import Bytes, Doubles, Floats


@dataclass(frozen=True, slots=True)
class TuningStage:
    """Some epochs in which the blocks from `first_block` on are trained."""

    first_block: int
    epochs: int
    rate: float


STAGES = (TuningStage(11, 3, 1e-4), TuningStage(5, 4, 6e-5))
BATCH = 16
PATIENCE = 2
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
_SMOOTHING = 0.05
_AHEAD = 2


def finetune(
    data: PictureSet, target: Path, options: Options | None = None, *, stages: tuple[TuningStage, ...] = STAGES,
    device: str = "auto", resume: bool = False, progress: Progress = quiet, network: Path | None = None,
) -> Trained:  # fmt: skip
    """Fine-tune, calibrate, choose the threshold, test, write to `target`.

    `network`: the file to begin with instead of the embedded one, of the same architecture. After each epoch
    `TARGET.checkpoint.npz` is written; `resume` goes on from it. Raises ConfigError for data that cannot be trained
    on, ModelError for a checkpoint of another network, StateError when a file cannot be written.
    """
    options = options or Options()
    original = network or backbone_path()
    ready, where = prepare(data, options, progress), _device(device)
    # The GPU must not wait for pictures to be decoded and varied; on a CPU the network needs the cores.
    workers = options.threads if where.type == "cpu" else (os.cpu_count() or 1)
    with ThreadPoolExecutor(workers, "pictures") as pool:
        run = _Run(ready, options, target, where, progress, original, pool)
        learned = run.begin(resume)
        for number, stage in enumerate(stages):
            run.stage(number, stage)
        return run.end(learned)


def _device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


class _OnDevice:
    """The frozen network where the training runs, for the features that the head is fitted on."""

    def __init__(self, network: Network, device: torch.device) -> None:
        self._network = network
        self._device = device

    def features(self, batch: Bytes) -> Floats:
        """Return float32 (n, d) of prepared pictures uint8 (n, size, size, 3)."""
        with torch.no_grad():
            found = self._network.features(torch.from_numpy(batch).to(self._device))
        return np.asarray(found.cpu().numpy(), np.float32)


class _Run:
    """One training: the network, the optimiser's state and the best weights so far."""

    def __init__(
        self,
        ready: Prepared,
        options: Options,
        target: Path,
        device: torch.device,
        progress: Progress,
        original: Path,
        pool: ThreadPoolExecutor,
    ) -> None:
        torch.manual_seed(options.seed)
        torch.set_num_threads(options.threads)
        self.ready, self.options, self.device, self.progress = ready, options, device, progress
        self.target = target
        self.saved = target.with_suffix(".checkpoint.npz")
        self.path, self.pool = original, pool
        self.original = original.read_bytes()
        self.network = Network(self.original, len(ready.classes)).to(device)
        self.state = Checkpoint.new(digest(ready, options))

    def begin(self, resume: bool) -> TrainedHead:
        """Fit the head on frozen features; or go on where the checkpoint ends."""
        ready, options = self.ready, self.options
        on_cpu = self.device.type == "cpu"
        backbone = Backbone(options.threads, self.path) if on_cpu else _OnDevice(self.network, self.device)
        learned = fit_head(ready, options, backbone, self.progress)
        self.network.set_head(learned.chosen.head)
        self.first = self.network.all_weights()
        if resume and self.saved.exists():
            self.state = Checkpoint.load(self.saved, digest(ready, options))
            self.network.put(self.state.weights)
        else:
            self.state.best = self.first
            self._note(0.0, *self._validated())
        return learned

    def stage(self, number: int, stage: TuningStage) -> None:
        """Train the epochs of a stage that are not done yet; end early when validation gets no better."""
        if self.state.stage > number:
            return
        start = self.state.epoch if self.state.stage == number else 0
        each = ceil(len(self.ready.split.of(TRAIN)) / BATCH)
        parameters = self.network.unfreeze(stage.first_block)
        descent = Descent(parameters, stage.rate, each * stage.epochs, each * start)
        idle = 0
        for epoch in range(start, stage.epochs):
            loss = self._epoch(number, epoch, descent)
            with descent.averaged():
                idle = 0 if self._judge(loss) else idle + 1
            self._save(number, epoch + 1)
            if idle >= PATIENCE:
                break
        self.network.put(self.state.best)
        self._save(number + 1, 0)

    def end(self, learned: TrainedHead) -> Trained:
        """Mix frozen and fine-tuned weights, calibrate, write the file, judge it."""
        share = self._mixed()
        held = self.ready.split.of(VALIDATION)
        honest = self.logits(held)
        warm = temperature(honest, self.ready.labels[held])
        # Everything is chosen: the frozen part of the head may learn from validation now.
        mixed, before, whole = self.network.head(), learned.chosen.head, learned.whole
        self.network.set_head(mixed.moved(before, whole, 1 - share))
        logits = self.logits(range(len(self.ready.data.items)))
        head = self.network.head().cooled(warm)
        logits[held] = honest
        probabilities = torch.softmax(torch.from_numpy(logits / warm), 1).numpy()
        card = make_card(self.ready, self.options, probabilities, self.target.stem, "finetune")
        content = classifier(with_weights(self.original, self.network.weights()), head, card.metadata())
        made = finish(
            self.ready,
            content,
            card,
            self.target,
            probabilities,
            learned.chosen,
            self.options,
            history=tuple(self.state.history),
        )
        self.saved.unlink(missing_ok=True)
        return replace(made, share=share)

    def _mixed(self) -> float:
        """Put a mixture of first and fine-tuned weights; return the share of the latter.

        A mixture is often better than either (M. Wortsman and others, *Robust fine-tuning of zero-shot models*, 2022).
        """
        losses = []
        for share in SHARES:
            self._mix(share)
            losses.append(self._validated()[0])
        share = SHARES[simplest(np.stack(losses), self.ready.split.unit[self.ready.split.of(VALIDATION)])]
        self._mix(share)
        return share

    def _mix(self, share: float) -> None:
        first, best = self.first, self.state.best
        self.network.put(
            {n: (first[n] + np.float32(share) * (best[n] - first[n])).astype(np.float32) for n in best}
        )

    def logits(self, indices: Sequence[int] | NDArray[np.int64]) -> Doubles:
        """Return float64 (n, classes) of pictures as they are."""
        rows = []
        for _, batch in self._batches(np.asarray(indices, np.int64), self._plain):
            with torch.no_grad():
                rows.append(self.network(batch).double().cpu().numpy())
        return np.concatenate(rows)

    def _plain(self, index: int) -> Bytes:
        return self.options.preprocess.apply(self.ready.data.read(self.ready.data.items[index]))

    def _varied(self, index: int, seed: tuple[int, ...]) -> Bytes:
        """Return a variation of a picture: the same for the same seed, whichever thread makes it."""
        picture = shrunk(self.ready.data.read(self.ready.data.items[index]))
        rng = np.random.default_rng([*seed, index])
        return self.options.preprocess.apply(augment(picture, rng, self.options.flip))

    def _epoch(self, number: int, epoch: int, descent: Descent) -> float:
        """Train on one variation of each training picture; return the mean loss."""
        mine = self.ready.split.of(TRAIN)
        weights = np.zeros(len(self.ready.labels), np.float32)
        weights[mine] = class_weights(self.ready.labels[mine], len(self.ready.classes))
        seed = (self.options.seed, number, epoch)
        order = np.random.default_rng(seed).permutation(mine)
        total = done = 0.0
        for chosen, batch in self._batches(order, lambda index: self._varied(index, seed)):
            truth, weight = (
                torch.from_numpy(a[chosen]).to(self.device) for a in (self.ready.labels, weights)
            )
            with torch.autocast(self.device.type, enabled=self.device.type == "cuda"):
                each = functional.cross_entropy(
                    self.network(batch).float(), truth, reduction="none", label_smoothing=_SMOOTHING
                )
                loss = (each * weight).mean()
            descent.step(loss)
            total += float(loss.detach()) * len(chosen)
            done += len(chosen)
            self.progress(f"fine-tuning, stage {number + 1}, epoch {epoch + 1}", done / len(mine))
        return total / len(mine)

    def _batches(
        self, indices: NDArray[np.int64], make: Callable[[int], Bytes]
    ) -> Iterator[tuple[NDArray[np.int64], Tensor]]:
        """Yield pictures in batches on the device; threads prepare two batches ahead of the network."""
        waiting: deque[tuple[NDArray[np.int64], list[Future[Bytes]]]] = deque()
        for start in range(0, len(indices), BATCH):
            chosen = indices[start : start + BATCH]
            waiting.append((chosen, [self.pool.submit(make, int(i)) for i in chosen]))
            if len(waiting) > _AHEAD:
                yield self._taken(*waiting.popleft())
        while waiting:
            yield self._taken(*waiting.popleft())

    def _taken(
        self, chosen: NDArray[np.int64], made: list[Future[Bytes]]
    ) -> tuple[NDArray[np.int64], Tensor]:
        return chosen, torch.from_numpy(np.stack([one.result() for one in made])).to(self.device)

    def _judge(self, train_loss: float) -> bool:
        """Keep the weights when they are the best on validation so far; return whether they are."""
        each, accuracy = self._validated()
        self._note(train_loss, each, accuracy)
        loss = float(each.mean())
        if not loss < self.state.best_loss:  # nor is it when it is no number
            return False
        self.state.best_loss, self.state.best = loss, self.network.all_weights()
        return True

    def _note(self, train_loss: float, each: Doubles, accuracy: float) -> None:
        self.state.history.append((train_loss, float(each.mean()), accuracy))

    def _validated(self) -> tuple[Doubles, float]:
        """Return the loss of each validation picture, and the accuracy."""
        held = self.ready.split.of(VALIDATION)
        truth = self.ready.labels[held]
        logits = self.logits(held)
        # At the best temperature: sharper is not better, and calibration comes afterwards anyway.
        each = losses_of(logits / temperature(logits, truth), truth)
        return each, float((logits.argmax(1) == truth).mean())

    def _save(self, stage: int, epoch: int) -> None:
        self.state.stage, self.state.epoch = stage, epoch
        self.state.weights = self.network.all_weights()
        try:
            make_folders(self.saved.parent)
            self.state.save(self.saved)
        except OSError as error:
            raise StateError(f"{self.saved}: the checkpoint cannot be written: {error.strerror}") from None
