"""Where copies go: a folder of a mounted disk or share, or of an SFTP server."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from surveil.alerts.settings import OffsiteSettings
from surveil.errors import StateError
from surveil.extras import Extra, command
from surveil.filesystem import appearing, make_folders

_LOGIN_S = 10.0
"""How long a connection and a login may take."""
_SLOWEST_BPS = 50_000
"""Bytes a second that a copy must reach; a server that is slower is taken for one that hangs."""


class MountedPlace:
    """A folder on another disk, or on a share of another machine. Raises OSError where it cannot take a file."""

    def __init__(self, path: Path, state_dir: Path, *, same_disk: bool = False) -> None:
        self._path, self._state_dir, self._same_disk = path, state_dir, same_disk

    def put(self, source: Path, name: str) -> None:
        """Copy a file; it is there whole, and on the disk, when this returns."""
        self._check()
        target = self._path / name
        make_folders(target.parent)
        with appearing(target) as beside:
            shutil.copyfile(source, beside)

    def abort(self) -> None:
        """Do nothing: a copy is done soon, or hangs where nobody can end it."""

    def close(self) -> None:
        """Do nothing: nothing is held."""

    def _check(self) -> None:
        """Refuse the folder of a mount that is not mounted: copies on this disk would be none."""
        if not self._path.is_dir():
            raise OSError(0, f"{self._path} is not there; mount it, or create the folder on the mounted disk")
        if not self._same_disk and self._path.stat().st_dev == self._state_dir.stat().st_dev:
            raise OSError(
                0,
                f"{self._path} is on the disk of the state directory: is it mounted? "
                "`offsite.same_disk: true` allows it",
            )


class SftpPlace:
    """A folder of an SFTP server whose key is known. Used by one thread.

    Raises OSError where it cannot take a file, StateError where the extra is not installed.
    """

    def __init__(self, settings: OffsiteSettings) -> None:
        try:
            import asyncssh  # noqa: PLC0415 - of an extra
        except ImportError as error:
            raise StateError(
                f"offsite.url needs the package asyncssh: run `{command(Extra.OFFSITE)}`, or mount the folder and set "
                "offsite.path"
            ) from error
        self._ssh: Any = asyncssh
        self._settings, self._url = settings, urlsplit(settings.url)
        self._runner: asyncio.Runner | None = None
        self._server: Any = None
        self._task: asyncio.Task[None] | None = None
        """The copy under way."""

    def put(self, source: Path, name: str) -> None:
        """Copy a file; it has its name once it is there whole."""
        self._runner = self._runner or asyncio.Runner()
        copying = self._put(source, source.stat().st_size, PurePosixPath(self._url.path) / name)
        try:
            self._runner.run(copying)
        except (OSError, self._ssh.Error, TimeoutError, asyncio.CancelledError) as error:
            self.close()
            why = str(error) or type(error).__name__
            raise OSError(0, f"{self._url.hostname}: {why}") from None

    def abort(self) -> None:
        """Give up the copy under way. Any thread may call."""
        if (task := self._task) is not None:
            task.get_loop().call_soon_threadsafe(task.cancel)

    def close(self) -> None:
        """End the connection."""
        server, self._server = self._server, None
        if server is not None:
            server.abort()
        runner, self._runner = self._runner, None
        if runner is not None:
            runner.close()

    async def _put(self, source: Path, size: int, target: PurePosixPath) -> None:
        self._task = asyncio.current_task()
        try:
            if self._server is None:
                self._server = await self._connect()
            await self._copy(source, size, target)
        finally:
            self._task = None

    async def _copy(self, source: Path, size: int, target: PurePosixPath) -> None:
        beside = str(target.with_name(f".{target.name}.tmp"))
        async with asyncio.timeout(_LOGIN_S + size / _SLOWEST_BPS), self._server.start_sftp_client() as files:
            await files.makedirs(str(target.parent), exist_ok=True)
            await files.put(str(source), beside)
            if (await files.stat(beside)).size != size:
                raise OSError(0, "the copy is not as large as the file")
            await files.posix_rename(beside, str(target))

    async def _connect(self) -> Any:
        its = self._settings
        return await self._ssh.connect(
            self._url.hostname,
            port=self._url.port or 22,
            username=self._url.username,
            password=its.password.get_secret_value() if its.password else None,
            client_keys=[str(its.key_file)] if its.key_file else None,
            known_hosts=str(its.known_hosts),
            agent_path=None,
            config=None,
            login_timeout=_LOGIN_S,
            connect_timeout=_LOGIN_S,
        )


def make_place(settings: OffsiteSettings, state_dir: Path) -> MountedPlace | SftpPlace:
    """Return the second place of the settings. Raises StateError."""
    if settings.url:
        return SftpPlace(settings)
    assert settings.path is not None
    return MountedPlace(settings.path, state_dir, same_disk=settings.same_disk)
