"""*Fleet*: what needs me now, on every camera of every daemon."""

from __future__ import annotations

from typing import Any

from dashboards import frame, kit, states
from dashboards.kit import Panel, query

ALL = 'instance=~"$instance"'
_EVER_OPEN = f"max_over_time(surveil_event_open{{{ALL}}}[$__range] @ end())"
_MISSED = (
    f'sum by (instance, camera) (rate(surveil_frames_dropped_total{{{ALL},reason!~"decimated|idle"}}[5m])) / '
    f"(sum by (instance, camera) (rate(surveil_frames_processed_total{{{ALL}}}[5m])) + "
    f'sum by (instance, camera) (rate(surveil_frames_dropped_total{{{ALL},reason!~"decimated|idle"}}[5m])) > 0)'
)
_BEGUN = f'surveil_signals_total{{{ALL},outcome="opened"}}'
_AGES = f"surveil_frame_age_seconds_bucket{{{ALL}}}"
_OWN = 'alertname=~"Surveil.*",alertname!="SurveilDeadMansSwitch",alertstate="firing"'


def dashboard() -> dict[str, Any]:
    """Return the dashboard's JSON."""
    return frame.frame(
        "surveil-fleet",
        "Fleet",
        "What needs attention now: open events, cameras without a picture, alerts that are not delivered.",
        [
            ("What needs me now", _now()),
            ("Cameras", _cameras()),
            ("Events and their delivery", _delivery()),
        ],
        [frame.instance(several=True)],
    )


def _now() -> list[Panel]:
    return [
        kit.number(
            "Open events", "none", query(f"sum(surveil_event_open{{{ALL}}})"),
            why="Events that have begun and not ended. Momentary events, such as a line crossing, are never open.",
            limits=[(1, "orange")], width=3,
        ),
        kit.number(
            "Cameras without a picture", "none", query(f"count({states.dark_cameras(ALL)}) or vector(0)"),
            why="Cameras that are enabled and give no picture now.", limits=[(1, "red")], width=3,
        ),
        kit.number(
            "Daemons that do not answer", "none", query('count(up{job="surveil"} == 0) or vector(0)'),
            why="Targets of the job surveil that Prometheus cannot read.", limits=[(1, "red")], width=3,
        ),
        kit.number(
            "Alerts that wait", "none", query(f"sum(surveil_outbox_pending{{{ALL}}})"),
            why="Alerts that are committed and not yet accepted by their sinks. None is lost.",
            limits=[(1, "yellow"), (10, "red")], width=3,
        ),
        kit.number(
            "Dead letters", "none", query(f'sum(surveil_outbox_alerts{{{ALL},state="dead"}})'),
            why="Alerts that were given up: `surveil alerts list --state dead` says why.", limits=[(1, "red")], width=3,
        ),
        kit.number(
            "Room for evidence", "percentunit",
            query(f"min(surveil_state_free_bytes{{{ALL}}} / surveil_state_size_bytes{{{ALL}}})"),
            why="Free share of the fullest disk with a state directory. An alert fires below 5 %.",
            base="red", limits=[(0.05, "yellow"), (0.2, "green")], width=3,
        ),
        kit.number(
            "Rules switched off", "none", query(f"count(surveil_rule_armed{{{ALL}}} == 0) or vector(0)"),
            why="Rules that the operator has disarmed: they do not alert until they are armed again.",
            limits=[(1, "yellow")], width=3,
        ),
        kit.number(
            "Frames missed, worst camera", "percentunit", query(f"max({_MISSED})"),
            why="Share of the frames that were due and were not analysed. An alert fires above a fifth.",
            limits=[(0.05, "yellow"), (0.2, "red")], width=3, decimals=0,
        ),
        kit.timeline(
            "Open events",
            query(
                f"sum by (instance, camera, rule) (surveil_event_open{{{ALL}}}) and on (instance, camera, rule) "
                f"({_EVER_OPEN} > 0)",
                "{{camera}}: {{rule}}",
            ),
            why="One row for each camera and rule that had an open event in this time. A click leads to its picture.",
            values=states.EVENT, width=16, height=9,
            links=[frame.to_picture(), frame.to_camera("__field.labels")],
        ),
        kit.alert_list(
            "Alerts about surveil itself",
            why="Alerts of the shipped Prometheus rules. Each alert links to its section of the runbook.",
            height=9,
        ),
        kit.timeline(
            "Alerts about surveil itself, over time",
            query(
                f"max by (alertname, instance, camera, sink) (ALERTS{{{_OWN}}})",
                "{{alertname}} {{camera}}{{sink}} {{instance}}",
            ),
            why="When each alert fired. Needs the rules in prometheus/surveil.rules.yml.",
            values=states.FIRING, height=6,
        ),
    ]  # fmt: skip


