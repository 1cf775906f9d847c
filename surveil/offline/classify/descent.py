"""The learning rate of fine-tuning: small at first and at the end; and the mean of the weights.

Needs the extra `train`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import cos, pi

import torch
from torch import Tensor

_DECAY, _LONGEST = 0.02, 2.0
_WARM = 0.1


class Descent:
    """AdamW on some parameters for a known number of steps."""

    def __init__(self, parameters: Sequence[Tensor], rate: float, steps: int, done: int = 0) -> None:
        """`done`: how many of `steps` were made before an interruption."""
        self._parameters = list(parameters)
        self._rate, self._steps, self._done = rate, steps, done
        # Adam's first steps are of full length whatever the gradient: a good network would forget by them.
        self._warm = max(1.0, _WARM * steps)
        self._optimiser = torch.optim.AdamW(self._parameters, lr=rate, weight_decay=_DECAY)
        self._scaler = torch.amp.GradScaler(enabled=self._parameters[0].is_cuda)
        self._forget()

    def step(self, loss: Tensor) -> None:
        """Make a step down the gradient of `loss`."""
        rate = self._rate * 0.5 * (1 + cos(pi * self._done / self._steps))
        for group in self._optimiser.param_groups:
            group["lr"] = rate * min(1.0, (self._done + 1) / self._warm)
        self._optimiser.zero_grad(set_to_none=True)
        self._scaler.scale(loss).backward()
        self._scaler.unscale_(self._optimiser)
        torch.nn.utils.clip_grad_norm_(self._parameters, _LONGEST)
        self._scaler.step(self._optimiser)
        self._scaler.update()
        self._done += 1
        self._counted += 1
        with torch.no_grad():
            for mean, now in zip(self._means, self._parameters, strict=True):
                mean.lerp_(now, 1 / self._counted)

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Within it the parameters are their means over the steps since the last time.

        The mean lies in the middle of a flat valley that single steps jump about in (P. Izmailov and others,
        *Averaging Weights Leads to Wider Optima and Better Generalization*, 2018).
        """
        with torch.no_grad():
            kept = [now.detach().clone() for now in self._parameters]
            self._set(self._means)
            yield
            self._set(kept)
        self._forget()

    def _set(self, values: Sequence[Tensor]) -> None:
        for parameter, value in zip(self._parameters, values, strict=True):
            parameter.copy_(value)

    def _forget(self) -> None:
        self._means = [now.detach().clone() for now in self._parameters]
        self._counted = 0
