"""Work beside a running daemon at the lowest priority, so that it costs the daemon no frame."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

_FIRST_TO_GO = 1000
"""`oom_score_adj` of what the kernel ends first when memory runs out."""


def lowest_priority() -> None:
    """Use CPU and disk only where no other process wants them, and be the first to be killed for memory.

    Under SCHED_IDLE the kernel derives the idle class of input and output as well. What the system refuses is left as
    it is. Raises nothing.
    """
    # Priorities belong to threads, and libraries have started theirs: new ones inherit from those that start them.
    for task in Path("/proc/self/task").iterdir():
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, int(task.name), 19)
            os.sched_setscheduler(int(task.name), os.SCHED_IDLE, os.sched_param(0))
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(f"{_FIRST_TO_GO}\n", encoding="ascii")
