"""How long placement takes: 10,000 cameras on 500 nodes, then one node is lost, then it is back.

python -m benchmarks.fleet_placer
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence

from surveil.fleet.placer import CameraLoad, NodeRoom, Placement, place

_SITES = 10
_COSTS = (0.03, 0.05, 0.08, 0.2)


def main() -> None:
    """Print the table; every tenth of the cameras is bound to a site."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cameras", type=int, default=10_000)
    parser.add_argument("--nodes", type=int, default=500)
    args = parser.parse_args()
    cameras = [_camera(i) for i in range(args.cameras)]
    nodes = [
        NodeRoom(name=f"node{i}", capacity=3.0, labels={"site": f"s{i % _SITES}"}) for i in range(args.nodes)
    ]
    before = _timed("placed from nothing", cameras, nodes, {})
    _timed("nothing has changed", cameras, nodes, before.owners)
    lost = _timed("one node lost", cameras, nodes[1:], before.owners)
    own = sum(node == "node0" for node in before.owners.values())
    _report("cameras of the lost node", own)
    _timed("it is back", cameras, nodes, lost.owners)


def _camera(i: int) -> CameraLoad:
    labels = {"site": f"s{i // 10 % _SITES}"} if i % 10 == 0 else {}
    return CameraLoad(name=f"cam{i}", cost=_COSTS[i % len(_COSTS)], labels=labels)


def _timed(
    what: str, cameras: Sequence[CameraLoad], nodes: Sequence[NodeRoom], owners: Mapping[str, str]
) -> Placement:
    began = time.perf_counter()
    found = place(cameras, nodes, owners)
    seconds = time.perf_counter() - began
    moved = sum(owners.get(name) != node for name, node in found.owners.items())
    _report(what, f"{seconds:.3f} s, {moved} moved, {len(found.unplaced)} unplaced")
    return found


def _report(what: str, value: object) -> None:
    sys.stdout.write(f"{what:26} {value}\n")


if __name__ == "__main__":
    main()
