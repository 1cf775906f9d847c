"""All live feeds and viewers, and the path from the threads of the daemon to the event loop.

Other threads append and ring; the event loop comes for it at most so often, and does everything else. Without a
viewer nothing is appended, rung or remuxed.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Protocol

import structlog
from anyio import to_thread

from surveil.clock import Clock
from surveil.console.live.feed import CameraFeed, Jpeg, Secrecy
from surveil.console.live.metrics import LiveMetrics
from surveil.console.live.reasons import WhyPictures
from surveil.console.live.tracks import tracks_message
from surveil.console.live.viewer import Viewer, ViewerKind
from surveil.console.live.wire import Message, message
from surveil.console.running import CameraState
from surveil.engine import Step
from surveil.errors import StateError
from surveil.metrics import Metrics
from surveil.types import Alert, Observation, Phase

log = structlog.get_logger(__name__)

_PUMP_S = 0.025
"""How often at most the loop comes for what was appended: what came meanwhile goes out in one piece."""
_STATES_S = 0.5
"""How often states are looked at."""
_FRESH_S = 1.0
"""A picture that is no older need not be taken again."""
MOST_VIEWERS = 64
"""Connections at once."""


class Told(Protocol):
    """What viewers are told besides pictures. Asked on threads of the web server."""

    def states(self) -> Sequence[CameraState]:
        """Return the states of all cameras; asked on the event loop, too."""

    def open_events(self) -> Sequence[tuple[str, str]]:
        """Return camera and id of the events that go on."""

    def event(self, event: str) -> Mapping[str, object] | None:
        """Return an event as the API has it."""


class LiveHub:
    """The live view. Made by the main thread; see each part for who may call it."""

    def __init__(self, clock: Clock, metrics: Metrics) -> None:
        self._clock = clock
        self._metrics = metrics.of(LiveMetrics)
        self._feeds: dict[str, CameraFeed] = {}
        """Replaced as a whole by the main thread, never changed in place."""
        self._calls: deque[Callable[[], None]] = deque()
        self._changes: dict[CameraFeed, Callable[[], None]] = {}
        """What is to happen to a feed, the newest only: without a viewer nothing takes it, and reloads go on."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._rung = False
        self._closed = False
        # The rest belongs to the event loop.
        self._watched: frozenset[str] = frozenset()
        """Cameras with viewers; read by any thread."""
        self._viewers: dict[Viewer, tuple[str, ...]] = {}
        self._told: Told | None = None
        self._known: dict[str, CameraState] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._next_pump = self._next_states = 0.0
        self._encoding: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    # The main thread.

    def tell_by(self, told: Told) -> None:
        """Say where states and events come from, before the first viewer."""
        self._told = told

    def follow(self, camera: str, secrecy: Secrecy, *, is_webcam: bool) -> None:
        """Show a camera, which is new or has other settings."""
        feed = self._feeds.get(camera)
        if feed is None:
            feed = CameraFeed(camera, self._clock, self._metrics, self._ring)
            feed.show_by(secrecy, is_webcam=is_webcam)
            self._feeds = {**self._feeds, camera: feed}
        else:
            self._change(feed, partial(feed.show_by, secrecy, is_webcam=is_webcam))

    def drop(self, camera: str) -> None:
        """Let a camera go, if it is shown."""
        feed = self._feeds.get(camera)
        if feed is None:
            return
        self._feeds = {name: one for name, one in self._feeds.items() if name != camera}
        if self._loop is None:  # nobody has ever looked
            self._changes.pop(feed, None)
        else:
            self._change(feed, feed.close)

    def feed(self, camera: str) -> CameraFeed | None:
        """Return a camera's feed; any thread may ask."""
        return self._feeds.get(camera)

    def close(self) -> None:
        """End all viewers, so that the web server need not wait for them."""
        self._closed = True
        self._post(self._end_all)

    # Any thread.

    def analysed(self, camera: str, observation: Observation, step: Step) -> None:
        """Show the tracks of a frame to those who watch."""
        if camera in self._watched:
            self._post(lambda: self._show_tracks(camera, observation, step))

    def committed(self, alerts: Iterable[Alert]) -> None:
        """Tell of events that begin or end."""
        for alert in alerts:
            if alert.camera in self._watched:
                self.tell_event(alert.camera, alert.event_id, alert.phase)

    def tell_event(self, camera: str, event: str, phase: Phase | str) -> None:
        """Tell of an event; `update`: something about it has changed, which of one that is over is told as its end."""
        if camera in self._watched:
            self._post(lambda: self._start(self._tell_event(camera, event, phase)))

    def _change(self, feed: CameraFeed, change: Callable[[], None]) -> None:
        """Have the event loop change a feed, instead of what it was to do to it before."""
        self._changes[feed] = change
        self._ring()

    def _post(self, call: Callable[[], None]) -> None:
        """Have the event loop do something; without one, before anything else that it does."""
        self._calls.append(call)
        self._ring()

    def _ring(self) -> None:
        loop = self._loop
        if loop is None or self._rung:
            return
        self._rung = True
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(self._schedule)

    def now(self) -> float:
        """Return the Unix time by which viewers are told."""
        return self._clock.wall()

    # The event loop: turns.

    def _schedule(self) -> None:
        if self._timer is not None:
            return
        loop = asyncio.get_running_loop()
        if (wait_s := self._next_pump - loop.time()) > 0:
            self._timer = loop.call_later(wait_s, self._pump)
        else:
            self._pump()

    def _pump(self) -> None:
        """Take what other threads have left."""
        loop = asyncio.get_running_loop()
        self._timer, self._next_pump = None, loop.time() + _PUMP_S
        self._rung = False  # before anything is taken: what comes now rings again
        while self._changes:
            self._changes.popitem()[1]()
        while self._calls:
            self._calls.popleft()()
        for camera in self._watched:
            if (feed := self._feeds.get(camera)) is not None:
                feed.advance()
                self._encode(feed)

    def _encode(self, feed: CameraFeed) -> None:
        """Make a JPEG of a camera's newest sight, one at a time."""
        if feed.camera in self._encoding or (make := feed.encoder()) is None:
            return
        self._encoding.add(feed.camera)
        self._start(self._encoded(feed, make))

    async def _encoded(self, feed: CameraFeed, make: Callable[[], Jpeg | None]) -> None:
        try:
            jpeg = await to_thread.run_sync(make)
        finally:
            self._encoding.discard(feed.camera)
        if jpeg is not None:
            feed.show(jpeg)
        self._encode(feed)

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # The event loop: viewers.

    @property
    def is_full(self) -> bool:
        """Whether there are as many viewers as there may be, or none shall come any more."""
        return self._closed or len(self._viewers) >= MOST_VIEWERS

    def attach(self, viewer: Viewer, cameras: Mapping[str, bool]) -> None:
        """Send to a viewer: camera → whether it wants video."""
        self._attend()
        self.look_at_states()
        self._viewers[viewer] = tuple(cameras)
        for name, wants_video in cameras.items():
            if (feed := self._feeds.get(name)) is not None:
                feed.join(viewer, wants_video=wants_video)
        self._watch([*self._watched, *cameras])
        if viewer.takes_notes:
            self._look_at_states(viewer)
            self._start(self._tell_open(viewer))

    def detach(self, viewer: Viewer) -> None:
        """Send no more."""
        self._viewers.pop(viewer, None)
        for feed in self._feeds.values():
            feed.leave(viewer)
        self._watch(self._watched)

    def why_no_video(self, feed: CameraFeed) -> WhyPictures | None:
        """Return why a camera has no video, as far as its last key frame tells; None: it has."""
        self._attend()
        probe = Viewer(ViewerKind.PLAYER)
        why = feed.join(probe, wants_video=True)
        feed.leave(probe)
        return why

    async def picture(self, camera: str, patience_s: float) -> Jpeg | None:
        """Return a picture of a camera as of now; None where none comes in time."""
        self._attend()
        feed = self._feeds.get(camera)
        if feed is None:
            return None
        if feed.jpeg is not None and self._clock.wall() - feed.jpeg.at < _FRESH_S:
            return feed.jpeg
        waiter: asyncio.Future[Jpeg] = asyncio.get_running_loop().create_future()
        feed.await_picture(waiter)
        self._watch([*self._watched, camera])
        try:
            async with asyncio.timeout(patience_s):
                return await waiter
        except TimeoutError:
            return None
        finally:
            feed.await_no_picture(waiter)
            self._watch(self._watched)

    def _attend(self) -> None:
        """Belong to this loop; do what was posted before there was one."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._pump()

    def _watch(self, candidates: Iterable[str]) -> None:
        """Take note of which cameras are watched."""
        feeds = ((name, self._feeds.get(name)) for name in candidates)
        self._watched = frozenset(name for name, feed in feeds if feed is not None and feed.is_watched)

    def _end_all(self) -> None:
        for viewer in self._viewers:
            viewer.end()

    # The event loop: what is told.

    def _show_tracks(self, camera: str, observation: Observation, step: Step) -> None:
        feed = self._feeds.get(camera)
        if feed is not None:
            feed.tell(
                "tracks", tracks_message(camera, feed.wall(observation.frame.arrived), observation, step)
            )

    def look_at_states(self) -> None:
        """Tell of states that have changed; called by every connection now and then, and done once for all."""
        loop = asyncio.get_running_loop()
        if self._told is None or loop.time() < self._next_states:
            return
        self._next_states = loop.time() + _STATES_S
        states = {one.name: one for one in self._told.states()}
        for name, state in states.items():
            if _shown(state) != _shown(self._known.get(name)):
                for viewer, cameras in self._viewers.items():
                    if name in cameras:
                        viewer.note(_state_message(state))
        self._known = states

    def _look_at_states(self, viewer: Viewer) -> None:
        """Tell a new viewer of all states."""
        for name in self._viewers[viewer]:
            if name in self._known:
                viewer.note(_state_message(self._known[name]))

    async def _tell_open(self, viewer: Viewer) -> None:
        """Tell a new viewer of the events that go on."""
        if (told := self._told) is None:
            return
        try:
            for camera, event in await to_thread.run_sync(told.open_events):
                if camera in self._viewers.get(viewer, ()):
                    found = await to_thread.run_sync(told.event, event)
                    if found is not None and found.get("end") is None:
                        viewer.note(message({"type": "event", "phase": "start", "event": found}))
        except StateError as error:
            log.warning("open events not shown in the live view: database not readable", why=str(error))

    async def _tell_event(self, camera: str, event: str, phase: str) -> None:
        if self._told is None:
            return
        try:
            found = await to_thread.run_sync(self._told.event, event)
        except StateError as error:
            log.warning("event not shown in the live view: database not readable", why=str(error))
            return
        if found is None:
            return
        ended = phase == "update" and found.get("end") is not None
        told = message({"type": "event", "phase": "end" if ended else phase, "event": found})
        for viewer, cameras in self._viewers.items():
            if camera in cameras:
                viewer.note(told)


def _shown(state: CameraState | None) -> tuple[object, ...]:
    """Return what viewers are told of a state."""
    return () if state is None else (state.state, state.cause, state.since, state.decode)


def _state_message(state: CameraState) -> Message:
    told = {
        "type": "state",
        "camera": state.name,
        "state": state.state,
        "cause": state.cause,
        "since": state.since,
        "decode": {"mode": state.decode.mode, "why": state.decode} if state.decode else None,
    }
    return message(told)
