"""The detector: pictures in, objects in px of the frame out."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

import numpy as np

from surveil.clock import Clock, SystemClock
from surveil.detect import canary, labels, metadata, recognise
from surveil.detect.batches import Batches
from surveil.detect.canary import Canary
from surveil.detect.decoders.base import Decoder, Outputs
from surveil.detect.letterbox import InputPlacement, ModelInput, Tensor, letterbox, write
from surveil.detect.merge import MOST, merge, suppress
from surveil.detect.session import CPU, ModelSession, RunOn, zeros
from surveil.detect.settings import ModelSettings
from surveil.detect.spec import Graph, InputSpec, ModelFile, Port
from surveil.detect.trial import FAINT, Trial, judge, prepared
from surveil.errors import ModelError, UnfitModel
from surveil.types import Crop, Detections, Floats, Picture

SPARE = 64
"""Tensors kept for reuse; more than that are in flight only in bursts and are given back to the system."""
LEAST = 0.1
"""Least score that is reported; trackers continue a track with much less than they start one with."""
CANARY_FLOOR = 0.05
"""Least score of what the two providers must agree on."""


@dataclass(frozen=True, slots=True)
class Inference:
    """What the model said of the looks of several frames, not yet read."""

    frames: Sequence[Sequence[ModelInput]]
    outputs: Sequence[Outputs]
    """Of each look, in the order of the frames."""
    seconds: float
    """What the runs took, waiting for another thread's not included."""


class Models(Protocol):
    """Where model files come from."""

    def find(self, settings: ModelSettings) -> ModelFile:
        """Return the file that the settings mean. Raises `ModelError`."""


