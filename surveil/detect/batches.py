"""Runs pictures in batches: batch sizes, warm-up, one run at a time."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress

import structlog
from onnxruntime import RunOptions

from surveil.clock import Clock
from surveil.detect.letterbox import Tensor
from surveil.detect.session import CPU, ModelSession, zeros
from surveil.detect.spec import InputSpec
from surveil.errors import ModelError

log = structlog.get_logger(__name__)


class Batches:
    """The sizes in which a session is run, and room to put batches together. Any thread may call."""

    def __init__(
        self, session: ModelSession, spec: InputSpec, feeds: Callable[[Tensor], dict[str, Tensor]], most: int,
        clock: Clock,
    ) -> None:  # fmt: skip
        """`feeds`: what the session is given for a batch. `most`: pictures in a batch, on a GPU."""
        self._session = session
        self._spec = spec
        self._feeds = feeds
        self._clock = clock
        self._planned = planned_sizes(spec, session.provider, most)
        self.sizes = self._planned[:1]
        """In use; each has been warmed up. `grow` adds the larger ones."""
        self.workers = 1 if session.provider == CPU else 2
        """How many threads are worth calling: on a GPU one reads the outputs while the other's batch runs."""
        self._buffers: deque[Tensor] = deque(maxlen=self.workers)
        """Room for a full batch, for each thread that puts one together."""
        self._running = threading.Lock()
        self._ends, self._cut = RunOptions(), RunOptions()
        """What ends growing, and the run under way."""
        self._none = _no_run() if session.provider == CPU else None

    @property
    def most(self) -> int:
        """The largest size in use."""
        return self.sizes[-1]

    def run(self, tensors: Sequence[Tensor]) -> tuple[list[Tensor], float]:
        """Run up to a full batch; return the outputs and the seconds, waiting for another thread not included.

        The rest of a batch that is not full is whatever the buffer held; what is said of that is not to be read.
        """
        size = next(b for b in self.sizes if b >= len(tensors))
        if size == 1:
            return self._run_alone(tensors[0][None])
        buffer = self._buffers.pop() if self._buffers else self._nothing(self._planned[-1])
        for slot, tensor in zip(buffer, tensors, strict=False):
            slot[...] = tensor
        outputs, seconds = self._run_alone(buffer[:size])
        self._buffers.append(buffer)
        return outputs, seconds

    def _run_alone(self, batch: Tensor) -> tuple[list[Tensor], float]:
        with self._running:
            started = self._clock.monotonic()
            outputs = self._session.run(self._feeds(batch), self._cut)
            return outputs, self._clock.monotonic() - started

    def warm_up(self) -> list[Tensor]:
        """Run the smallest batch once; return its outputs: a wrong shape shows now, and a GPU makes its plans."""
        return self._try(self.sizes[0])

    def grow(self) -> None:
        """Warm up the larger sizes; each is used as soon as it is ready. Ends early on `stop_growing`.

        Not before the start, because no camera should wait for it: on an H200 the plans of one size took 5 s.
        Meant for a thread of its own. A size that the GPU has no memory for is left out, with all above it.
        """
        for size in self._planned[1:]:
            try:
                self._try(size)
            except ModelError as error:
                if not self._ends.terminate:
                    log.warning("batch size stays limited", most=self.most, why=str(error))
                return
            self.sizes = (*self.sizes, size)

    def free(self) -> None:
        """Free what the CPU's session works with, which is more than its weights; the next run takes it anew."""
        if self._none is None:
            return
        with self._running, suppress(ModelError):
            self._session.run(self._feeds(self._nothing(self.sizes[0])), self._none)

    def stop_growing(self) -> None:
        """Have `grow` return soon."""
        self._ends.terminate = True

    def cut_short(self) -> None:
        """Have the run under way, and each after it, fail at its next operator."""
        self._cut.terminate = True

    def _try(self, size: int) -> list[Tensor]:
        outputs = self._session.run(self._feeds(self._nothing(size)), self._ends)
        if any(len(output) != size for output in outputs):
            raise ModelError(
                f"the model mixes the pictures of a batch: a batch of {size} gave outputs of "
                f"{', '.join(str(output.shape) for output in outputs)}"
            )
        return outputs

    def _nothing(self, size: int) -> Tensor:
        """Return a batch of empty pictures."""
        return zeros((size, *self._spec.shape), self._spec.dtype)


def _no_run() -> RunOptions:
    """Return options of a run that ends before its first operator.

    ONNX Runtime shrinks a session's memory at the end of a run only, also of one that is cut short.
    """
    options = RunOptions()
    options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    options.terminate = True
    return options


def planned_sizes(spec: InputSpec, provider: str, most: int) -> tuple[int, ...]:
    """Return 1, 2, 4, … on a GPU; one by one on a CPU, where batches gain nothing; the graph's own if fixed."""
    if spec.batch is not None:
        return (spec.batch,)
    if provider == CPU:
        return (1,)
    return tuple(2**i for i in range(most.bit_length()) if 2**i <= most)
