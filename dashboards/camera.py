"""*Camera*: everything about one camera."""

from __future__ import annotations

from typing import Any

from dashboards import frame, kit, states
from dashboards.kit import Panel, query

ONE = 'instance="$instance",camera="$camera"'


def dashboard() -> dict[str, Any]:
    """Return the dashboard's JSON."""
    return frame.frame(
        "surveil-camera",
        "Camera",
        "One camera: its picture, the analysis of its frames, and its events.",
        [
            ("State", _state()),
            ("Events", _events()),
            ("Frames", _frames()),
            ("What moves", _motion()),
            ("Stream", _stream()),
        ],
        [frame.instance(), frame.camera()],
    )


def _state() -> list[Panel]:
    return [
        kit.number(
            "State", "none", query(states.camera_state(ONE), "{{camera}}"), why="What the camera is doing.",
            values=states.CAMERA, base="text",
        ),
        kit.number(
            "Stream", "none",
            query(f"surveil_capture_info{{{ONE}}}", "{{codec}} {{resolution}}"),
            why="Codec and size.", show_name=True, base="text", empty="not open",
        ),
        kit.number(
            "Decoder", "none", query(f"surveil_capture_info{{{ONE}}}", "{{decoder}} over {{transport}}"),
            why="Decoder and transport of the stream.", show_name=True, base="text", empty="not open",
        ),
        kit.number(
            "Analysed", "cps", query(f"sum(rate(surveil_frames_processed_total{{{ONE}}}[$__rate_interval]))"),
            why="Frames analysed per second; `detect.fps` of the camera is the requested rate.",
            base="red", limits=[(0.5, "green")], decimals=1,
        ),
        kit.number(
            "Age of a frame, 99 %", "s", query(_age(0.99)),
            why="How old a frame is when its analysis starts. The objective is half a second.",
            limits=[(0.5, "yellow"), (2, "red")], empty="no frame",
        ),
        kit.number(
            "Clock", "s", query(f"max(surveil_camera_clock_skew_seconds{{{ONE}}})"),
            why="Camera clock minus host clock. Many cameras send no time. A difference of seconds makes the "
            "times in recordings wrong.",
            limits=[(-1e9, "red"), (-5, "yellow"), (-1, "green"), (1, "yellow"), (5, "red")], empty="not told",
        ),
        kit.timeline(
            "State over time", query(states.camera_state(ONE), "{{camera}}"), why="What the camera was doing.",
            values=states.CAMERA, width=8, height=5,
        ),
        kit.timeline(
            "May its rules alert", query(states.armed(ONE), "{{rule}}"),
            why="Whether a rule alerts: its schedule, and what the operator has switched off.",
            values=states.ARMED, width=8, height=5,
        ),
        kit.timeline(
            "Picture", query(f"max by (state) (surveil_picture_state{{{ONE}}})", "{{state}}"),
            why="Whether the picture is frozen, dark, covered, moved, …: needs a rule of type picture.",
            values=states.ILL, width=8, height=5, empty="no rule of type picture",
        ),
    ]  # fmt: skip


def _events() -> list[Panel]:
    return [
        kit.timeline(
            "Open events", query(f"sum by (instance, camera, rule) (surveil_event_open{{{ONE}}})", "{{rule}}"),
            why="By rule. A click leads to the picture. Crossings are over at once and never open.",
            values=states.EVENT, width=16, links=[frame.to_picture()],
        ),
        kit.words(
            "Last picture",
            "[![no picture yet, or it is behind the token]"
            "(${pages}/evidence/latest?camera=${camera}&at=${__to})]"
            "(${pages}/evidence/latest?camera=${camera}&at=${__to})",
        ),
        kit.lines(
            "Events begun", "none",
            query(
                f'sum by (rule) (increase(surveil_signals_total{{{ONE},outcome="opened"}}[$__interval]))', "{{rule}}"
            ),
            why="By rule, in each interval, crossings included.", bars=True, width=6,
        ),
        kit.levels(
            "Signals since the database was created", "none",
            query(
                f'sum by (rule, outcome) (surveil_ledger_signals{{{ONE},outcome!="raised"}}) > 0',
                "{{rule}}: {{outcome}}",
                at_once=True,
            ),
            why="Outcome of signals, by rule; the totals survive restarts.", empty="no rule has raised a signal",
            width=6,
        ),
        kit.lines(
            "What became of signals", "cps",
            query(f"sum by (outcome) (rate(surveil_signals_total{{{ONE}}}[$__rate_interval]))", "{{outcome}}"),
            why="A signal is what a rule sees in one frame. It opens an event, joins one, waits for `after_s`, or is "
            "suppressed.", width=6,
        ),
        kit.lines(
            "Suppressed and withheld", "cps",
            query(
                f"sum by (rule, reason) (rate(surveil_signals_suppressed_total{{{ONE}}}[$__rate_interval]))",
                "{{rule}}: {{reason}}",
            ),
            query(
                f"sum by (reason) (rate(surveil_alerts_withheld_total{{{ONE}}}[$__rate_interval]))",
                "withheld: {{reason}}",
            ),
            why="Why signals opened no event, and alerts that the rate limit withheld.", width=6,
        ),
    ]  # fmt: skip