class Detector:
    """Owns the ONNX session. Any thread may call; the model runs for one at a time."""

    def __init__(
        self,
        name: str,
        session: ModelSession,
        decoder_name: str,
        decoder: Decoder,
        spec: InputSpec,
        names: tuple[str, ...],
        settings: ModelSettings,
        clock: Clock,
    ) -> None:
        self.name = name
        self.input = spec
        self.labels = names
        self.decoder = decoder_name
        self.experimental = not decoder.proven_with
        self.licence = metadata.licence(session.graph.metadata)
        self.provider = session.provider
        self.why = self.why_size = recognise.Why.NAMED
        """Why this decoder, and why this size of the input."""
        self.trial = Trial()
        self.canary = Canary(session.provider, 0.0)
        self._feeds = partial(_feeds, spec, recognise.sizes_input(session.graph))
        self.batches = Batches(session, spec, self._feeds, settings.max_batch, clock)
        self._session = session
        self._decoder = decoder
        self._overlap = settings.overlap
        self._clock = clock
        self._spare: deque[Tensor] = deque(maxlen=SPARE)
        self._least = self.floors(LEAST)

    @property
    def most_frames(self) -> int:
        """How many frames are worth handing over at once: one on a CPU, a full batch on a GPU."""
        return self.batches.most

    @property
    def workers(self) -> int:
        """How many threads are worth calling: on a GPU one reads the outputs while the other's batch runs."""
        return self.batches.workers

    @classmethod
    def open(cls, settings: ModelSettings, models: Models, clock: Clock | None = None) -> Detector:
        """Load, warm up and time the model. Raises `ModelError`: no such model, no decoder fits, no GPU.

        So does a model whose boxes in a picture with people cannot be boxes.
        """
        file = models.find(settings)
        where = run_on(settings)
        clock = clock or SystemClock()
        detector = cls.load(file, settings, where, clock)
        detector.warm_up()
        detector.trial = detector.try_people()
        detector.canary = detector.prove(file, settings)
        return detector

    @classmethod
    def load(cls, file: ModelFile, settings: ModelSettings, where: RunOn, clock: Clock) -> Detector:
        """Load without warming up or proving anything. Raises `ModelError`."""
        session = ModelSession(file.path, where)
        told = session.graph.metadata
        metadata.check_task(told)
        size, why_size = recognise.size_of(session.graph, settings.size, file.size)
        spec = recognise.input_spec(session.graph, file.preprocess, size)
        graph = _measured(session, spec)
        pixels = (spec.width, spec.height)
        wanted = settings.decoder if settings.decoder != "auto" else file.decoder
        known = _labels(file, settings) or labels.of_metadata(told)
        name, why = recognise.choose(graph, wanted, pixels, lambda: _sample(session, spec), len(known))
        decoder = recognise.build(name, graph, pixels)
        policies = file.preprocess if file.decoder == name else decoder.preprocess
        spec = recognise.input_spec(graph, recognise.chosen_preprocess(policies, settings), size)
        names = labels.complete(known, {}, decoder.classes)
        made = cls(file.name, session, name, decoder, spec, names, settings, clock)
        made.why, made.why_size = why, why_size
        return made

    def prepare(self, picture: Picture, crop: Crop) -> ModelInput:
        """Fit a part of a picture into a tensor that is lent until `detect` or `release`."""
        tensor = self._tensor()
        where = letterbox(self.input, picture, crop, tensor)
        return ModelInput(tensor, where, (picture.width, picture.height))

    def release(self, looks: Iterable[ModelInput]) -> None:
        """Take back tensors of looks that will not be run."""
        self._spare.extend(look.tensor for look in looks)

    def free(self) -> None:
        """Give back what looks and runs work with, where no other is expected soon."""
        self._spare.clear()
        self.batches.free()

    def floors(self, least: float, scores: Mapping[str, float] | None = None) -> Floats:
        """Return the least score by class: `least`, or what `scores` says where that is lower.

        Weaker detections than a class's score are still wanted: they continue a track.
        """
        floors = np.full(len(self.labels), least, np.float32)
        for i, name in enumerate(self.labels):
            floors[i] = min(least, (scores or {}).get(name, least)) if name else np.inf
        return floors

    def detect(
        self, frames: Sequence[Sequence[ModelInput]], floors: Sequence[Floats] | None = None
    ) -> list[Detections]:
        """Return the objects of each frame: `infer` and `decode` in one."""
        return self.decode(self.infer(frames), floors)

    def infer(self, frames: Sequence[Sequence[ModelInput]]) -> Inference:
        """Run the model over the looks of each frame; takes the tensors back.

        Raises `ModelError` when inference fails, as after the loss of the GPU, or was cut short.
        """
        looks = [look for frame in frames for look in frame]
        outputs: list[Outputs] = []
        seconds, most = 0.0, self.most_frames
        for start in range(0, len(looks), most):
            some = [look.tensor for look in looks[start : start + most]]
            batch, took = self.batches.run(some)
            outputs += ([output[i] for output in batch] for i in range(len(some)))
            seconds += took
        self.release(looks)
        return Inference(frames, outputs, seconds)

    def decode(self, inference: Inference, floors: Sequence[Floats] | None = None) -> list[Detections]:
        """Return the objects of each frame, in px of the frame.

        `floors`: for each frame, the least score by class (see `floors`), or `LEAST` for all.
        """
        return [found for found, _ in self.read(inference, floors)]

    def read(
        self, inference: Inference, floors: Sequence[Floats] | None = None
    ) -> list[tuple[Detections, int]]:
        """Return, as `decode`, the objects of each frame, and how many of its crops had more than were read."""
        outputs = iter(inference.outputs)
        least = floors or [self._least] * len(inference.frames)
        return [
            self._of_frame(looks, [self._counted(next(outputs), floor) for _ in looks])
            for looks, floor in zip(inference.frames, least, strict=True)
        ]

    def _of_frame(
        self, looks: Sequence[ModelInput], parts: Sequence[tuple[Detections, bool]]
    ) -> tuple[Detections, int]:
        return self._merged(looks, [found for found, _ in parts]), sum(cut for _, cut in parts)

    def _merged(self, looks: Sequence[ModelInput], found: Sequence[Detections]) -> Detections:
        if not looks:
            return Detections.empty()
        return merge(
            [(look.fit, one) for look, one in zip(looks, found, strict=True)], looks[0].frame, self._overlap
        )

    def run_bare(self, batch: Tensor) -> None:
        """Run the session on a batch and throw the outputs away: what a benchmark compares with."""
        self._session.run(self._feeds(batch))

    def _decode(self, outputs: Sequence[Tensor], floors: Floats) -> Detections:
        return self._counted(outputs, floors)[0]

    def _counted(self, outputs: Sequence[Tensor], floors: Floats) -> tuple[Detections, bool]:
        """Return what is found in one crop, and whether there may be more that was cut off."""
        found = self._decoder(outputs, floors)
        cut = self._decoder.limited and len(found) >= len(outputs[0])
        if self._decoder.suppresses:
            found = suppress(found, self._overlap)
            cut |= len(found) >= MOST
        return found, cut

    def _tensor(self) -> Tensor:
        try:
            return self._spare.pop()
        except IndexError:
            return zeros(self.input.shape, self.input.dtype)

    def warm_up(self) -> None:
        """Run the smallest batch once: a wrong shape shows now, and a GPU makes its plans."""
        self._check_decoding([output[0] for output in self.batches.warm_up()])

    def _check_decoding(self, outputs: Sequence[Tensor]) -> None:
        try:
            self._decode(outputs, self.floors(CANARY_FLOOR))
        except (ValueError, IndexError, TypeError) as error:
            raise ModelError(
                f"the decoder '{self.decoder}' cannot read this model's outputs "
                f"{[output.shape for output in outputs]}: {error}"
            ) from error

    def try_people(self) -> Trial:
        """Run the picture with people; return what was found. Raises `UnfitModel` when that cannot be boxes."""
        tensor, where = prepared(self.input)
        outputs = [
            output[0] for output in self._session.run(self._feeds(_batch(tensor, self.batches.sizes[0])))
        ]
        verdict = judge(self._decoder(outputs, self.floors(FAINT)), (self.input.width, self.input.height))
        found = self._decode(outputs, self._least)
        trial = Trial(
            verdict=verdict, found=Detections(where.to_frame(found.boxes), found.scores, found.classes)
        )
        if trial.is_bad:
            raise UnfitModel(
                f"the decoder '{self.decoder}' cannot be right for this model: in a picture with people "
                f"{trial.reason}; name another decoder (`surveil models list` has them), or export the model again"
            )
        return trial

    def prove(self, file: ModelFile, settings: ModelSettings) -> Canary:
        """Time one picture; on a GPU also on the CPU, and compare what is found."""
        mine, found = self.time_one()
        if self.provider == CPU:
            return Canary(self.provider, mine)
        other = Detector.load(file, settings, RunOn(provider="cpu", threads=settings.threads), self._clock)
        theirs, expected = other.time_one()
        result = Canary(self.provider, mine, theirs, canary.same(found, expected, CANARY_FLOOR))
        if settings.require_gpu and not result.agrees:
            raise ModelError(
                f"{self.provider} finds other objects than the CPU in the same picture; the driver or its "
                "libraries do not work; set model.provider: cpu until they do"
            )
        return result

    def time_one(self) -> tuple[float, Detections]:
        """Return the seconds of one picture, and what was found in the test picture, in px of the input."""
        spec = self.input
        tensor = zeros(spec.shape, spec.dtype)
        whole = InputPlacement(
            crop=(0, 0, spec.width, spec.height), left=0, top=0, width=spec.width, height=spec.height
        )
        write(spec, canary.test_picture(spec.width, spec.height), whole, tensor)
        feeds = self._feeds(_batch(tensor, self.batches.sizes[0]))
        seconds = canary.best_time(lambda: self._session.run(feeds), self._clock)
        outputs = self._session.run(feeds)
        return seconds / self.batches.sizes[0], self._decode(
            [o[0] for o in outputs], self.floors(CANARY_FLOOR)
        )


