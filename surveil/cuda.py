"""The CUDA context that ONNX Runtime and FFmpeg share. Uses only the driver's own library."""

from __future__ import annotations

import ctypes
import functools
from pathlib import Path

DEVICES = ("/proc/driver/nvidia/version", "/dev/nvidiactl", "/dev/dxg")
"""One of these exists where there is an NVIDIA GPU (the last one: in WSL)."""
_BLOCKING_SYNC = 4
"""CU_CTX_SCHED_BLOCKING_SYNC of cuda.h: a thread that waits for the GPU sleeps."""


def gpu_present() -> bool:
    """Whether the kernel shows an NVIDIA GPU; asking CUDA without one writes errors to stderr."""
    return any(Path(device).exists() for device in DEVICES)


@functools.cache
def share_context(gpu: int = 0) -> bool:
    """Make the GPU's primary context one that FFmpeg accepts; return whether that was possible.

    Call it before anything else uses the GPU. FFmpeg makes a context of its own for each stream otherwise:
    566 MB of the GPU's memory a camera on an H200, and 40 in the shared one. It takes the shared one only
    with this flag, which also lets the detector sleep instead of spin while the GPU computes.
    """
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    return bool(driver.cuInit(0) == 0 and driver.cuDevicePrimaryCtxSetFlags_v2(gpu, _BLOCKING_SYNC) == 0)
