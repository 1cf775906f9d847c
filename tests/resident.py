"""How much memory this process holds."""

import gc
import mmap
from pathlib import Path

from surveil.capture.picture import give_back


def resident_mb() -> float:
    """Return what is resident, MB, after what is free was given back."""
    gc.collect()
    give_back()
    return int(Path("/proc/self/statm").read_text().split()[1]) * mmap.PAGESIZE / 2**20
