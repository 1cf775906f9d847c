"""Reload by SIGHUP, as its user sees it: what is unchanged does not notice, what is bad is refused, all is told."""

import signal
from datetime import UTC, datetime, timedelta

import pytest

from surveil.demo.rtp import RtpClip
from surveil.demo.rtsp_server import RtspServer
from tests.integration.reloading import ZONE, File, camera, metrics, reload
from tests.integration.world import Process, Webhook, wait_for
from tests.rig.clips import make_clip
from tests.rig.clips import still as still_picture

pytestmark = [pytest.mark.rig, pytest.mark.slow]


@pytest.fixture
def stream(passing_clip):
    with RtspServer(RtpClip(passing_clip)) as server:
        yield server


def test_one_zone_of_sixteen_cameras_changes_and_no_camera_drops_a_frame(tmp_path):
    # One picture a second, each of them analysed, and nothing moves: also a slow machine can be in time for all.
    still = make_clip(tmp_path / "still.mp4", fps=1, seconds=90, gop=1, scene=still_picture)
    names = [f"cam{k:02}" for k in range(16)]
    seldom = {"detect": {"fps": 1, "idle_interval_s": 60}, "health": {"enabled": False}}
    with RtspServer(RtpClip(still)) as stream:
        # Two over RTSP, which could reconnect; the others read a recording in real time.
        urls = [stream.url, stream.url + "?second"] + [still] * 14
        file = File(tmp_path, {n: camera(url, **seldom) for n, url in zip(names, urls, strict=True)})
        with Process(file.path) as daemon:
            received = lambda: metrics(daemon, "surveil_frames_received_total")  # noqa: E731
            dropped = lambda: metrics(daemon, "surveil_frames_dropped_total")  # noqa: E731
            wait_for(lambda: all(n > 2 for n in received().values()), 60)

            def costs_a_frame(left):
                before, dropped_before = received(), dropped()
                file.whole["cameras"]["cam05"]["zones"]["yard"] = [[left, 0.3], [0.9, 0.3], [0.9, 0.9]]
                file.write()
                assert reload(daemon)["changes"] == {"cameras_changed": ["cam05"]}
                wait_for(lambda: all(n > before[key] + 3 for key, n in received().items()))
                return dropped() != dropped_before

            # A busy machine is late for a frame by itself now and then; a reload that costs one costs it each time.
            assert not all(costs_a_frame(left / 10) for left in range(1, 8))
            for reason in ("lost", "damaged"):
                assert metrics(daemon, "surveil_frames_dropped_total", reason=reason) == {
                    (n,): 0 for n in names
                }
            assert sum(metrics(daemon, "surveil_camera_disconnects_total").values()) == 0
            assert metrics(daemon, "surveil_camera_connects_total") == {(name,): 1.0 for name in names}
            assert daemon.end() == 0


def test_open_events_live_through_the_change_of_another_rule_and_of_the_stream(tmp_path, stream):
    def rule(name, **more):
        return {"type": "intrusion", "name": name, "zone": "yard", "after_s": 0.5, "linger_s": 600, **more}

    with Webhook() as hook:
        file = File(
            tmp_path,
            {"yard": camera(stream.url, rules=[rule("stays"), rule("changes")])},
            {"ops": {"type": "webhook", "url": hook.url}},
        )
        with Process(file.path) as daemon:
            wait_for(lambda: hook.starts("stays") and hook.starts("changes"), 60)
            file.whole["cameras"]["yard"]["rules"][1] = rule("changes", cooldown_s=300)
            file.write()
            assert reload(daemon)["changes"] == {"cameras_changed": ["yard"]}
            end = wait_for(lambda: [a for a in hook.alerts if a["phase"] == "end"], 30)
            assert [(a["rule"], a["reason"]) for a in end] == [("changes", "config")]
            file.whole["cameras"]["yard"]["url"] = stream.url + "?main"
            file.write()
            assert reload(daemon)["changes"] == {"cameras_reconnected": ["yard"]}
            before = metrics(daemon, "surveil_frames_processed_total")["yard",]
            wait_for(lambda: metrics(daemon, "surveil_frames_processed_total")["yard",] > before + 3, 30)
            assert metrics(daemon, "surveil_camera_connects_total") == {("yard",): 2.0}
            assert metrics(daemon, "surveil_event_open", rule="stays") == {("yard",): 1.0}
            assert len(hook.starts("stays")) == 1
            assert [a["rule"] for a in hook.alerts if a["phase"] == "end"] == ["changes"]
            assert daemon.end() == 0