def _cameras() -> list[Panel]:
    return [
        kit.timeline(
            "Cameras by state", query(states.camera_state(ALL), "{{camera}}"),
            why="What each camera was doing.", values=states.CAMERA, width=16, height=9,
            links=[frame.to_camera("__field.labels")],
        ),
        kit.lines(
            "How many cameras are in which state", "none",
            query(f"sum by (state) (surveil_camera_state{{{ALL}}}) > 0", "{{state}}"),
            why="The same, counted.", stacked=True, height=9,
            colours={name.replace(" ", "_"): colour for name, colour in states.CAMERA.values()},
        ),
        kit.grid(
            "Cameras now",
            {
                "up": (states.has_picture(ALL), "bool_yes_no"),
                "analysed": (f"sum by (instance, camera) (rate(surveil_frames_processed_total{{{ALL}}}[5m]))", "cps"),
                "missed": (_MISSED, "percentunit"),
                "age, 99 %": (
                    f"histogram_quantile(0.99, sum by (instance, camera, le) (rate({_AGES}[5m])))",
                    "s",
                ),
                "behind": (f"max by (instance, camera) (surveil_capture_lag_seconds{{{ALL}}})", "s"),
                "losses": (
                    f"sum by (instance, camera) (increase(surveil_camera_disconnects_total{{{ALL}}}[$__range]))",
                    "none",
                ),
                "events": (
                    f"sum by (instance, camera) (increase({_BEGUN}[$__range]))",
                    "none",
                ),
            },
            why="Frames analysed per second; frames that were due and were not analysed; age of a frame when it "
            "is analysed; lag of the stream; losses and events in the chosen time.",
            limits={
                "missed": [(0.05, "yellow"), (0.2, "red")],
                "age, 99 %": [(0.5, "yellow"), (2, "red")],
                "behind": [(0.5, "yellow"), (2, "red")],
                "losses": [(1, "yellow"), (5, "red")],
            },
            links={"camera": frame.to_camera("__data.fields")},
        ),
    ]  # fmt: skip


def _delivery() -> list[Panel]:
    return [
        kit.lines(
            "Events begun", "none",
            query(
                f"sum by (camera, rule) (increase({_BEGUN}[$__interval])) > 0",
                "{{camera}}: {{rule}}",
            ),
            why="Events that began, crossings included, in each interval.", bars=True, width=6,
        ),
        kit.lines(
            "Oldest undelivered alert", "s",
            query(f"max by (sink) (surveil_outbox_oldest_pending_seconds{{{ALL}}})", "{{sink}}"),
            why="Age of the oldest alert that waits. An alert fires after a quarter of an hour.",
            limits=[(60, "yellow"), (900, "red")], width=6,
        ),
        kit.lines(
            "Alerts that wait", "none", query(f"sum by (sink) (surveil_outbox_pending{{{ALL}}})", "{{sink}}"),
            why="By sink. An alert fires above 10 if the number is growing.", limits=[(10, "red")], width=6,
        ),
        kit.lines(
            "Attempts to deliver", "none",
            query(
                f"sum by (sink, result) (increase(surveil_delivery_attempts_total{{{ALL}}}[$__interval])) > 0",
                "{{sink}}: {{result}}",
            ),
            why="By sink and result, in each interval. `retry` is sent again later, `rejected` is a dead letter.",
            bars=True, width=6,
        ),
    ]  # fmt: skip
