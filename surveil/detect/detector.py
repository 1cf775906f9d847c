"""The detector: pictures in, objects out, on one ONNX model that all cameras share."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np

from surveil.clock import Clock, SystemClock
from surveil.detect import labels as names
from surveil.detect.canary import Canary, best_time, same, test_picture
from surveil.detect.decoders import DECODERS
from surveil.detect.decoders.base import Decoder
from surveil.detect.letterbox import Crop, Fit, Look, Tensor, letterbox, write
from surveil.detect.merge import merge
from surveil.detect.nms import suppress
from surveil.detect.recognise import SIZES_INPUT, build, choose, chosen_preprocess, input_spec, sizes_input
from surveil.detect.session import CPU, RunOn, Session, zeros
from surveil.detect.settings import ModelSettings
from surveil.detect.spec import InputSpec, ModelFile
from surveil.errors import ModelError
from surveil.types import Detections, Floats, Picture

FLOOR = 0.1
"""Nothing less sure leaves the detector; the tracker has its own, higher limits."""


class Detector:
    """A loaded model. `prepare` may be called by any thread; `detect` by one at a time.

    Tensors are lent out by `prepare` and come back in `detect`, so that none is allocated twice.
    """

    def __init__(self, model: ModelFile, settings: ModelSettings, clock: Clock | None = None) -> None:
        """Load, recognise, warm up and prove. Raises ModelError."""
        self.name = model.name
        self._clock = clock or SystemClock()
        self._overlap = settings.overlap
        where = RunOn(
            settings.provider, settings.require_gpu, settings.gpu, settings.gpu_memory_mb, settings.threads
        )
        self._session = Session(model.path, where)
        self.provider = self._session.provider
        self.input, self.decoder, self._decode = read_graph(self._session, model, settings)
        self.labels = names.complete(model.labels, self._session.graph.metadata, self._decode.classes)
        self._sizes = sizes_input(self._session.graph)
        self._floors: Floats = np.full(len(self.labels), FLOOR, np.float32)
        self._pool: deque[Tensor] = deque()
        self._batches = _batches(self.input, settings.max_batch) if self.provider != CPU else (1,)
        self._inputs = {n: zeros((n, *self.input.shape), self.input.dtype) for n in self._batches if n > 1}
        self._warm_up()
        self.canary = self._prove(model, settings)

    @property
    def most_frames(self) -> int:
        """How many frames pay to be taken at once: batches gain nothing on a CPU."""
        return self._batches[-1]

    def prepare(self, picture: Picture, crop: Crop) -> Look:
        """Fit a part of a picture into a tensor that is lent until `detect` has seen it."""
        try:
            tensor = self._pool.pop()
        except IndexError:
            tensor = zeros(self.input.shape, self.input.dtype)
        where = letterbox(self.input, picture, crop, tensor)
        return Look(tensor, where, (picture.width, picture.height))

    def detect(self, frames: Sequence[Sequence[Look]]) -> list[Detections]:
        """Return the objects of each frame, in px of the frame, given the parts that were looked at.

        Raises ModelError when the model fails.
        """
        looks = [look for frame in frames for look in frame]
        found = self._infer([look.tensor for look in looks])
        self._pool.extend(look.tensor for look in looks)
        parts = iter(zip((look.fit for look in looks), found, strict=True))
        return [self._merged([next(parts) for _ in frame], frame) for frame in frames]

    def _merged(self, parts: list[tuple[Fit, Detections]], looks: Sequence[Look]) -> Detections:
        return merge(parts, looks[0].frame, self._overlap) if parts else Detections.empty()

    def _infer(self, tensors: Sequence[Tensor]) -> list[Detections]:
        found: list[Detections] = []
        largest = self._batches[-1]
        for start in range(0, len(tensors), largest):
            found += self._batch(tensors[start : start + largest])
        return found

    def _batch(self, tensors: Sequence[Tensor]) -> list[Detections]:
        """Run one batch, padded to a size that was warmed up: a GPU tunes itself anew for every other."""
        if len(tensors) == 1 and 1 in self._batches:
            batch = tensors[0][None]
        else:
            size = next(n for n in self._batches if n >= len(tensors))
            batch = self._inputs[size]
            for row, tensor in zip(batch, tensors, strict=False):
                row[...] = tensor
        outputs = self._session.run(self._feeds(batch))
        return [self._objects([output[i] for output in outputs]) for i in range(len(tensors))]

    def _feeds(self, batch: Tensor) -> dict[str, Tensor]:
        feeds = {self.input.name: batch}
        if self._sizes:
            feeds[SIZES_INPUT] = np.tile(
                np.array([[self.input.width, self.input.height]], np.int64), (len(batch), 1)
            )
        return feeds

    def _objects(self, outputs: list[Tensor]) -> Detections:
        found = self._decode(outputs, self._floors)
        return suppress(found, self._overlap) if self._decode.suppresses else found

    def _warm_up(self) -> None:
        for size in self._batches:
            self._session.run(self._feeds(zeros((size, *self.input.shape), self.input.dtype)))

    def _prove(self, model: ModelFile, settings: ModelSettings) -> Canary:
        """Time one picture, and on a GPU compare with the CPU: what is slower or differs is no GPU."""
        tensor = self._test_tensor()
        seconds = best_time(lambda: self._session.run(self._feeds(tensor[None])), self._clock)
        if self.provider == CPU:
            return Canary(self.provider, seconds)
        other = Session(model.path, RunOn("cpu", threads=settings.threads))
        cpu_s = best_time(lambda: other.run(self._feeds(tensor[None])), self._clock)
        here = self._objects([o[0] for o in self._session.run(self._feeds(tensor[None]))])
        there = self._objects([o[0] for o in other.run(self._feeds(tensor[None]))])
        return Canary(self.provider, seconds, cpu_s, same(here, there))

    def _test_tensor(self) -> Tensor:
        tensor = zeros(self.input.shape, self.input.dtype)
        size = (self.input.width, self.input.height)
        write(self.input, test_picture(*size), Fit((0, 0, *size), 0, 0, *size), tensor)
        return tensor


def read_graph(session: Session, model: ModelFile, settings: ModelSettings) -> tuple[InputSpec, str, Decoder]:
    """Return the model's input, the name of its decoder, and the decoder. Raises ModelError when unsure."""
    free = (settings.size, settings.size) if settings.size else model.size
    spec = input_spec(session.graph, model.preprocess, free)
    size = (spec.width, spec.height)
    wanted = settings.decoder if settings.decoder != "auto" else model.decoder
    decoder = choose(session.graph, wanted, size)
    base = model.preprocess if model.embedded else DECODERS[decoder].preprocess
    spec = input_spec(session.graph, chosen_preprocess(base, settings), free)
    try:
        return spec, decoder, build(decoder, session.graph, size)
    except (ValueError, IndexError) as error:
        raise ModelError(f"{model.name}: the decoder '{decoder}' cannot read this model: {error}") from error


def _batches(spec: InputSpec, most: int) -> tuple[int, ...]:
    """Return the sizes that are warmed up: powers of two up to `most`, or the only one the graph takes."""
    if spec.batch is not None:
        return (spec.batch,)
    return tuple(n for n in (1, 2, 4, 8, 16, 32) if n <= most)