def test_a_bad_file_is_refused_with_all_its_mistakes_and_the_old_goes_on(tmp_path, stream):
    file = File(tmp_path, {"yard": camera(stream.url)})
    with Process(file.path) as daemon:
        wait_for(lambda: daemon.get("/readyz")[0] == 200, 40)
        good = file.whole["cameras"]["yard"]["zones"]
        file.whole["cameras"]["yard"]["zones"] = {"yrad": ZONE}
        file.whole["modell"] = {}
        file.write()
        result = reload(daemon)
        assert not result["good"]
        told = [r["problem"] for r in daemon.records() if r["event"] == "configuration refused"]
        assert told == result["messages"]
        assert len(told) == 2
        assert all(line.startswith(f"{file.path}:") for line in told)
        assert metrics(daemon, "surveil_config_last_reload_successful") == {(): 0.0}
        assert daemon.get("/readyz")[0] == 200
        assert sum(metrics(daemon, "surveil_camera_disconnects_total").values()) == 0
        file.whole["cameras"]["yard"]["zones"] = good
        del file.whole["modell"]
        file.write()
        assert reload(daemon)["good"]
        assert metrics(daemon, "surveil_config_last_reload_successful") == {(): 1.0}
        assert daemon.end() == 0


def test_cameras_and_sinks_come_and_go_and_so_do_their_series(tmp_path, stream):
    with Webhook() as first, Webhook() as second:
        file = File(tmp_path, {"yard": camera(stream.url)}, {"first": {"type": "webhook", "url": first.url}})
        with Process(file.path) as daemon:
            wait_for(lambda: first.starts("intrusion"), 60)
            file.whole["sinks"] = {"second": {"type": "webhook", "url": second.url}}
            file.whole["cameras"]["gate"] = camera(stream.url + "?gate")
            file.write()
            changes = reload(daemon)["changes"]
            # Who names no sinks sends to all, so the yard has changed as well; it does not connect anew.
            assert changes == {
                "cameras_added": ["gate"],
                "cameras_changed": ["yard"],
                "sinks_added": ["second"],
                "sinks_removed": ["first"],
            }
            wait_for(lambda: {a["camera"] for a in second.starts("intrusion")} == {"yard", "gate"}, 60)
            assert set(metrics(daemon, "surveil_delivery_attempts_total", result="delivered")) == {
                ("second",)
            }
            del file.whole["cameras"]["yard"]
            file.write()
            assert reload(daemon)["changes"] == {"cameras_removed": ["yard"]}
            page = daemon.get("/metrics")[1]
            named = {line for line in page.splitlines() if 'camera="yard"' in line}
            # What lies on the disk is still counted.
            assert {line.split("{")[0] for line in named} <= {"surveil_evidence_bytes"}
            opened = {a["event_id"] for a in second.starts("intrusion") if a["camera"] == "yard"}
            ended = lambda: {a["event_id"] for a in second.alerts if a["phase"] == "end"}  # noqa: E731
            wait_for(lambda: opened <= ended(), 30)
            file.whole["cameras"]["yard"] = camera(stream.url)
            file.write()
            assert reload(daemon)["changes"] == {"cameras_added": ["yard"]}
            # The books of a camera that comes back go on.
            kept = metrics(daemon, "surveil_ledger_signals", camera="yard", outcome="opened")
            assert kept["", "intrusion"] >= len(opened)
            assert daemon.end() == 0


def test_what_needs_a_restart_is_named_and_the_rest_is_taken(tmp_path, stream):
    file = File(tmp_path, {"yard": camera(stream.url)})
    with Process(file.path) as daemon:
        daemon.get("/livez")
        file.whole["http"]["listen"] = "127.0.0.1:1"
        file.whole["model"] = {"threads": 2}
        file.whole["storm"] = {"max_per_hour": 7}
        file.write()
        changes = reload(daemon)["changes"]
        assert changes["sections_changed"] == ["storm"]
        assert sorted(changes["restart_required_for"]) == ["http", "model"]
        assert metrics(daemon, "surveil_config_restart_required") == {(): 1.0}
        assert daemon.end() == 0


def test_a_camera_in_back_off_gets_its_new_address_and_an_end_during_a_reload_is_an_end(tmp_path, stream):
    nowhere = "rtsp://127.0.0.1:9/cam"
    file = File(tmp_path, {"yard": camera(nowhere), "gate": camera(nowhere)})
    with Process(file.path) as daemon:
        lost = lambda: metrics(daemon, "surveil_camera_state", state="lost")  # noqa: E731
        wait_for(lambda: sum(lost().values()) == 2, 40)
        file.whole["cameras"]["yard"]["url"] = stream.url
        file.write()
        for _ in range(5):
            daemon.child.send_signal(signal.SIGHUP)
        wait_for(lambda: metrics(daemon, "surveil_camera_state", state="streaming")["yard",] == 1, 40)
        assert lost()["gate",] == 1
        file.whole["cameras"]["gate"]["url"] = stream.url + "?gate"
        file.write()
        daemon.child.send_signal(signal.SIGHUP)
        assert daemon.end() == 0


