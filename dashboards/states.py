"""The states that the metrics tell in labels, as numbers with names and colours, and the queries that make them so."""

from __future__ import annotations

from surveil.features.normality.result import NormalityState
from surveil.metrics import STATES

_COLOURS = {
    "streaming": "green",
    "degraded": "yellow",
    "catching_up": "light-green",
    "connecting": "blue",
    "waiting_for_keyframe": "light-blue",
    "lost": "red",
    "disabled": "text",
    "ended": "purple",
}
CAMERA = {number: (name.replace("_", " "), _COLOURS[name]) for number, name in enumerate(STATES, 1)}
"""The states of a camera; numbers follow `surveil.metrics.STATES`."""
EVENT = {0: (" ", "transparent"), 1: ("open", "orange")} | {
    n: (f"{n} open", "dark-orange") for n in range(2, 10)
}
"""How many events are open."""
RECORDED = {0: ("not recorded", "red"), 1: ("recorded", "green")}
ILL = {0: ("good", "green"), 1: ("ill", "red")}
FIRING = {1: ("firing", "red")}
ARMED = {1: ("may alert", "green"), 0: ("off by its schedule", "blue"), 2: ("disarmed", "orange")}
RELOAD = {
    1: ("taken", "green"),
    0: ("refused", "red"),
    -1: ("wants a restart", "orange"),
    -2: ("refused", "red"),
}
"""1 when it was taken, less 2 when something waits for a restart."""
VALID = {0: ("learning or invalid", "orange"), 1: ("may alert", "green")}
IN_USE = {0: ("not deployed", "red"), 1: ("in use", "green")}
_NORMALITY_COLOURS = {
    NormalityState.OFF: "text",
    NormalityState.LEARNING: "blue",
    NormalityState.PROVISIONAL: "light-green",
    NormalityState.READY: "green",
    NormalityState.INVALID: "orange",
}
NORMALITY = {
    number: (state.value, _NORMALITY_COLOURS[state]) for number, state in enumerate(NormalityState, 1)
}
"""What learned normality is doing."""


def camera_state(where: str) -> str:
    """Return the query of one number a camera, its place in `CAMERA`."""
    numbered = (
        f'{number} * (surveil_camera_state{{{where},state="{name}"}} == 1)'
        for number, name in enumerate(STATES, 1)
    )
    return f"max by (instance, camera) ({' or '.join(numbered)})"


def normality_state(where: str) -> str:
    """Return the query of one number a camera, its place in `NORMALITY`."""
    numbered = (
        f'{number} * (surveil_normality_state{{{where},state="{name}"}} == 1)'
        for number, (name, _) in NORMALITY.items()
    )
    return f"max by (instance, camera) ({' or '.join(numbered)})"


def armed(where: str) -> str:
    """Return the query of one number a rule, its place in `ARMED`."""
    switched = f"surveil_rule_armed{{{where}}}"
    told = f"surveil_rule_scheduled{{{where}}} * {switched} + 2 * (1 - {switched})"
    return f"max by (instance, camera, rule) ({told})"


def dark_cameras(where: str) -> str:
    """Return the query of cameras that are wanted and give no picture, one series each."""
    off = f'max by (instance, camera) (surveil_camera_state{{{where},state=~"disabled|ended"}})'
    return f"({has_picture(where)} == 0) unless ({off} == 1)"


def has_picture(where: str) -> str:
    """Return the query of 1 a camera that gives pictures, else 0."""
    states = "streaming|degraded|catching_up"
    return f'max by (instance, camera) (surveil_camera_state{{{where},state=~"{states}"}})'
