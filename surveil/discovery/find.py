"""Search and questions side by side: each device is asked as soon as it has answered."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import replace
from urllib.parse import urlsplit

import structlog

from surveil.discovery.camera import FoundCamera, describe, unknown
from surveil.discovery.device import Login
from surveil.discovery.probe import Match, host_of, search

log = structlog.get_logger(__name__)

ASKED_AT_ONCE = 16
_PATH = "/onvif/device_service"


def find(
    login: Login | None,
    *,
    seconds: float,
    interfaces: Sequence[str] = (),
    hosts: Sequence[str] = (),
    progress: Callable[[int, int], None] = lambda *_: None,
    ask: Callable[[Match, Login | None], FoundCamera] = describe,
    until: float | None = None,
) -> list[FoundCamera]:
    """Return the cameras that answer within `seconds`, and those of `hosts`, sorted by address.

    `hosts`: `HOST`, `HOST:PORT` or URLs of device services; nothing is searched for then. `progress` is called with
    how many have answered and how many of these are known. `ask` asks one of them. `until`, monotonic s: who has not
    told by then stays unknown. Raises OSError where nothing can be sent.
    """
    matches = map(_named, hosts) if hosts else search(seconds, interfaces)
    pool = ThreadPoolExecutor(ASKED_AT_ONCE, "discovery")
    try:
        asked: dict[Future[FoundCamera], Match] = {}
        for match in matches:
            asked[pool.submit(_asked, ask, match, login)] = match
            progress(len(asked), sum(one.done() for one in asked))
        left = set(asked)
        while left and (seconds_left := _left_s(until)) != 0:
            _, left = wait(left, seconds_left, return_when=FIRST_COMPLETED)
            progress(len(asked), len(asked) - len(left))
        found = [unknown(match) if one in left else one.result() for one, match in asked.items()]
    finally:
        # Who is being asked still ends by its own time.
        pool.shutdown(wait=False, cancel_futures=True)
    return sorted(found, key=lambda found: (_order(found.address), found.service))


def _asked(
    ask: Callable[[Match, Login | None], FoundCamera], match: Match, login: Login | None
) -> FoundCamera:
    """Ask one device; never raises, whatever it answers."""
    try:
        return ask(match, login)
    except Exception as error:
        log.exception("bug in the questions to a device", address=match.address)
        return replace(unknown(match), problem=f"its answers are not understood: {type(error).__name__}")


def _left_s(until: float | None) -> float | None:
    return None if until is None else max(0.0, until - time.monotonic())


def _named(host: str) -> Match:
    """Return what is asked where a device was named."""
    service = host if "://" in host else f"http://{host}{_PATH}"
    if urlsplit(service).path in ("", "/"):
        service = service.rstrip("/") + _PATH
    address = host_of(service)
    return Match(endpoint=service, address=address, services=(service,))


def _order(address: str) -> tuple[int, ...]:
    with suppress(ValueError):
        return tuple(int(part) for part in address.split("."))
    return (999,)


def each_problem(found: Sequence[FoundCamera]) -> Iterator[str]:
    """Yield a line for each device that could not be described."""
    for camera in found:
        if camera.problem:
            yield f"{camera.address}: {camera.problem}"