def _frames() -> list[Panel]:
    return [
        kit.lines(
            "Frames", "cps",
            query(f"sum(rate(surveil_frames_received_total{{{ONE}}}[$__rate_interval]))", "decoded"),
            query(f"sum(rate(surveil_frames_processed_total{{{ONE}}}[$__rate_interval]))", "analysed"),
            query(
                f"sum by (reason) (rate(surveil_frames_dropped_total{{{ONE}}}[$__rate_interval]))",
                "passed over: {{reason}}",
            ),
            why="`decimated` frames are not due, because `detect.fps` asks for fewer. The others were due: "
            "`overwritten` by a newer one when the analysis is too slow, `damaged` by the network, `lost` at the end.",
            colours={"passed over: overwritten": "red", "passed over: damaged": "orange", "analysed": "green"},
        ),
        kit.lines(
            "Age of a frame", "s",
            *(query(_age(q), f"{q:.0%}") for q in (0.5, 0.95, 0.99)),
            why="Time from the arrival of a frame to its analysis, plus the lag of the stream. The objective is "
            "half a second.",
            limits=[(0.5, "red")],
        ),
        kit.heat(
            "Age of a frame, all of them", "s",
            f"sum by (le) (increase(surveil_frame_age_seconds_bucket{{{ONE}}}[$__rate_interval]))",
            why="Distribution of the ages. A second band means a second cause.", width=8,
        ),
    ]  # fmt: skip


def _motion() -> list[Panel]:
    return [
        kit.lines(
            "Motion", "percentunit", query(f"max(surveil_motion_ratio{{{ONE}}})", "moving"),
            why="Share of the picture that moved. Near 1, the light has changed or the camera was moved.", high=1,
        ),
        kit.lines(
            "Why the detector looked", "cps",
            query(
                f"sum by (decision) (rate(surveil_gate_decisions_total{{{ONE}}}[$__rate_interval]))", "{{decision}}"
            ),
            why="`closed_…` frames cost nothing: nothing moved, or everything did.", stacked=True,
        ),
        kit.lines(
            "Crops and detections", "cps",
            query(f"sum(rate(surveil_detector_crops_total{{{ONE}}}[$__rate_interval]))", "crops"),
            query(f"sum(rate(surveil_detections_total{{{ONE}}}[$__rate_interval]))", "detections"),
            query(f"max(surveil_tracks{{{ONE}}})", "tracks now"),
            why="Crops given to the detector, objects found, and objects tracked.",
        ),
    ]  # fmt: skip


def _stream() -> list[Panel]:
    return [
        kit.lines(
            "Bit rate", "bps", query(f"8 * sum(rate(surveil_capture_bytes_total{{{ONE}}}[$__rate_interval]))", "video"),
            why="Encoded video as it arrives.", width=6,
        ),
        kit.lines(
            "Behind real time", "s", query(f"max(surveil_capture_lag_seconds{{{ONE}}})", "behind"),
            query(f"max(surveil_camera_clock_skew_seconds{{{ONE}}})", "camera's clock ahead"),
            why="If a stream falls behind and stays behind, the link or the decoder is too slow.",
            width=6, low=None, limits=[(0.5, "red")],
        ),
        kit.lines(
            "Losses", "none",
            query(
                f"sum by (cause) (increase(surveil_camera_disconnects_total{{{ONE}}}[$__interval])) > 0", "{{cause}}"
            ),
            why="How often the stream was lost, by cause, in each interval.", bars=True, width=6,
        ),
        kit.lines(
            "Damage and openings", "none",
            query(f"sum(increase(surveil_capture_damage_total{{{ONE}}}[$__interval]))", "damage"),
            query(f"sum(increase(surveil_camera_connects_total{{{ONE}}}[$__interval]))", "opened"),
            why="Packet loss, corruption and missing pictures, and how often the stream was opened.", bars=True,
            width=6,
        ),
    ]  # fmt: skip


def _age(quantile: float) -> str:
    rates = f"rate(surveil_frame_age_seconds_bucket{{{ONE}}}[$__rate_interval])"
    return f"histogram_quantile({quantile}, sum by (le) ({rates}))"
