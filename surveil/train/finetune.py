"""`surveil train --finetune`: the same network from the same weights, trained further with PyTorch.

The network is built from the ONNX file, so that it is the same to the last operation, and its weights go back into
that file: what was trained is what runs. Batch norms are folded into the convolutions already, so small learning
rates and few epochs are the way: the linear head first (on frozen features), then the last blocks, then more of them.

Needs the extra `surveil[train]`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from surveil.errors import StateError
from surveil.train.augment import augment
from surveil.train.checkpoint import Checkpoint
from surveil.train.dataset import PictureSet
from surveil.train.features import Backbone, backbone_path
from surveil.train.head import Doubles, Fitted, class_weights, log_loss, temperature
from surveil.train.network import Network
from surveil.train.onnxfile import classifier, with_weights
from surveil.train.split import TRAIN, VALIDATION
from surveil.train.trainer import (
    Options,
    Prepared,
    Progress,
    Trained,
    finish,
    fit_head,
    make_card,
    prepare,
    quiet,
    shrunk,
)
from surveil.types import Bytes


@dataclass(frozen=True, slots=True)
class Stage:
    """Some epochs in which the blocks from `first_block` on are trained."""

    first_block: int
    epochs: int
    rate: float


STAGES = (Stage(11, 3, 1e-4), Stage(5, 4, 6e-5))
BATCH = 16
PATIENCE = 2
BLENDS = (0.25, 0.5, 0.75)
_SMOOTHING, _DECAY = 0.05, 0.02


def finetune(
    data: PictureSet, target: Path, options: Options | None = None, *, stages: tuple[Stage, ...] = STAGES,
    device: str = "auto", resume: bool = False, progress: Progress = quiet,
) -> Trained:  # fmt: skip
    """Fine-tune, calibrate, choose the threshold, test, write to `target`.

    After each epoch `TARGET.checkpoint.npz` is written; `resume` goes on from it. Raises ConfigError for data that
    cannot be trained on, ModelError for a checkpoint of another network, StateError when a file cannot be written.
    """
    options = options or Options()
    run = _Run(prepare(data, options, progress), options, target, _device(device), progress)
    fitted = run.begin(resume)
    for number, stage in enumerate(stages):
        run.stage(number, stage)
    return run.end(fitted)


def _device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


class _Run:
    """One training: the network, the optimiser's state and the best weights so far."""

    def __init__(
        self, ready: Prepared, options: Options, target: Path, device: torch.device, progress: Progress
    ) -> None:
        torch.manual_seed(options.seed)
        torch.set_num_threads(options.threads)
        self.ready, self.options, self.device, self.progress = ready, options, device, progress
        self.target = target
        self.saved = target.with_suffix(".checkpoint.npz")
        self.original = backbone_path().read_bytes()
        self.network = Network(self.original, len(ready.classes)).to(device)
        self.state = Checkpoint.new(ready.data.sha256, options.seed)

    def begin(self, resume: bool) -> Fitted:
        """Fit the head on frozen features; or go on where the checkpoint ends."""
        ready, options = self.ready, self.options
        fitted, _ = fit_head(ready, options, Backbone(options.threads), self.progress)
        self.network.set_head(fitted.head)
        if resume and self.saved.exists():
            self.state = Checkpoint.load(self.saved, ready.data.sha256, options.seed)
            self.network.put(self.state.weights)
        else:
            self._judge(0.0)
            self.state.first = self.state.best
        return fitted

    def stage(self, number: int, stage: Stage) -> None:
        """Train the epochs of a stage that are not done yet; end early when validation gets no better."""
        if self.state.stage > number:
            return
        parameters = self.network.unfreeze(stage.first_block)
        optimiser = torch.optim.AdamW(parameters, lr=stage.rate, weight_decay=_DECAY)
        scaler = torch.amp.GradScaler(enabled=self.device.type == "cuda")
        start = self.state.epoch if self.state.stage == number else 0
        idle = 0
        for epoch in range(start, stage.epochs):
            for group in optimiser.param_groups:
                group["lr"] = stage.rate * 0.5 * (1 + np.cos(np.pi * epoch / stage.epochs))
            loss = self._epoch(number, epoch, parameters, optimiser, scaler)
            idle = 0 if self._judge(loss) else idle + 1
            self._save(number, epoch + 1)
            if idle >= PATIENCE:
                break
        self.network.put(self.state.best)
        self._save(number + 1, 0)

    def end(self, fitted: Fitted) -> Trained:
        """Choose between frozen and fine-tuned weights, calibrate, write the file, judge it."""
        self._blend()
        logits = self.logits(range(len(self.ready.data.items)))
        held = self.ready.split.of(VALIDATION)
        warm = temperature(logits[held], self.ready.labels[held])
        head = self.network.head().cooled(warm)
        probabilities = torch.softmax(torch.from_numpy(logits / warm), 1).numpy()
        card = make_card(self.ready, self.options, probabilities, self.target.stem, "finetune")
        content = classifier(with_weights(self.original, self.network.weights()), head, card.metadata())
        chosen = Fitted(head, fitted.penalty, warm, fitted.losses)
        made = finish(
            self.ready, content, card, self.target, probabilities, chosen, history=tuple(self.state.history)
        )
        self.saved.unlink(missing_ok=True)
        return made

    def _blend(self) -> None:
        """Put the mixture of first and best weights that does best on validation.

        A mixture is often better than either (M. Wortsman and others, *Robust fine-tuning of zero-shot models*, 2022).
        """
        first, best = self.state.first, self.state.best
        for share in BLENDS:
            self.network.put(
                {n: (first[n] + np.float32(share) * (best[n] - first[n])).astype(np.float32) for n in best}
            )
            self._judge(float("nan"), note=False)
        self.network.put(self.state.best)

    def logits(self, indices: Any) -> Doubles:
        """Return float64 (n, classes) of pictures as they are."""
        items = [self.ready.data.items[int(i)] for i in indices]
        rows = []
        for start in range(0, len(items), BATCH):
            pictures = [
                self.options.preprocess.apply(self.ready.data.read(item))
                for item in items[start : start + BATCH]
            ]
            with torch.no_grad():
                rows.append(self.network(self._tensor(pictures)).double().cpu().numpy())
        return np.concatenate(rows)

    def _epoch(self, number: int, epoch: int, parameters: list[Tensor], optimiser: Any, scaler: Any) -> float:
        """Train on one variation of each training picture; return the mean loss."""
        mine = self.ready.split.of(TRAIN)
        weights = (
            torch.from_numpy(class_weights(self.ready.labels[mine], len(self.ready.classes)))
            .float()
            .to(self.device)
        )
        rng = np.random.default_rng([self.options.seed, number, epoch])
        order = rng.permutation(len(mine))
        total = 0.0
        for done, batch in self._batches(order, mine, rng):
            truth = torch.from_numpy(self.ready.labels[mine[done]]).to(self.device)
            with torch.autocast(self.device.type, enabled=self.device.type == "cuda"):
                logits = self.network(batch)
                each = functional.cross_entropy(
                    logits.float(), truth, reduction="none", label_smoothing=_SMOOTHING
                )
                loss = (each * weights[torch.from_numpy(done).to(self.device)]).mean()
            optimiser.zero_grad(set_to_none=True)
            scaler.scale(loss).backward()
            scaler.unscale_(optimiser)
            torch.nn.utils.clip_grad_norm_(parameters, 2.0)
            scaler.step(optimiser)
            scaler.update()
            total += float(loss.detach()) * len(done)
        return total / len(mine)

    def _batches(
        self, order: NDArray[np.int64], mine: NDArray[np.int64], rng: np.random.Generator
    ) -> Iterator[tuple[NDArray[np.int64], Tensor]]:
        data, options = self.ready.data, self.options
        for start in range(0, len(order), BATCH):
            chosen = order[start : start + BATCH]
            pictures = [
                augment(shrunk(data.read(data.items[int(mine[k])])), rng, options.flip) for k in chosen
            ]
            yield chosen, self._tensor([options.preprocess.apply(picture) for picture in pictures])
            self.progress("fine-tuning", min(1.0, (start + BATCH) / len(order)))

    def _tensor(self, pictures: list[Bytes]) -> Tensor:
        return torch.from_numpy(np.stack(pictures)).to(self.device)

    def _judge(self, train_loss: float, note: bool = True) -> bool:
        """Note loss and accuracy on validation; keep the weights when they are the best; return whether they are."""
        held = self.ready.split.of(VALIDATION)
        truth = self.ready.labels[held]
        logits = self.logits(held)
        # At the best temperature: sharper is not better, and calibration comes afterwards anyway.
        loss = log_loss(logits / temperature(logits, truth), truth)
        if note:
            self.state.history.append((train_loss, loss, float((logits.argmax(1) == truth).mean())))
        if loss >= self.state.best_loss:
            return False
        self.state.best_loss, self.state.best = loss, self.network.all_weights()
        return True

    def _save(self, stage: int, epoch: int) -> None:
        self.state.stage, self.state.epoch = stage, epoch
        self.state.weights = self.network.all_weights()
        try:
            self.saved.parent.mkdir(parents=True, exist_ok=True)
            self.state.save(self.saved)
        except OSError as error:
            raise StateError(f"{self.saved}: the checkpoint cannot be written: {error.strerror}") from None
