"""Cameras of the network, found by ONVIF, for the wizard."""

from __future__ import annotations

import threading
from itertools import chain

from pydantic import Field

from surveil.console.context import Call
from surveil.console.endpoint import Message
from surveil.console.refusal import Refusal

SECONDS = 3.0
"""How long answers are waited for."""
_ONE_AT_A_TIME = threading.BoundedSemaphore(1)


class DiscoveryBody(Message):
    """The login that all cameras have, and where to ask; without a host, the network is searched."""

    user: str = Field(default="", max_length=255)
    password: str = Field(default="", max_length=255, repr=False)
    host: str = Field(default="", max_length=255)


class DiscoveredCamera(Message):
    """One video source, as `POST /cameras` takes it. The addresses have no login."""

    id: str
    about: str
    """Maker, model, serial number, and what the analysed stream is."""
    url: str
    """Of the stream to analyse."""
    record_url: str
    """Of the larger stream; empty where there is only one."""
    advice: str
    """What to change in the camera; empty where all is well."""


class DiscoveryAnswer(Message):
    """What was found, and what did not answer as it should."""

    cameras: tuple[DiscoveredCamera, ...]
    notes: tuple[str, ...]


def discovery(call: Call, body: DiscoveryBody) -> DiscoveryAnswer:
    """Search the network for cameras; the password is sent to them as a digest only, and not kept."""
    if not _ONE_AT_A_TIME.acquire(blocking=False):
        raise Refusal(429, "limited", "a search is under way", remedy="try again in some seconds")
    try:
        return _found(call, body)
    finally:
        _ONE_AT_A_TIME.release()


def _found(call: Call, body: DiscoveryBody) -> DiscoveryAnswer:
    from surveil.discovery.device import Login  # noqa: PLC0415 - few consoles ever search
    from surveil.discovery.entries import advice, entries  # noqa: PLC0415
    from surveil.discovery.find import each_problem, find  # noqa: PLC0415

    login = Login(body.user, body.password) if body.user else None
    try:
        found = find(login, seconds=SECONDS, hosts=[body.host] if body.host else [])
    except OSError as error:
        raise Refusal(
            502, "network", f"the network cannot be searched: {error.strerror}", remedy="give a host"
        ) from error
    made = entries(found, taken=call.parts.daemon.config.cameras)
    return DiscoveryAnswer(
        cameras=tuple(
            DiscoveredCamera(
                id=one.name,
                about=one.comment,
                url=one.detect.url,
                record_url=one.record.url if one.record else "",
                advice=call.said(advice(one.detect)),
            )
            for one in made
        ),
        notes=tuple(
            map(
                call.said,
                chain(each_problem(found), (f"{one.address}: {note}" for one in found for note in one.notes)),
            )
        ),
    )
