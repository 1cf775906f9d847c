"""Logging: for people on a terminal, as journal fields under systemd, as JSON lines elsewhere.

Transitions are logged. Occurrences are counted: in metrics, and in a `LogThrottle` where a line tells of them. Whatever
repeats nevertheless is held back, and a log that cannot be written keeps nothing from going on (`logstream`).
No secret reaches a log: every string value but our own words and names passes through `scrub`.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import sys
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from datetime import UTC, datetime
from functools import cache, partial
from typing import Any, Literal, TextIO

import structlog

from surveil import redact
from surveil.clock import Clock, SystemClock
from surveil.logstream import Flood, LineLoss, LineStream, losses

Format = Literal["auto", "human", "json", "journal"]
_OURS = frozenset({"level", "timestamp", "camera", "sink", "rule"})
"""Fields of our own words and of names in the configuration: a secret of a letter or two must not garble them."""
_SHORT = 4
"""Characters that a secret must have to be cut out of an event's text, which is a literal in our code."""
_OUR_LISTS = ("cameras_", "sinks_", "sections_", "restart_")
"""How the fields begin that name what a reload changed."""
_JOURNAL = "/run/systemd/journal/socket"
_PRIORITIES = {"critical": 2, "error": 3, "warning": 4, "info": 6, "debug": 7}
_WHAT = (
    "event", "level", "camera", "sink", "rule", "classifier", "thread", "logger", "problem", "warning", "id", "phase",
)  # fmt: skip
"""Fields that make a line another one; what is left (a reason, a count) differs from time to time.

Alerts that go to the log have an id: each is a line of its own.
"""
_Event = MutableMapping[str, Any]


