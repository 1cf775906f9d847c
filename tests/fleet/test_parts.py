"""The small parts of a fleet: terms, the agent, the token, settings, cost."""

import io
import json
import stat
import threading
from dataclasses import asdict, replace

import pytest
from rich.console import Console

from surveil.cli.fleet import _tables
from surveil.clock import ManualClock
from surveil.config import load
from surveil.errors import ConfigError, StateError
from surveil.fleet import rayprocess
from surveil.fleet.agent import Agent
from surveil.fleet.control import ControlSocket, ask
from surveil.fleet.coordinator import Coordinator
from surveil.fleet.cost import CostMeter
from surveil.fleet.messages import RENEW_S, VALID_S, NodeReport, Policy
from surveil.fleet.placer import CameraLoad
from surveil.fleet.terms import highest_term, take_term
from surveil.listening import bind
from tests.commands import refused, surveil
from tests.fleet.simulated import Sim
from tests.train.pictures import no_room


def test_every_term_is_taken_once_and_rises(tmp_path):
    assert highest_term(tmp_path) is None
    assert [take_term(tmp_path) for _ in range(6)] == [1, 2, 3, 4, 5, 6]
    assert highest_term(tmp_path) == 6
    assert len(list((tmp_path / "terms").iterdir())) == 4, "old ones are swept"
    with pytest.raises(StateError, match="mount it"):
        take_term(tmp_path / "terms" / "000000006")


def test_an_agent_without_its_daemon_says_so_and_reports_nothing(tmp_path):
    reports = []
    agent = Agent(tmp_path, reports.append, ManualClock())
    with pytest.raises(StateError, match="is `surveil run` up"):
        agent.run_once()
    assert reports == []
    with pytest.raises(StateError, match=r"fleet\.sock"):
        ask(tmp_path, {"do": "status"})


def test_the_token_is_made_once_and_for_its_owner_alone(tmp_path):
    path = tmp_path / rayprocess.TOKEN
    rayprocess.make_token(path)
    token = path.read_text()
    rayprocess.make_token(path)
    assert (path.read_text(), len(token)) == (token, 64)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert rayprocess.is_token(token)
    made = rayprocess.environment(path)
    assert (made["RAY_AUTH_MODE"], made["RAY_USAGE_STATS_ENABLED"]) == ("token", "0")


def test_a_full_disk_leaves_no_token_and_the_next_start_makes_one(tmp_path):
    path = tmp_path / rayprocess.TOKEN
    with no_room(16), pytest.raises(StateError, match="make room"):
        rayprocess.make_token(path)
    assert list(tmp_path.iterdir()) == []
    path.touch()
    rayprocess.make_token(path)
    assert rayprocess.is_token(path.read_text())


def test_a_node_waits_no_longer_for_a_lost_head_than_a_lease_is_valid_unless_told_so(tmp_path, monkeypatch):
    name = "RAY_gcs_rpc_server_reconnect_timeout_s"
    monkeypatch.delenv(name, raising=False)
    assert rayprocess.environment(tmp_path)[name] == f"{VALID_S:.0f}"
    monkeypatch.setenv(name, "30")
    assert rayprocess.environment(tmp_path)[name] == "30"


@pytest.mark.parametrize(
    ("listen", "says"),
    [
        ("8.8.8.8:6379", "private"),
        ("127.0.0.1:6379", "127.0.0.2"),
        ("0.0.0.0:6379", "private"),
        ("x", "PORT"),
    ],
)
def test_an_address_that_anybody_may_reach_is_refused(tmp_path, listen, says):
    path = tmp_path / "config.yaml"
    path.write_text(json.dumps({"version": 1, "fleet": {"store": "/srv", "listen": listen}}))
    with pytest.raises(ConfigError, match=says):
        load(path)


def test_what_cameras_ask_of_a_node_is_in_the_file(tmp_path):
    path = tmp_path / "config.yaml"
    placement = {"labels": {"site": "east"}, "nodes": ["a", "b"], "cost": 0.5}
    cameras = {"yard": {"url": "rtsp://127.0.0.1/x", "placement": placement}}
    path.write_text(json.dumps({"version": 1, "cameras": cameras}))
    found = load(path).cameras["yard"].placement
    assert (found.labels, found.nodes, found.cost) == ({"site": "east"}, ["a", "b"], 0.5)


