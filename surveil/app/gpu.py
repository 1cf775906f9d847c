"""Figures of NVIDIA GPUs, from the driver by NVML. None where there is no GPU or `nvidia-ml-py` is missing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

Read = Callable[[Any, Any], float]
"""Of the library and a GPU's handle, one figure."""

FIGURES: dict[str, tuple[str, Read]] = {
    "surveil_gpu_utilization_ratio": (
        "Recent GPU utilisation.",
        lambda nvml, gpu: nvml.nvmlDeviceGetUtilizationRates(gpu).gpu / 100,
    ),
    "surveil_gpu_decoder_utilization_ratio": (
        "Recent utilisation of the GPU's video decoder.",
        lambda nvml, gpu: nvml.nvmlDeviceGetDecoderUtilization(gpu)[0] / 100,
    ),
    "surveil_gpu_memory_used_bytes": (
        "GPU memory in use by all processes.",
        lambda nvml, gpu: nvml.nvmlDeviceGetMemoryInfo(gpu).used,
    ),
    "surveil_gpu_memory_size_bytes": (
        "Total GPU memory.",
        lambda nvml, gpu: nvml.nvmlDeviceGetMemoryInfo(gpu).total,
    ),
    "surveil_gpu_temperature_celsius": (
        "Temperature of the GPU.",
        lambda nvml, gpu: nvml.nvmlDeviceGetTemperature(gpu, nvml.NVML_TEMPERATURE_GPU),
    ),
}


class GpuCollector(Collector):
    """Every GPU the driver shows, by its number. What a GPU does not tell (a slice of one) is left out."""

    def __init__(self) -> None:
        self._nvml, self._gpus = _open()

    def collect(self) -> Iterator[Metric]:
        """Ask the driver: less than a millisecond a GPU."""
        for name, (meaning, read) in FIGURES.items():
            family = GaugeMetricFamily(name, meaning, labels=["gpu"])
            for number, gpu in enumerate(self._gpus):
                try:
                    family.add_metric([str(number)], read(self._nvml, gpu))
                except self._nvml.NVMLError:
                    continue
            yield family


def _open() -> tuple[Any, list[Any]]:
    """Return the library and a handle of every GPU."""
    try:
        import pynvml  # noqa: PLC0415 - optional: the extra `cuda`
    except ImportError:
        return None, []
    try:
        pynvml.nvmlInit()
        return pynvml, [pynvml.nvmlDeviceGetHandleByIndex(n) for n in range(pynvml.nvmlDeviceGetCount())]
    except pynvml.NVMLError:
        return pynvml, []
