"""Errors say who must act.

    SurveilError
    ├── ConfigError        the operator must mend the file: all messages at once, exit 78
    ├── SourceError        a camera is unreachable, silent, or sends nonsense: capture retries for ever
    ├── ModelError         model and decoder do not fit, or a required GPU is absent: fatal at start
    │   ├── DamagedModel   a stored version is not whole any more: it is set aside, one before it is used
    │   └── UnfitModel     the model section is wrong: for the operator to mend, as ConfigError
    ├── StateError         the state directory, the database or a file to write cannot be used: fatal at start
    ├── RetryLater         a sink cannot now: the courier backs off
    └── Rejected           a sink never will: the alert goes to the dead letters
        └── PartlyRejected some of its recipients have it, the others never will: the event's end goes nevertheless

Foreign exceptions become one of these at the module that calls the foreign library, where
credentials are also cut out of the message. Anything else is a bug and ends the program.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

EXIT_FAILED = 1
"""Anything that another start may mend, or a bug."""
EXIT_CONFIG = 78
"""EX_CONFIG of sysexits.h; systemd does not restart on it."""
EXIT_UNCLEAN = 70
"""EX_SOFTWARE: the daemon ended as it was told to, but a thread did not, and was left behind."""


class SurveilError(Exception):
    """Base of every error that surveil raises on purpose."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake of a configuration in parts, for machines."""

    file: str
    line: int | None
    path: str
    """Of the value in the file, as `cameras.yard.url`."""
    message: str


class ConfigError(SurveilError):
    """The configuration cannot be used. `messages` are complete lines: place, what, remedy.

    `mistakes` are the same in parts, where they are known.
    """

    def __init__(self, messages: list[str], mistakes: Sequence[Mistake] = ()) -> None:
        super().__init__("\n".join(messages))
        self.messages = messages
        self.mistakes = tuple(mistakes)


class Cause(StrEnum):
    """Why a camera was lost: a closed set, because it is a metric label."""

    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    """The login is good, and has no right to the stream."""
    BUSY = "busy"
    NOT_FOUND = "not_found"
    TLS = "tls"
    CERTIFICATE = "certificate"
    """The camera shows another certificate than the one that was kept, or one of no known authority."""
    REDIRECTED = "redirected"
    """The camera sends to another host, which is not followed."""
    STALLED = "stalled"
    ENDED = "ended"
    RESET = "reset"
    DAMAGED = "damaged"
    NO_VIDEO = "no_video"
    UNSUPPORTED = "unsupported"
    BEHIND = "behind"
    CHANGED = "changed"
    """Resolution or codec changed in mid-stream and the stream was opened again."""
    LEASE = "lease"
    """Another node of the fleet may watch the camera: this one has no lease of it now."""
    OTHER = "other"


class SourceError(SurveilError):
    """A camera's stream cannot be opened or has ended. Never carries credentials."""

    def __init__(self, cause: Cause, message: str) -> None:
        super().__init__(message)
        self.cause = cause


class ModelError(SurveilError):
    """A model file, its decoder or its execution provider cannot be used."""


class UnfitModel(ModelError):  # noqa: N818 - named for what is wrong: the model is not one that was meant
    """The model that the configuration names is not there or not ONNX, or decoder or labels do not fit it."""


class DamagedModel(ModelError):  # noqa: N818 - as above
    """A version of a model was whole when it was stored and is not now: another is used."""


class StateError(SurveilError):
    """The state directory, the database or a file that was to be written cannot be used."""


class RetryLater(SurveilError):  # noqa: N818 - named for what the caller does, not for what went wrong
    """The sink cannot take the alert now.

    `suspect`: the trouble may be this very alert (an HTTP 500), not the sink, so that others may go first.
    `takes_new`: the sink works, and alerts that were never tried need not wait.
    """

    def __init__(
        self, message: str, after_s: float | None = None, *, suspect: bool = False, takes_new: bool = False
    ) -> None:
        super().__init__(message)
        self.after_s = after_s
        self.suspect = suspect
        self.takes_new = takes_new


class Refused(RetryLater):
    """The sink has answered and refuses this alert, perhaps for good: a few more tries, then it is a dead letter."""

    def __init__(self, message: str) -> None:
        super().__init__(message, suspect=True, takes_new=True)


class Rejected(SurveilError):  # noqa: N818 - as above
    """The sink will never take this alert."""


class PartlyRejected(Rejected):
    """Some recipients of the sink have taken the alert, the others never will."""
