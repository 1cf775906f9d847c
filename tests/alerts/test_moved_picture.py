"""What is stored of a picture that has moved, where a mask says that an area must not be."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from surveil.app.assembly import make_places
from surveil.config import load
from surveil.features.health.report import HealthReport, PictureFault
from surveil.pipeline.commit import CommitStage
from surveil.types import Findings, ReferencePicture

from .helpers import frame


@pytest.mark.parametrize(("states", "stored"), [((), True), ((PictureFault.MOVED,), False)])
def test_nothing_of_it_is_stored_and_the_area_is_hidden_in_the_one_from_before(tmp_path, states, stored):
    corner = {"corner": {"points": [[0, 0], [0.1, 0], [0.1, 0.1], [0, 0.1]], "hide": "store"}}
    path = tmp_path / "config.yaml"
    path.write_text(
        json.dumps({"version": 1, "cameras": {"gate": {"url": "rtsp://192.0.2.1/a", "masks": corner}}})
    )
    taken, report = frame(), HealthReport(states=states, before=ReferencePicture(b"", 0.0))
    state = SimpleNamespace(tracks=(), findings=Findings([report]))
    slot = SimpleNamespace(item=taken, frame=taken, state=state)
    outcome = SimpleNamespace(
        step=SimpleNamespace(alerts=()), slot=slot, places=make_places(load(path).cameras["gate"]), counts={}
    )
    context = CommitStage._job(None, outcome).context
    white = np.full((360, 640, 3), 200, np.uint8)
    assert context.hide(white).any() == stored
    assert context.hide_before(white)[100:].min() == 200
    assert context.hide_before(white)[:30, :60].max() < 200
