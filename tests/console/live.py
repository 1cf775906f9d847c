"""Viewers of a site's live pictures, and cameras that send what a test wants."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.client import HTTPConnection, HTTPResponse
from urllib.parse import urlencode

import numpy as np
from prometheus_client import CollectorRegistry

from surveil.capture.picture import ArrayPicture
from surveil.console.auth.gate import Gatekeeper
from surveil.console.live.feed import Secrecy
from surveil.console.live.hub import LiveHub
from surveil.console.live.news import News
from surveil.console.refusal import Refusal
from surveil.metrics import Metrics
from surveil.types import Finding, Frame
from surveil.view import FrameView
from tests.alerts.helpers import T0
from tests.console.site import Site, StillDaemon

MOST_MESSAGES = 5000


def captured(arrived):
    """Unix time of a moment on a site's monotonic clock."""
    return T0 - 1000.0 + arrived


class EndingGate(Gatekeeper):
    """Lets in whom the console lets in, until there is a refusal."""

    refusal: Refusal | None = None

    def identify(self, request, role, scope, *, changes):
        if self.refusal:
            raise self.refusal
        return super().identify(request, role, scope, changes=changes)


class ChangingDaemon(StillDaemon):
    """Whose cameras may be in another state."""

    def __init__(self, config):
        super().__init__(config)
        self.states = {}

    def cameras(self):
        there = super().cameras()
        usual = ("streaming", "")
        state = {one.name: self.states.get(one.name, usual) for one in there}
        return [replace(one, state=state[one.name][0], cause=state[one.name][1]) for one in there]


class LiveSite(Site):
    """A site whose states and rights change."""

    def __init__(self, folder):
        super().__init__(folder)
        self.daemon = ChangingDaemon(self.config)
        self.gate = EndingGate(self.config.http, self.auth.users, self.auth.sessions, self.clock.wall)
        self.registry = CollectorRegistry()
        self.live = LiveHub(self.clock, Metrics(self.registry))

    def parts(self):
        usual = super().parts()
        parts = replace(usual, auth=replace(usual.auth, gate=self.gate), live=self.live)
        self.live.tell_by(News(self.daemon, parts.history))
        return parts

    def metric(self, name, **labels):
        return self.registry.get_sample_value(name, labels)

    def __exit__(self, *exc):
        self.live.close()
        super().__exit__(*exc)


class Page:
    """A page that shows cameras; use in a `with`."""

    def __init__(self, address, **query):
        self._connection = HTTPConnection(*address, timeout=20)
        self._target = f"/api/v1/live?{urlencode(query)}" if query else "/api/v1/live"
        self._messages: Iterator[tuple[dict, bytes]] = iter(())
        self.seen: list[dict] = []

    def __enter__(self):
        self._connection.request("GET", self._target)
        self.response: HTTPResponse = self._connection.getresponse()
        self._messages = self._read()
        return self

    def __exit__(self, *exc):
        self.response.close()
        self._connection.close()

    def _read(self):
        data = b""
        while True:
            while len(data) >= 8:
                head, payload = struct.unpack(">II", data[:8])
                if len(data) < 8 + head + payload:
                    break
                yield json.loads(data[8 : 8 + head]), data[8 + head : 8 + head + payload]
                data = data[8 + head + payload :]
            more = self.response.read1(1 << 16)
            if not more:
                return
            data += more

    def next(self, kind: str, met: Callable[[dict], object] = lambda _header: True) -> tuple[dict, bytes]:
        """The next message of a kind that meets a condition."""
        for _ in range(MOST_MESSAGES):
            found = next(self._messages, None)
            assert found is not None, f"the stream ended before a message of type {kind}: {self.seen[-5:]}"
            self.seen.append(found[0])
            if found[0]["type"] == kind and met(found[0]):
                return found
        raise AssertionError(f"no message of type {kind}: {self.seen[-5:]}")

    def is_over(self) -> bool:
        """Wait for the end of the stream."""
        return all(header["type"] for header, _ in self._messages)


def show(site, camera="yard", secrecy: Secrecy | None = None, *, is_webcam=False):
    """Have the site show a camera; return its feed."""
    site.live.follow(camera, secrecy or Secrecy(), is_webcam=is_webcam)
    return site.live.feed(camera)


def send(feed, packets):
    """Send packets as a capture would."""
    for packet in packets:
        feed.tap.append(packet)


def frame(seq=0, arrived=0.0, size=(64, 48), value=200):
    """A frame of one colour."""
    picture = ArrayPicture(np.full((size[1], size[0], 3), value, np.uint8))
    return Frame(camera="yard", seq=seq, t=float(seq), t_wall=0.0, picture=picture, arrived=arrived)


class Moved(Finding):
    """The view is not the one that areas were drawn in."""

    @property
    def misfit(self):
        return "moved"


class Shower:
    """Shows frames of a camera one after another."""

    def __init__(self, feed):
        self._feed = feed
        self._seq = 0

    def __call__(self, *, moved=False, **changes):
        self._seq += 1
        view = FrameView(frame(self._seq, arrived=float(self._seq), **changes), ())
        if moved:
            view.found.append(Moved())
        self._feed.look.observe(view)
