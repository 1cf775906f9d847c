from __future__ import annotations

from pathlib import Path

import pytest

from surveil.alerts.outbox import Outbox
from surveil.clock import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def outbox(tmp_path: Path, clock: ManualClock) -> Outbox:
    made = Outbox.open(tmp_path / "outbox.db", ["ops"], clock)
    yield made
    made.close()