def configure(
    fmt: Format = "auto", level: str = "info", stream: TextIO = sys.stderr, clock: Clock | None = None
) -> None:
    """Set up logging for the whole process. Libraries' own loggers go the same way from warning up."""
    kind = _detect(stream) if fmt == "auto" else fmt
    flood = Flood(clock or SystemClock())
    lines = _Lines(LineStream(stream, _gap_as_text if kind == "human" else _gap_as_json))
    structlog.configure(
        processors=[
            partial(_hold_back, flood),
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _scrub,
            *_renderers(kind, stream),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=(lambda *_: _journal()) if kind == "journal" else (lambda *_: lines),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(handlers=[_ToStructlog(flood)], level=logging.WARNING, force=True)


def _hold_back(flood: Flood, _logger: Any, method: str, event: _Event) -> _Event:
    """Drop a line that has been said often enough; why the program ends is always said."""
    if method == "critical":
        return event
    passes, held = flood.passes((method, *(str(event.get(field, "")) for field in _WHAT)))
    if not passes:
        raise structlog.DropEvent
    return {**event, "held_back": held} if held else event


_GAP = "log lines could not be written and were dropped"


def _gap_as_text(n: int) -> str:
    return f"{_GAP}: {n}"


def _gap_as_json(n: int) -> str:
    now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    return json.dumps({"event": _GAP, "times": n, "level": "warning", "timestamp": now})


class _Lines:
    """What structlog writes to where nothing but lines are understood."""

    def __init__(self, stream: LineStream) -> None:
        self._stream = stream

    def _send(self, line: str) -> None:
        self._stream.write(line)

    debug = info = warning = error = critical = exception = msg = log = _send


def _detect(stream: TextIO) -> Format:
    if stream.isatty():
        return "human"
    return "journal" if _goes_to_journal(stream) and os.path.exists(_JOURNAL) else "json"  # noqa: PTH110


def _goes_to_journal(stream: TextIO) -> bool:
    """Whether the journal reads `stream`: systemd.exec(5) has JOURNAL_STREAM as its device:inode.

    Child processes of a service inherit the variable, with any stream.
    """
    try:
        there = os.fstat(stream.fileno())
    except (OSError, ValueError):  # closed, or no file at all
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{there.st_dev}:{there.st_ino}"


def _renderers(kind: Format, stream: TextIO) -> list[Callable[..., Any]]:
    if kind == "human":
        return [structlog.dev.ConsoleRenderer(colors=stream.isatty())]
    traceback = structlog.processors.format_exc_info
    return [
        traceback,
        _journal_fields if kind == "journal" else structlog.processors.JSONRenderer(sort_keys=False),
    ]


class LogThrottle:
    """Lets one line a minute be said of what may occur at any rate; the next tells how often it was.

    Owned by one thread.
    """

    def __init__(self, clock: Clock, seconds: float = 60.0) -> None:
        self._clock = clock
        self._seconds = seconds
        self._opens_at = float("-inf")
        self._n = 0

    def take(self) -> int:
        """Note one occurrence; return how many there were since the last line, or 0 to say nothing now."""
        self._n += 1
        if self._clock.monotonic() < self._opens_at:
            return 0
        n, self._n = self._n, 0
        self._opens_at = self._clock.monotonic() + self._seconds
        return n


class _Secrets:
    """The strings that must never be printed. Set once when the configuration is read, extended on reload."""

    def __init__(self) -> None:
        self.strings: tuple[str, ...] = ()

    def add(self, secrets: Iterable[str]) -> None:
        self.strings = tuple({*self.strings, *secrets} - {""})

    def cut(self, text: str, least: int = 1) -> str:
        return redact.cut_logins(redact.cut(text, self.strings, least))


_secrets = _Secrets()


def hide(secrets: Iterable[str]) -> None:
    """Never print these strings from now on."""
    _secrets.add(secrets)


def scrub(value: Any) -> Any:
    """Return `value` with every known secret replaced, inside containers and exceptions too."""
    match value:
        case str():
            return _secrets.cut(value)
        case Mapping():
            return {_key(key): scrub(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [scrub(item) for item in value]
        case bool() | int() | float() | None:
            return value
        case _:
            return _secrets.cut(str(value))


def _key(key: Any) -> Any:
    """Return a key without secrets; it may be a name, which a secret of a letter or two must not garble."""
    return _secrets.cut(key, _SHORT) if isinstance(key, str) else key


def _scrub(_logger: Any, _method: str, event: _Event) -> _Event:
    exception = event.pop("exc_info", None)
    clean: _Event = {key: value if _is_ours(key) else scrub(value) for key, value in event.items()}
    clean["event"] = _secrets.cut(str(event.get("event", "")), _SHORT)
    if exception:
        trace = structlog.processors.ExceptionRenderer()(None, "", {"exc_info": exception}).get(
            "exception", ""
        )
        clean["exception"] = scrub(trace)
    return clean


def _is_ours(field: str) -> bool:
    return field in _OURS or field.startswith(_OUR_LISTS)


def _journal_fields(_logger: Any, _method: str, event: _Event) -> dict[str, str]:
    fields = {
        "MESSAGE": str(event.pop("event", "")),
        "PRIORITY": str(_PRIORITIES.get(str(event.pop("level", "info")), 6)),
        "SYSLOG_IDENTIFIER": "surveil",
    }
    event.pop("timestamp", None)
    extras = {
        key: value if isinstance(value, str) else json.dumps(value, default=str)
        for key, value in event.items()
    }
    shown = [f" {key}={value}" for key, value in extras.items() if key != "exception"]
    # journalctl shows nothing but the message unless asked, so a traceback is a part of it.
    traceback = f"\n{extras['exception']}" if "exception" in extras else ""
    fields["MESSAGE"] += "".join(shown) + traceback
    fields |= {f"SURVEIL_{key.upper()}": value for key, value in extras.items()}
    return {"fields": json.dumps(fields)}


class _Journal:
    """Writes entries with fields over the journal's native protocol, else as JSON lines."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._else = LineStream(sys.stderr, _gap_as_json)

    def _send(self, fields: str) -> None:
        entry = b"".join(_encode(key, value) for key, value in json.loads(fields).items())
        try:
            # A journal that is stopped reads nothing, and its socket is soon full.
            self._socket.sendto(entry, socket.MSG_DONTWAIT, _JOURNAL)
        except BlockingIOError:
            losses.add(LineLoss.UNWRITABLE)
        except OSError:
            self._else.write(fields)

    debug = info = warning = error = critical = exception = msg = log = _send


@cache
def _journal() -> _Journal:
    """Return the one socket of this process: structlog asks for a logger at every line."""
    return _Journal()


def _encode(key: str, value: str) -> bytes:
    """One field of the native protocol: sized when the value has newlines."""
    data = value.encode("utf-8", "backslashreplace")
    if b"\n" not in data:
        return key.encode() + b"=" + data + b"\n"
    return key.encode() + b"\n" + len(data).to_bytes(8, "little") + data + b"\n"


class _ToStructlog(logging.Handler):
    """Brings what libraries log through `logging` into the same stream."""

    def __init__(self, flood: Flood) -> None:
        super().__init__()
        self._flood = flood

    def emit(self, record: logging.LogRecord) -> None:
        """Log one record of a library, unless it has said the same often enough, of whatever."""
        if not self._flood.passes((record.name, record.levelno, str(record.msg)))[0]:
            return
        logger = structlog.get_logger(record.name)
        method = record.levelname.lower()
        say = getattr(logger, method if method in _PRIORITIES else "info")
        say(scrub(record.getMessage()), logger=record.name)
