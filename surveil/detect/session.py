"""ONNX Runtime sessions: which provider really runs a model, and how it is set up for throughput.

The border to onnxruntime: its exceptions become `ModelError` here.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from onnxruntime import RunOptions

from surveil.cuda import gpu_present, share_context
from surveil.detect.spec import Graph, Port
from surveil.errors import ModelError, UnfitModel

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
_DTYPES = {
    "tensor(float)": "float32", "tensor(float16)": "float16", "tensor(double)": "float64", "tensor(uint8)": "uint8",
    "tensor(int8)": "int8", "tensor(int32)": "int32", "tensor(int64)": "int64", "tensor(bool)": "bool",
}  # fmt: skip
_FATAL = 4
# What is told before there is a session ("no registered plugin EP device", once a batch size) goes to stderr, too.
ort.set_default_logger_severity(_FATAL)
_Array = NDArray[Any]
_Shapes = tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOn:
    """Where a session shall run."""

    provider: Literal["auto", "cuda", "cpu"] = "cpu"
    require_gpu: bool = False
    gpu: int = 0
    gpu_memory_mb: int = 0
    threads: int = 1


class ModelSession:
    """One loaded graph. `run` may be called from one thread at a time a shape of inputs; it frees the GIL.

    On a GPU every shape has a session of ONNX Runtime to itself: the CUDA provider keeps the plans of the
    convolutions for one shape only, and making them anew took 5 s on an H200, at every change of batch size.
    """

    def __init__(self, path: Path, where: RunOn) -> None:
        """Load the model. Raises `ModelError`: not readable, not ONNX, or no GPU where one is required."""
        if not path.is_file():
            raise UnfitModel(f"{path}: no such model file")
        self._open = partial(_open, path, where)
        self._session = self._open()
        self._by_shape: dict[_Shapes, ort.InferenceSession] = {}
        self._opening = threading.Lock()
        self.provider: str = self._session.get_providers()[0]
        """The provider in use, as the created session says; asking for one proves nothing."""
        self.graph = _graph(self._session, path)
        self._names = [port.name for port in self.graph.outputs]

    def run(self, feeds: Mapping[str, _Array], options: RunOptions | None = None) -> list[_Array]:
        """Return all outputs in the graph's order.

        Raises `ModelError` when the inputs do not fit, or `options.terminate` is set meanwhile.
        """
        try:
            return list(self._for(feeds).run(self._names, dict(feeds), options))
        except _ORT_ERRORS as error:
            raise ModelError(f"the model cannot be run: {_brief(error)}") from error

    def _for(self, feeds: Mapping[str, _Array]) -> ort.InferenceSession:
        if self.provider == CPU:
            return self._session
        shapes = tuple(array.shape for array in feeds.values())
        with self._opening:
            if shapes not in self._by_shape:
                self._by_shape[shapes] = self._open() if self._by_shape else self._session
            return self._by_shape[shapes]


def _ort_errors(*names: str) -> tuple[type[Exception], ...]:
    state = ort.capi.onnxruntime_pybind11_state
    return tuple(getattr(state, name) for name in names if hasattr(state, name))


_NOT_ONNX = _ort_errors("InvalidProtobuf", "InvalidGraph", "NoSuchFile", "NoModel")
_ORT_ERRORS: tuple[type[Exception], ...] = (
    RuntimeError, ValueError, *_NOT_ONNX,
    *_ort_errors("Fail", "InvalidArgument", "NotImplemented", "RuntimeException", "EPFail", "EngineError",
                 "ModelLoaded", "ModelRequiresCompilation", "NotFound"),
)  # fmt: skip


def wants_gpu(where: RunOn) -> bool:
    """Whether the GPU shall be used: `auto` means where there is one."""
    return where.require_gpu or where.provider == "cuda" or (where.provider == "auto" and gpu_present())


def _open(path: Path, where: RunOn) -> ort.InferenceSession:
    if not wants_gpu(where):
        return _create(path, where, [CPU])
    if not gpu_present() and where.require_gpu:
        raise ModelError(
            "a GPU is required and none is visible: no NVIDIA driver on this machine, or not passed into the "
            "container; install the driver (nvidia-smi must work), or set model.require_gpu: false"
        )
    if CUDA not in ort.get_available_providers():
        return _without_cuda(path, where)
    return _on_gpu(path, where)


def _without_cuda(path: Path, where: RunOn) -> ort.InferenceSession:
    """The wheel of onnxruntime has no CUDA at all."""
    if where.require_gpu:
        raise ModelError(
            "a GPU is required and this onnxruntime was built without CUDA; install onnxruntime-gpu instead of "
            f"onnxruntime (`{_install_command()}` does), or set model.require_gpu: false"
        )
    return _create(path, where, [CPU])


def _on_gpu(path: Path, where: RunOn) -> ort.InferenceSession:
    """Create a session on the GPU; on the CPU where that fails and is allowed.

    With the CPU fallback switched off a CUDA library that cannot be loaded raises; with it on, there is a CPU
    session and not a word. Models with a few operators that only the CPU has need it on, so that comes second,
    and the provider is looked at.
    """
    share_context(where.gpu)
    ort.preload_dlls()
    cuda = (CUDA, _cuda_options(where))
    try:
        return _create(path, where, [cuda], {"session.disable_cpu_ep_fallback": "1"})
    except ModelError as error:
        session = _create(path, where, [cuda, CPU])
        if where.require_gpu and session.get_providers()[0] != CUDA:
            raise ModelError(
                f"a GPU is required and CUDA does not work: {error}; install the CUDA and cuDNN libraries: "
                f"`{_install_command()}`"
            ) from error
        return session


def _install_command() -> str:
    from surveil.extras import Extra, command  # noqa: PLC0415 - only where something is missing

    return command(Extra.CUDA)


def _create(
    path: Path, where: RunOn, providers: Sequence[Any], config: Mapping[str, str] | None = None
) -> ort.InferenceSession:
    try:
        return ort.InferenceSession(
            str(path), _options(where, providers, config or {}), providers=list(providers)
        )
    except _ORT_ERRORS as error:
        kind = UnfitModel if isinstance(error, _NOT_ONNX) else ModelError
        raise kind(f"{path.name} cannot be loaded as an ONNX model: {_brief(error)}") from error


def _options(where: RunOn, providers: Sequence[Any], config: Mapping[str, str]) -> ort.SessionOptions:
    options = ort.SessionOptions()
    # On the CPU the planned block of memory buys no time and costs 20 MB.
    options.enable_mem_pattern = list(providers) != [CPU]
    options.intra_op_num_threads = where.threads
    options.inter_op_num_threads = 1
    # Its messages go to stderr, which belongs to our log; what matters comes as an exception.
    options.log_severity_level = _FATAL
    # Two spinning threads cost twice the CPU of the work they share.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    for key, value in config.items():
        options.add_session_config_entry(key, value)
    return options


def _cuda_options(where: RunOn) -> dict[str, str]:
    options = {
        "device_id": str(where.gpu),
        # Without this the arena doubles with every new shape.
        "arena_extend_strategy": "kSameAsRequested",
        "cudnn_conv_algo_search": "HEURISTIC",
        # TF32 rounds to 10 bits: boxes would differ from the CPU's by more than a pixel.
        "use_tf32": "0",
    }
    if where.gpu_memory_mb:
        options["gpu_mem_limit"] = str(where.gpu_memory_mb * 2**20)
    return options


def _graph(session: ort.InferenceSession, path: Path) -> Graph:
    try:
        metadata = session.get_modelmeta().custom_metadata_map
        return Graph(_ports(session.get_inputs()), _ports(session.get_outputs()), dict(metadata))
    except UnicodeDecodeError as error:
        raise UnfitModel(f"{path}: its metadata is not UTF-8 text; export the model again") from error


def _ports(nodes: Sequence[Any]) -> tuple[Port, ...]:
    return tuple(
        Port(
            node.name,
            tuple(d if isinstance(d, int) and d > 0 else None for d in node.shape or ()),
            _DTYPES.get(node.type, node.type),
        )
        for node in nodes
    )


def _brief(error: Exception) -> str:
    """Return the first line of an onnxruntime message, without its prefix of codes."""
    line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return line.rsplit(" : ", 1)[-1][:300]


def zeros(shape: Sequence[int], dtype: str) -> _Array:
    """Return an aligned, zeroed array: memory that inference touches for the first time is slow."""
    array = np.zeros(shape, dtype)
    array.fill(0)
    return array
