"""Runs a module as on another machine: in the network and by the boot time of one, or with a clock that can be set.

    python -m tests.fleet.within [--like PID] [--clock FILE] MODULE ARGUMENT...

`--like`: a process in the namespaces of that machine, see `network`. `--clock`: see `clock`.
"""

from __future__ import annotations

import argparse
import ctypes
import runpy
import sys
from pathlib import Path

from tests.fleet import clock

_NAMESPACES = ("net", "time")


def _join(pid: str) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    for kind in _NAMESPACES:
        with Path(f"/proc/{pid}/ns/{kind}").open("rb") as namespace:
            if libc.setns(namespace.fileno(), 0):
                raise OSError(ctypes.get_errno(), f"cannot join the {kind} namespace of {pid}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--like", metavar="PID")
    parser.add_argument("--clock", type=Path, metavar="FILE")
    parser.add_argument("module")
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    args = parser.parse_args()
    if args.like:
        _join(args.like)
    if args.clock:
        clock.follow(args.clock)
    sys.argv = [args.module, *args.arguments]
    runpy.run_module(args.module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
