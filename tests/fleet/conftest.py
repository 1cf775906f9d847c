"""Nodes without a coordinator, and the store that they share."""

import json
from contextlib import ExitStack

import pytest

from surveil.app.node import FleetNode
from surveil.clock import boot_s
from surveil.config import load
from surveil.fleet.terms import take_term
from tests.fleet.carriers import Node


@pytest.fixture
def store(tmp_path):
    take_term(tmp_path / "store")
    return tmp_path / "store"


@pytest.fixture
def make_node(tmp_path, store):
    """Make a node with the cameras yard and gate; `now`: its clock."""
    with ExitStack() as stack:

        def make(name, now=boot_s, policy="watch", deliveries=dict, **http):
            (tmp_path / name).mkdir(exist_ok=True)
            path = tmp_path / name / "config.yaml"
            cameras = {camera: {"url": "rtsp://127.0.0.1:9/x"} for camera in ("yard", "gate")}
            fleet = {"node": name, "store": str(store), "on_lost_coordinator": policy}
            path.write_text(json.dumps({"version": 1, "cameras": cameras, "fleet": fleet, "http": http}))
            config = load(path)
            node = FleetNode(config, config.fleet, path.parent, lambda: None, deliveries, dict, now)
            stack.callback(node._socket.close)
            return node

        yield make


@pytest.fixture
def carriers(tmp_path, store):
    """Two state directories that share the store."""
    return [Node(tmp_path / name, store) for name in ("east", "west")]
