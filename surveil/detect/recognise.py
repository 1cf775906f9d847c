"""Recognises the input and the decoder of a loaded graph, by name or by the shapes of its outputs."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum

import numpy as np

from surveil.detect import metadata
from surveil.detect.decoders import DECODERS
from surveil.detect.decoders.base import Decoder, Outputs
from surveil.detect.settings import ModelSettings
from surveil.detect.spec import Graph, InputSpec, Layout, Port, Preprocess
from surveil.detect.trial import FAINT, BoxesVerdict, judge
from surveil.errors import UnfitModel

PICTURE_DTYPES = ("uint8", "float32", "float16")
SIZES_INPUT = "orig_target_sizes"
"""Second input of RT-DETR's and D-FINE's exports: what their boxes are scaled to."""
ANY_CLASSES = 4096
"""Classes that are looked for where the outputs do not say how many there are."""
FREE_SIDE = 640
"""Side of the input where graph and settings leave it open: what most exports were trained with."""


class Why(StrEnum):
    """Why a decoder or a size was chosen."""

    NAMED = "named"
    STORED = "stored with the model"
    METADATA = "by the model's metadata"
    OUTPUTS = "by the names and shapes of its outputs"
    VALUES = "by its boxes in a picture with people"
    GRAPH = "fixed in the model"
    DEFAULT = "the default for a free size"


def choose(
    graph: Graph, name: str, size: tuple[int, int], sample: Callable[[], Outputs], names: int = 0
) -> tuple[str, Why]:
    """Return the name of the decoder, and why: `name`, or the only one that fits when it is `auto`.

    `sample` runs the model on the picture with people, for formats that only their values tell apart; `names`:
    how many class names are known. Raises `UnfitModel`: unknown name, a decoder that does not fit, none that
    fits, or several.
    """
    if name == "auto":
        return _recognise(graph, size, sample, names)
    if name not in DECODERS:
        near = difflib.get_close_matches(name, DECODERS, 1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        raise UnfitModel(f"unknown decoder '{name}'{hint} Known: {', '.join(DECODERS)}")
    if not DECODERS[name].fits(graph, size):
        fitting = [known for known, decoder in DECODERS.items() if decoder.fits(graph, size)]
        hint = f"; what fits is {', '.join(fitting)}" if fitting else ""
        raise UnfitModel(f"the decoder '{name}' does not fit this model ({graph}){hint}")
    return name, Why.NAMED


def _recognise(
    graph: Graph, size: tuple[int, int], sample: Callable[[], Outputs], names: int
) -> tuple[str, Why]:
    """The metadata's word, else the only decoder that fits."""
    told = graph.metadata.get("surveil.decoder", "")
    if told in DECODERS and DECODERS[told].fits(graph, size):
        return told, Why.METADATA
    fitting = [name for name, decoder in DECODERS.items() if decoder.fits(graph, size)]
    if "rfdetr" in fitting:
        # Nobody else names outputs so; `detr` reads them too, with pictures prepared otherwise.
        return "rfdetr", Why.OUTPUTS
    why = Why.OUTPUTS
    if len(fitting) > 1:
        why = Why.VALUES
        fitting = _by_values(fitting, graph, size, sample(), names)
    if len(fitting) == 1:
        return fitting[0], why
    if not fitting:
        raise UnfitModel(
            f"no decoder fits this model's outputs ({graph}); surveil reads exports of "
            f"{', '.join(DECODERS)}. Export the model in one of these forms, with a fixed input size"
        )
    raise UnfitModel(
        f"several decoders fit this model's outputs ({graph}): {', '.join(fitting)}; name one with `decoder:`"
    )


def _by_values(
    fitting: list[str], graph: Graph, size: tuple[int, int], outputs: Outputs, names: int
) -> list[str]:
    """Return the decoders whose boxes in the picture with people can be boxes; all where none finds any."""
    if "detr-softmax" in fitting:
        from surveil.detect.decoders.detr import Detr, has_no_object  # noqa: PLC0415 - as the decoders themselves

        heads = Detr.heads(graph)
        assert heads is not None
        softmax = has_no_object(outputs[graph.outputs.index(heads[0])], names)
        fitting = [name for name in fitting if name != ("detr" if softmax else "detr-softmax")]
    verdicts = {name: _verdict(name, graph, size, outputs) for name in fitting}
    good = [name for name, verdict in verdicts.items() if verdict is BoxesVerdict.GOOD]
    if good:
        return good
    quiet = [name for name, verdict in verdicts.items() if verdict is BoxesVerdict.NOTHING]
    # A transformer gives a box for every query: a table without any is of a graph with suppression inside.
    return [name for name in quiet if name != "detr-table"] or fitting