def test_a_sink_is_replaced_in_place_and_what_waited_for_it_goes_to_the_new_address(tmp_path, stream):
    with Webhook() as before, Webhook() as after:
        before.answer = 503
        ops = {"type": "webhook", "url": before.url}
        file = File(tmp_path, {"yard": camera(stream.url)}, {"ops": ops}, outbox={"backoff_max_s": 600})
        with Process(file.path) as daemon:
            tried = lambda: metrics(daemon, "surveil_delivery_attempts_total", sink="ops", result="retry")  # noqa: E731
            wait_for(lambda: tried()[()] > 0, 60)
            ops["url"] = after.url
            file.write()
            assert reload(daemon)["changes"] == {"sinks_changed": ["ops"]}
            # At once, and not after the back-off of the address before.
            wait_for(lambda: after.starts("intrusion"))
            assert before.alerts == []
            assert metrics(daemon, "surveil_outbox_alerts", state="dead") == {("ops",): 0.0}
            assert metrics(daemon, "surveil_camera_connects_total") == {("yard",): 1.0}
            assert daemon.end() == 0


def test_counting_begins_and_ends_while_the_camera_streams_on(tmp_path, stream):
    yard = camera(stream.url, lines={"gate": [[0.5, 0.0], [0.5, 1.0]]})
    file = File(tmp_path, {"yard": yard})
    with Process(file.path) as daemon:
        crossed = lambda: metrics(daemon, "surveil_line_crossings_total")  # noqa: E731
        wait_for(lambda: metrics(daemon, "surveil_frames_processed_total")["yard",], 60)
        assert crossed() == {}
        yard["counting"] = {"enabled": True}
        file.write()
        assert reload(daemon)["changes"] == {"cameras_changed": ["yard"]}
        wait_for(lambda: sum(crossed().values()) > 0, 60)
        assert metrics(daemon, "surveil_zone_occupancy").keys() == {("yard", "person", "yard")}
        yard["counting"] = {"enabled": True, "lines": [], "zones": ["yard"]}
        file.write()
        reload(daemon)
        wait_for(lambda: not crossed())
        del yard["counting"]
        file.write()
        reload(daemon)
        wait_for(lambda: not metrics(daemon, "surveil_zone_occupancy"))
        assert metrics(daemon, "surveil_camera_connects_total") == {("yard",): 1.0}
        assert daemon.end() == 0


def test_a_schedule_that_changes_under_its_name_changes_when_its_rules_alert(tmp_path, stream):
    hours = [(datetime.now(UTC) + timedelta(hours=h)).strftime("%H:%M") for h in (-4, -2, 2)]
    over, now = {"windows": ["-".join(hours[:2])]}, {"windows": ["-".join(hours[1:])]}
    rule = {"type": "intrusion", "zone": "yard", "after_s": 0.5, "schedule": "shift"}
    with Webhook() as hook:
        sinks = {"ops": {"type": "webhook", "url": hook.url}}
        file = File(tmp_path, {"yard": camera(stream.url, rules=[rule])}, sinks, schedules={"shift": over})
        with Process(file.path) as daemon:
            kept = lambda: metrics(daemon, "surveil_signals_suppressed_total", reason="schedule")  # noqa: E731
            wait_for(lambda: sum(kept().values()) > 0, 60)
            assert metrics(daemon, "surveil_rule_scheduled", rule="intrusion") == {("yard",): 0.0}
            file.whole["schedules"]["shift"] = now
            file.write()
            assert reload(daemon)["changes"] == {
                "cameras_changed": ["yard"],
                "sections_changed": ["schedules"],
            }
            wait_for(lambda: hook.starts("intrusion"), 60)
            assert metrics(daemon, "surveil_rule_scheduled", rule="intrusion") == {("yard",): 1.0}
            file.whole["schedules"]["shift"] = over
            file.write()
            reload(daemon)
            end = wait_for(lambda: [a for a in hook.alerts if a["phase"] == "end"], 30)
            assert end[-1]["rule"] == "intrusion"
            assert metrics(daemon, "surveil_camera_connects_total") == {("yard",): 1.0}
            assert daemon.end() == 0