def test_the_cpu_time_of_a_minute_is_shared_by_frames():
    frames = {"yard": 0, "gate": 0}
    cpu = iter([0.0, 30.0])
    meter = CostMeter(lambda: frames, lambda: next(cpu))
    assert meter.costs(100.0) == {}
    frames.update(yard=300, gate=100)
    assert meter.costs(130.0) == {}
    assert meter.costs(160.0) == {"yard": pytest.approx(0.375), "gate": pytest.approx(0.125)}


def test_a_command_for_a_fleet_says_what_is_missing(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(f"version: 1\nstate_dir: {tmp_path}\n")
    assert "fleet: is missing" in refused(ConfigError, "fleet", "check", "-c", path)
    path.write_text(f"version: 1\nstate_dir: {tmp_path}\nfleet: {{store: {tmp_path / 'store'}}}\n")
    code, text = surveil("fleet", "check", "-c", path, "--json")
    found = {one["what"]: one["good"] for one in json.loads(text)}
    assert code == 1
    assert (found["store"], found["token"], found["daemon"]) == (False, False, False)
    assert not (tmp_path / "store").exists()
    take_term(tmp_path / "store")
    rayprocess.make_token(tmp_path / rayprocess.TOKEN)
    assert checked(path) == {"store": True, "token": True}
    (tmp_path / rayprocess.TOKEN).write_text("")
    assert checked(path) == {"store": True, "token": False}


def checked(path):
    _, text = surveil("fleet", "check", "-c", path, "--json")
    return {one["what"]: one["good"] for one in json.loads(text) if one["what"] in {"store", "token"}}


def test_the_status_names_what_needs_somebody(tmp_path):
    cameras = {name: CameraLoad(name=name, cost=0.5) for name in ("dock", "gate", "yard")}
    coordinator = Coordinator(cameras, 1, 0.0)
    report = NodeReport(node="east", asked=0.0, capacity=1.0, cameras=frozenset(cameras), pending=3)
    for now in (1.0, 10.6):
        coordinator.report(replace(report, asked=now), now)
    reading = dict.fromkeys(coordinator.report(report, 11.0).grants, 1)
    other = replace(report, node="west", capacity=0.1, reading=reading)
    coordinator.report(other, 11.5)
    text = status_of(coordinator, 12.0)
    assert "1.00 of 1" in text
    assert "no room" in text
    assert " 3 " in text
    assert "lost" not in text
    assert "east does not read it" in text
    assert len(reading) == 2


def status_of(coordinator, now, policy=Policy.WATCH):
    """What `surveil fleet status` prints."""
    text = io.StringIO()
    for one in _tables(asdict(coordinator.view(now)), policy):
        Console(file=text, width=120).print(one)
    return text.getvalue()


@pytest.mark.parametrize("policy", Policy)
def test_a_lost_node_reads_nothing_any_more_or_perhaps_as_the_policy_says(policy):
    sim = Sim(policy)
    sim.run(40)
    lost = sum(nodes == ["node0"] for nodes in sim.readers().values())
    sim.nodes[0].dead = True
    sim.run(600)
    text = status_of(sim.coordinator, sim.now, policy)
    assert lost
    assert text.count("read by") == (lost if policy is Policy.WATCH else 0)
    assert text.count("perhaps read by node0 (lost)") == text.count("read by")


@pytest.mark.rig
def test_a_head_that_nobody_listens_at_is_told_at_once():
    with bind("127.0.0.1:0") as listener:
        listener.listen()
        rayprocess.reach(f"127.0.0.1:{listener.getsockname()[1]}")
    with pytest.raises(StateError, match="surveil fleet start"):
        rayprocess.reach("127.0.0.1:9")


def test_orders_that_say_less_are_followed(tmp_path):
    """Of a coordinator of another version: a field that is not there has its usual value."""
    seen = []
    board = ControlSocket(tmp_path)

    def daemon():
        for _ in range(2):
            board.serve_one(lambda request: seen.append(request["do"]) or {"cameras": None}, 10)

    thread = threading.Thread(target=daemon)
    thread.start()
    agent = Agent(tmp_path, lambda _report: {"number": 1, "asked": 1.0, "grants": {}}, ManualClock())
    assert agent.run_once() == RENEW_S
    thread.join()
    board.close()
    assert seen == ["status", "assign"]
