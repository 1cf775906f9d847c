"""Checks of this machine, as the daemon would find it."""

from __future__ import annotations

import ctypes
import os
import pwd
import shutil
from datetime import datetime
from pathlib import Path

from surveil.alerts.delivery import Context
from surveil.alerts.http import Server, request
from surveil.app.probe.report import Check, HostReport
from surveil.clock import Clock
from surveil.config import Config
from surveil.cuda import gpu_present
from surveil.errors import ConfigError, RetryLater
from surveil.filesystem import how_written
from surveil.listening import bind

_TIME_ERROR = 5
"""What adjtimex(2) returns while nothing holds the clock."""
_ANSWER_S = 2.0


def probe_host(config: Config, clock: Clock) -> HostReport:
    """Look at disk, port, clock, cores and memory; changes nothing."""
    user = user_name()
    free, size = _disk(config.state_dir)
    return HostReport(
        user=user,
        state_dir=_state_dir(config.state_dir, user),
        listen=_listen(config.http.listen),
        cores=len(os.sched_getaffinity(0)),
        memory_available_bytes=memory_available(),
        disk_free_bytes=free,
        disk_size_bytes=size,
        time_zone=time_zone(clock),
        clock_synchronised=clock_synchronised(),
        gpu=gpu_present(),
    )


def user_name() -> str:
    """Return the name of the user whose rights count; his number where he has no name."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def _state_dir(folder: Path, user: str) -> Check:
    try:
        return Check(ok=True, shown=f"{folder} {how_written(folder, folder=True)}")
    except OSError as error:
        remedy = f"probe as the user of the service ({user} asks), or set another `state_dir`"
        return Check(ok=False, shown="", message=f"state_dir: {folder}: {error.strerror}; {remedy}")


def _disk(folder: Path) -> tuple[int | None, int | None]:
    """Return free and all bytes where the folder lies, or would lie."""
    for place in (folder, *folder.absolute().parents):
        try:
            usage = shutil.disk_usage(place)
        except OSError:
            continue
        return usage.free, usage.total
    return None, None


def _listen(listen: str) -> Check:
    try:
        bind(listen).close()
    except ConfigError as error:
        if _is_surveil(listen):
            return Check(ok=True, shown=f"{listen} is in use by a running surveil")
        return Check(ok=False, shown="", message=str(error))
    return Check(ok=True, shown=f"{listen} is free")


def _is_surveil(listen: str) -> bool:
    try:
        return request(Server(Context(), _ANSWER_S), "GET", f"http://{listen}/", b"", {}).body.startswith(
            b"surveil:"
        )
    except RetryLater:
        return False


def memory_available() -> int | None:
    """Return the bytes that may be used without swapping, as the kernel estimates."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)


def time_zone(clock: Clock) -> str:
    """Return the local time zone, such as `Europe/Berlin (CET, UTC+01:00)`."""
    now = datetime.fromtimestamp(clock.wall()).astimezone()
    place = os.environ.get("TZ") or str(Path("/etc/localtime").resolve()).rpartition("zoneinfo/")[2]
    return f"{place} ({now.tzname()}, {now.strftime('UTC%z')[:6]}:{now.strftime('%z')[3:5]})"


def clock_synchronised() -> bool | None:
    """Return whether NTP or the like holds the clock; None where the kernel cannot be asked."""
    adjtimex = getattr(ctypes.CDLL(None), "adjtimex", None)
    # A struct timex of zeros asks and sets nothing; it is 208 bytes long.
    state = -1 if adjtimex is None else adjtimex(ctypes.create_string_buffer(512))
    return None if state < 0 else state != _TIME_ERROR
