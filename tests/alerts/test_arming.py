"""The operator's switches: kept in the database, for a while or for good."""

import pytest

from surveil.alerts.arming import ArmingChannel, Disarmed, arm, disarm
from surveil.alerts.outbox import Outbox
from surveil.errors import StateError
from tests.alerts.helpers import T0

YARD, GATE = ("yard", "intrusion"), ("gate", "intrusion")
HOUR = 3600.0


@pytest.fixture
def path(tmp_path, clock):
    Outbox.open(tmp_path / "outbox.db", [], clock).close()
    return tmp_path / "outbox.db"


@pytest.fixture
def board(path):
    made = ArmingChannel(path)
    yield made
    made.close()


def test_nothing_is_disarmed_at_first(board):
    assert board.read() == {}


def test_a_switch_survives_a_restart_and_is_seen_by_whoever_looks(board, path, clock):
    board.change(disarm([YARD], T0), T0)
    Outbox.open(path, [], clock).close()
    other = ArmingChannel(path)
    assert other.read() == {YARD: Disarmed(T0)}
    other.close()


def test_a_rule_that_is_disarmed_for_two_hours_arms_itself(board):
    switch = board.change(disarm([YARD], T0, 2 * HOUR), T0)[YARD]
    assert [switch.holds(T0 + h * HOUR) for h in (-0.1, 0, 1.9, 2)] == [False, True, True, False]
    assert board.change(disarm([GATE], T0), T0 + 3 * HOUR) == {GATE: Disarmed(T0)}


def test_a_rule_that_is_armed_for_an_hour_is_then_as_it_was_before(board):
    board.change(disarm([YARD, GATE], T0), T0)
    switches = board.change(arm([YARD], T0 + 10, HOUR), T0 + 10)
    assert switches == {YARD: Disarmed(T0 + 10 + HOUR), GATE: Disarmed(T0)}
    assert board.change(arm([YARD], T0 + 20), T0 + 20) == {GATE: Disarmed(T0)}


def test_arming_for_longer_than_a_rule_was_disarmed_leaves_it_armed(board):
    board.change(disarm([YARD], T0, HOUR), T0)
    assert board.change(arm([YARD], T0, 2 * HOUR), T0) == {}


def test_a_clock_that_is_set_back_lets_a_rule_alert_rather_than_not(board):
    assert not board.change(disarm([YARD], T0), T0)[YARD].holds(T0 - HOUR)


def test_without_an_outbox_it_is_said_where_it_was_looked_for(tmp_path):
    with pytest.raises(StateError, match=r"outbox\.db: no outbox found"):
        ArmingChannel(tmp_path / "outbox.db")