def run_on(settings: ModelSettings) -> RunOn:
    """Return where the settings want the model to run."""
    return RunOn(
        provider=settings.provider,
        require_gpu=settings.require_gpu,
        gpu=settings.gpu,
        gpu_memory_mb=settings.gpu_memory_mb,
        threads=settings.threads,
    )


def _feeds(spec: InputSpec, sizes: str | None, batch: Tensor) -> dict[str, Tensor]:
    feeds = {spec.name: batch}
    if sizes:
        feeds[sizes] = np.array([[spec.width, spec.height]] * len(batch), np.int64)
    return feeds


def _batch(tensor: Tensor, size: int) -> Tensor:
    """Return a batch that has one picture everywhere."""
    return np.ascontiguousarray(np.broadcast_to(tensor[None], (size, *tensor.shape)))


def _sample(session: ModelSession, spec: InputSpec) -> Outputs:
    """Return the outputs for the picture with people."""
    feeds = _feeds(spec, recognise.sizes_input(session.graph), _batch(prepared(spec)[0], spec.batch or 1))
    return [output[0] for output in session.run(feeds)]


def _measured(session: ModelSession, spec: InputSpec) -> Graph:
    """Return the graph with the shapes of its outputs, from a run where it leaves them open."""
    graph = session.graph
    if all(None not in port.shape[1:] and port.shape for port in graph.outputs):
        return graph
    batch = zeros((spec.batch or 1, *spec.shape), spec.dtype)
    outputs = session.run(_feeds(spec, recognise.sizes_input(graph), batch))
    ports = zip(graph.outputs, outputs, strict=True)
    return replace(graph, outputs=tuple(Port(p.name, (spec.batch, *o.shape[1:]), p.dtype) for p, o in ports))


def _labels(file: ModelFile, settings: ModelSettings) -> tuple[str, ...]:
    return labels.read_labels(settings.labels) if settings.labels else file.labels
