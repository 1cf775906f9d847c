"""Search and questions side by side: each device is asked as soon as it has answered."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from urllib.parse import urlsplit

from surveil.discovery.camera import FoundCamera, describe
from surveil.discovery.device import Login
from surveil.discovery.probe import Match, host_of, search

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
) -> list[FoundCamera]:
    """Return the cameras that answer within `seconds`, and those of `hosts`, sorted by address.

    `hosts`: `HOST`, `HOST:PORT` or URLs of device services; nothing is searched for then. `progress` is called with
    how many have answered and how many of these are known. `ask` asks one of them and never raises. Raises OSError
    where nothing can be sent.
    """
    matches = map(_named, hosts) if hosts else search(seconds, interfaces)
    with ThreadPoolExecutor(ASKED_AT_ONCE, "discovery") as pool:
        asked: list[Future[FoundCamera]] = []
        for match in matches:
            asked.append(pool.submit(ask, match, login))
            progress(len(asked), sum(one.done() for one in asked))
        left = set(asked)
        while left:
            _, left = wait(left, return_when=FIRST_COMPLETED)
            progress(len(asked), len(asked) - len(left))
    return sorted((one.result() for one in asked), key=lambda found: (_order(found.address), found.service))


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
