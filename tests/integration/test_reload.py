"""Reload by SIGHUP, as its user sees it: what is unchanged does not notice, what is bad is refused, all is told."""

import json
import signal

import pytest

from surveil.demo.rtp import Clip
from surveil.demo.rtsp_server import RtspServer
from tests.integration.world import Process, Webhook, samples, wait_for

pytestmark = [pytest.mark.rig, pytest.mark.slow]
ZONE = [[0.0, 0.3], [1.0, 0.3], [1.0, 1.0], [0.0, 1.0]]


class File:
    """A configuration file that a test edits, and the daemon that runs by it."""

    def __init__(self, folder, cameras, sinks=None, **top):
        self.path = folder / "config.yaml"
        self.whole = {
            "version": 1,
            "cameras": cameras,
            "sinks": sinks or {},
            "state_dir": str(folder / "state"),
            "http": {"listen": "127.0.0.1:0"},
            **top,
        }
        self.write()

    def write(self):
        """Replace the file as an editor does, so that nobody reads half of it."""
        half = self.path.with_suffix(".tmp")
        half.write_text(json.dumps(self.whole, indent=1))
        half.rename(self.path)


def reload(daemon):
    """Ask for a reload; return how it ended."""
    before = json.loads(daemon.get("/status")[1])["reload"]["at"]
    daemon.child.send_signal(signal.SIGHUP)

    def ended():
        found = json.loads(daemon.get("/status")[1])["reload"]
        return found if found["at"] > before else None

    return wait_for(ended, 30)


def metrics(daemon, name, **labels):
    """The values of a metric, by the labels that were not given."""
    found = {}
    for (sample, its), value in samples(daemon.get("/metrics")[1]).items():
        rest = dict(its)
        if sample == name and all(rest.pop(key, None) == wanted for key, wanted in labels.items()):
            found[tuple(rest[key] for key in sorted(rest))] = value
    return found


def camera(url, **more):
    return {
        "url": str(url),
        "zones": {"yard": ZONE},
        "rules": [{"type": "intrusion", "zone": "yard", "after_s": 0.5}],
        **more,
    }


@pytest.fixture
def stream(passing_clip):
    with RtspServer(Clip(passing_clip)) as server:
        yield server


def test_one_zone_of_sixteen_cameras_changes_and_the_others_do_not_notice(tmp_path, passing_clip, stream):
    # Two over RTSP, which could reconnect; the others read a recording in real time for ever.
    urls = [stream.url, stream.url + "?second"] + [passing_clip] * 14
    names = [f"cam{k:02}" for k in range(16)]
    slow = {"detect": {"fps": 0.25}, "health": {"enabled": False}}
    file = File(
        tmp_path,
        {
            n: camera(url, **slow, **({"repeat": True} if k > 1 else {}))
            for k, (n, url) in enumerate(zip(names, urls, strict=True))
        },
    )
    with Process(file.path) as daemon:
        up = lambda: metrics(daemon, "surveil_camera_state", state="streaming")  # noqa: E731
        wait_for(lambda: sum(up().values()) == 16, 60)
        file.whole["cameras"]["cam05"]["zones"]["yard"] = [[0.1, 0.3], [0.9, 0.3], [0.9, 0.9]]
        file.write()
        result = reload(daemon)
        assert result["changes"] == {"cameras_changed": ["cam05"]}
        received = metrics(daemon, "surveil_frames_received_total")
        wait_for(
            lambda: all(
                n > received[key] for key, n in metrics(daemon, "surveil_frames_received_total").items()
            )
        )
        assert metrics(daemon, "surveil_frames_dropped_total", reason="lost") == {
            (name,): 0 for name in names
        }
        assert sum(metrics(daemon, "surveil_camera_disconnects_total").values()) == 0
        after = metrics(daemon, "surveil_camera_connects_total")
        assert {after[name,] for name in names[:2]} == {1.0}


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
            # What lies on the disk is still counted, and the books are the database's.
            assert {line.split("{")[0] for line in named} <= {
                "surveil_evidence_bytes",
                "surveil_ledger_signals",
            }
            opened = {a["event_id"] for a in second.starts("intrusion") if a["camera"] == "yard"}
            ended = lambda: {a["event_id"] for a in second.alerts if a["phase"] == "end"}  # noqa: E731
            wait_for(lambda: opened <= ended(), 30)
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
