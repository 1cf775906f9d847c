"""Remote arming over MQTT: `ON` and `OFF` from the broker become the operator's arming state.

A remote control of the daemon, and so off unless it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import structlog

from surveil.alerts.arming import ArmingChannel, Change, RuleKey, arm, disarm
from surveil.alerts.delivery import InstallationStatus
from surveil.alerts.homeassistant import topic_part
from surveil.clock import Clock
from surveil.errors import RetryLater, StateError

log = structlog.get_logger(__name__)
_WORDS = {b"ON": arm, b"OFF": disarm}
_MOST_WAITING = 100
"""Further commands are dropped: a client floods the topic."""


class RemoteArming:
    """Topics `<base>/<camera>/armed` (retained) and `<base>/<camera>/armed/set`. Owned by its sink's thread."""

    def __init__(self, base: str, state_dir: Path, clock: Clock) -> None:
        self._base = base
        self._path = state_dir / "surveil.db"
        self._clock = clock
        self._board: ArmingChannel | None = None
        self._waiting: list[tuple[str, bytes]] = []

    def listen(self, client: Any) -> None:
        """Ask a connected MQTT client for commands: those from now on, none that were retained or missed."""
        from paho.mqtt.subscribeoptions import SubscribeOptions  # noqa: PLC0415 - optional

        client.on_subscribe = self._heard_of
        client.on_message = lambda _client, _data, m: self.hear(m.topic, m.payload, retained=m.retain)
        never = SubscribeOptions.RETAIN_DO_NOT_SEND
        client.subscribe(f"{self._base}/+/armed/set", options=SubscribeOptions(qos=1, retainHandling=never))

    def _heard_of(self, _client: Any, _data: Any, _mid: Any, codes: Iterable[Any], _properties: Any) -> None:
        # Alerts matter more than commands: they go on.
        if any(code.is_failure for code in codes):
            log.error("broker refuses the subscription to arming commands", topics=self._base)

    def hear(self, topic: str, payload: bytes, *, retained: bool) -> None:
        """Take a command. One that was retained is from another time and counts for nothing."""
        if not retained and payload in _WORDS and len(self._waiting) < _MOST_WAITING:
            self._waiting.append((topic, payload))

    def follow(self, status: InstallationStatus) -> dict[str, bytes]:
        """Do what was asked for; return topic → payload of the switches. Raises RetryLater."""
        rules = {
            f"{self._base}/{topic_part(name)}/armed": [(name, rule) for rule in camera.rules]
            for name, camera in status.cameras.items()
            if camera.rules
        }
        try:
            self._board = self._board or ArmingChannel(self._path)
            while self._waiting:
                topic, word = self._waiting[0]
                self._switch(rules.get(topic.removesuffix("/set"), ()), word)
                del self._waiting[0]
            return self._states(rules)
        except StateError as error:
            raise RetryLater(f"the arming state cannot be read: {error}") from error

    def close(self) -> None:
        """Let go of the database."""
        if self._board is not None:
            self._board.close()
            self._board = None

    def _switch(self, keys: Iterable[RuleKey], word: bytes) -> None:
        keys = list(keys)
        if not keys:
            return
        assert self._board is not None
        now = self._clock.wall()
        change: Change = _WORDS[word](keys, now)
        self._board.change(change, now)
        log.warning("switched over MQTT", camera=keys[0][0], armed=word == b"ON")

    def _states(self, rules: dict[str, list[RuleKey]]) -> dict[str, bytes]:
        """A camera counts as armed while none of its rules is disarmed."""
        assert self._board is not None
        now = self._clock.wall()
        off = {key for key, switch in self._board.read().items() if switch.holds(now)}
        return {topic: b"OFF" if off.intersection(keys) else b"ON" for topic, keys in rules.items()}