def _verdict(name: str, graph: Graph, size: tuple[int, int], outputs: Outputs) -> BoxesVerdict:
    decoder = build(name, graph, size)
    floors = np.full(decoder.classes or ANY_CLASSES, FAINT, np.float32)
    try:
        return judge(decoder(outputs, floors), size)
    except (ValueError, IndexError, TypeError):
        return BoxesVerdict.BROKEN


def size_of(
    graph: Graph, named: int | None, stored: tuple[int, int] | None
) -> tuple[tuple[int, int] | None, Why]:
    """Return the size of a free input, None for the default, and why the input has the size it has."""
    sizes = (
        ((named, named) if named else None, Why.NAMED),
        (stored, Why.STORED),
        (metadata.input_size(graph.metadata), Why.METADATA),
    )
    chosen = next((one for one in sizes if one[0]), (None, Why.DEFAULT))
    port = _picture_port(graph)
    sides = port.shape[1:3] if _layout(port) == "nhwc" else port.shape[2:]
    return chosen[0], Why.GRAPH if None not in sides else chosen[1]


def build(name: str, graph: Graph, size: tuple[int, int]) -> Decoder:
    """Return the decoder of that name, made for the graph."""
    return DECODERS[name](graph, size)


def input_spec(graph: Graph, preprocess: Preprocess, size: tuple[int, int] | None) -> InputSpec:
    """Return the graph's picture input. Raises `UnfitModel` when it has none."""
    port = _picture_port(graph)
    layout = _layout(port)
    if layout is None or port.dtype not in PICTURE_DTYPES:
        raise UnfitModel(f"the model's input is not a colour picture (n×3×h×w or n×h×w×3): {graph}")
    height, width = port.shape[2:] if layout == "nchw" else port.shape[1:3]
    default = size or (FREE_SIDE, FREE_SIDE)
    return InputSpec(
        name=port.name,
        width=width or default[0],
        height=height or default[1],
        layout=layout,
        dtype=port.dtype,  # type: ignore[arg-type]  # one of PICTURE_DTYPES
        batch=port.shape[0],
        preprocess=_of_bytes(preprocess) if port.dtype == "uint8" else preprocess,
    )


def sizes_input(graph: Graph) -> str | None:
    """Return the name of the input that wants the picture's size. Raises `UnfitModel` for any other."""
    others = [port.name for port in graph.inputs if port is not _picture_port(graph)]
    if not others:
        return None
    if others == [SIZES_INPUT]:
        return SIZES_INPUT
    raise UnfitModel(
        f"the model wants inputs besides the picture: {', '.join(others)}; export it without them"
    )


def chosen_preprocess(base: Preprocess, settings: ModelSettings) -> Preprocess:
    """Return the family's habits with what the settings say otherwise."""
    said = {key: getattr(settings, key) for key in ("channels", "range", "placement")}
    return replace(base, **{key: value for key, value in said.items() if value is not None})


def _of_bytes(preprocess: Preprocess) -> Preprocess:
    """A graph that takes bytes scales them itself."""
    return replace(preprocess, range="0-255")


def _picture_port(graph: Graph) -> Port:
    pictures = [port for port in graph.inputs if len(port.shape) == 4]
    if len(pictures) != 1:
        raise UnfitModel(f"the model must have one picture input, it has {len(pictures)}: {graph}")
    return pictures[0]


def _layout(port: Port) -> Layout | None:
    """Where the graph leaves the channels open, too, they come first, as in every export of PyTorch."""
    if port.shape[1] == 3:
        return "nchw"
    if port.shape[3] == 3:
        return "nhwc"
    return "nchw" if port.shape[1] is None and port.shape[3] is None else None
