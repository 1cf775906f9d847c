from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from surveil.alerts.delivery import Context, Delivery
from surveil.alerts.outbox import Outbox
from surveil.alerts.sinks import make_sink
from surveil.alerts.sinks.apprise import AppriseSettings
from surveil.clock import ManualClock
from tests.optional import package

from .helpers import Receiver, alert
from .servers import make_certificate


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that signs itself, and its key."""
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def outbox(tmp_path: Path, clock: ManualClock) -> Outbox:
    made = Outbox.open(tmp_path / "outbox.db", ["ops"], clock)
    yield made
    made.close()


@pytest.fixture(scope="module")
def apprise_threads() -> None:
    """Let Apprise start its pools before anybody counts threads: they live as long as the process."""
    with warnings.catch_warnings(), Receiver() as receiver:
        # It imports what Python will remove.
        warnings.simplefilter("ignore", DeprecationWarning)
        package("apprise")
        settings = AppriseSettings(url=f"json://127.0.0.1:{receiver.port}/")
        make_sink(settings, Context()).deliver(Delivery(alert(0)))
