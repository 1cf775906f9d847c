"""Second places behind a network: an SFTP server, an S3 bucket. Each is used by one thread, with a loop of its own."""

from __future__ import annotations

import asyncio
import re
import ssl
from abc import ABC, abstractmethod
from collections.abc import Coroutine
from datetime import timedelta
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar
from urllib.parse import urlsplit

from surveil.alerts.settings import OffsiteSettings
from surveil.errors import StateError
from surveil.extras import Extra, command

_LOGIN_S = 10.0
"""How long a connection and a login may take."""
_SLOWEST_BPS = 50_000
"""Bytes a second that a copy must reach; a server that is slower is taken for one that hangs."""
_PART_BYTES = 5 * 1024 * 1024
"""Of a file for S3, in memory at a time; the least that S3 allows."""
_Result = TypeVar("_Result")


class RemotePlace(ABC):
    """Runs what is asynchronous of a place. Raises OSError where it cannot take a file; it names the host."""

    def __init__(self, host: str, foreign: type[Exception]) -> None:
        """`foreign`: base of the exceptions of the library."""
        self._host = host
        self._expected = (OSError, TimeoutError, asyncio.CancelledError, foreign)
        self._runner: asyncio.Runner | None = None
        self._task: asyncio.Task[Any] | None = None
        """What is under way."""

    def put(self, source: Path, name: str) -> None:
        """Copy a file; it has its name once it is there whole."""
        size = source.stat().st_size
        self._run(self._put(source, size, name), _LOGIN_S + size / _SLOWEST_BPS)

    def look(self) -> str:
        """Return what is seen of the place without writing to it."""
        return self._run(self._look(), 2 * _LOGIN_S)

    def abort(self) -> None:
        """Give up what is under way. Any thread may call."""
        if (task := self._task) is not None:
            task.get_loop().call_soon_threadsafe(task.cancel)

    def close(self) -> None:
        """End the connection."""
        runner, self._runner = self._runner, None
        if runner is not None:
            runner.close()

    @abstractmethod
    async def _put(self, source: Path, size: int, name: str) -> None: ...

    @abstractmethod
    async def _look(self) -> str: ...

    def _why(self, error: BaseException) -> str:
        """Return what is wrong in a line, without secrets."""
        return str(error) or type(error).__name__

    def _run(self, work: Coroutine[Any, Any, _Result], seconds: float) -> _Result:
        self._runner = self._runner or asyncio.Runner()
        try:
            return self._runner.run(self._bounded(work, seconds))
        except self._expected as error:
            self.close()
            raise OSError(0, f"{self._host}: {self._why(error)}") from None

    async def _bounded(self, work: Coroutine[Any, Any, _Result], seconds: float) -> _Result:
        self._task = asyncio.current_task()
        try:
            async with asyncio.timeout(seconds):
                return await work
        finally:
            self._task = None


class SftpPlace(RemotePlace):
    """A folder of an SFTP server whose key is known. Raises StateError where the extra is not installed."""

    def __init__(self, settings: OffsiteSettings) -> None:
        try:
            import asyncssh  # noqa: PLC0415 - of an extra
        except ImportError as error:
            raise _missing("asyncssh", Extra.OFFSITE) from error
        self._ssh: Any = asyncssh
        self._settings, self._url = settings, urlsplit(settings.url)
        self._server: Any = None
        super().__init__(self._url.hostname or "", asyncssh.Error)

    def close(self) -> None:
        """End the connection."""
        server, self._server = self._server, None
        if server is not None:
            server.abort()
        super().close()

    async def _put(self, source: Path, size: int, name: str) -> None:
        target = PurePosixPath(self._url.path) / name
        beside = str(target.with_name(f".{target.name}.tmp"))
        async with (await self._connected()).start_sftp_client() as files:
            await files.makedirs(str(target.parent), exist_ok=True)
            await files.put(str(source), beside)
            if (await files.stat(beside)).size != size:
                raise OSError(0, "the copy is not as large as the file")
            await files.posix_rename(beside, str(target))

    async def _look(self) -> str:
        async with (await self._connected()).start_sftp_client() as files:
            is_there = await files.isdir(self._url.path)
        return "login accepted" + ("" if is_there else f"; {self._url.path} is made with the first copy")

    async def _connected(self) -> Any:
        self._server = self._server or await self._connect()
        return self._server

    async def _connect(self) -> Any:
        its = self._settings
        try:
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
        except self._ssh.KeyImportError:
            raise OSError(
                0, f"{its.key_file} is no private key without a passphrase: give one as `offsite.key_file`"
            ) from None
        except ValueError:
            raise OSError(
                0, f"{its.known_hosts} has a line that ssh-keyscan would not print: correct it"
            ) from None


class S3Place(RemotePlace):
    """A folder of a bucket. An object is there whole or not at all; the signature covers what is in it.

    Raises StateError where the extra is not installed or the settings do not fit.
    """

    def __init__(self, settings: OffsiteSettings) -> None:
        try:
            import obstore  # noqa: PLC0415 - of an extra
            from obstore.exceptions import BaseError, PermissionDeniedError  # noqa: PLC0415
            from obstore.store import S3Store  # noqa: PLC0415
        except ImportError as error:
            raise _missing("obstore", Extra.S3) from error
        self._s3: Any = obstore
        self._refused: type[Exception] = PermissionDeniedError
        url = urlsplit(settings.url)
        try:
            self._store = S3Store(
                url.netloc,
                prefix=url.path.strip("/") or None,
                config=_s3_config(settings),
                client_options=_s3_client(settings),
                # The copier pauses between its own attempts.
                retry_config={"max_retries": 1, "retry_timeout": timedelta(seconds=_LOGIN_S)},
            )
        except (BaseError, ValueError) as error:
            raise StateError(f"offsite: {self._why(error)}; correct `url`, `endpoint` or `ca_file`") from None
        host = urlsplit(settings.endpoint).hostname or "s3.amazonaws.com"
        super().__init__(f"{host}, bucket {url.netloc}", BaseError)

    async def _put(self, source: Path, size: int, name: str) -> None:
        del size
        await self._s3.put_async(self._store, name, source, chunk_size=_PART_BYTES, max_concurrency=1)

    async def _look(self) -> str:
        try:
            async for _page in self._s3.list(self._store, chunk_size=1):
                break
        except self._refused as error:
            if "<Code>AccessDenied<" not in str(error):
                raise
            return "key accepted; it may not list, which copies do not need"
        return "key accepted"

    def _why(self, error: BaseException) -> str:
        """Return the words of the server, or the innermost of what kept from reaching it."""
        text = str(error)
        if told := re.search(r"<Code>(\w+)</Code>\s*<Message>(.*?)</Message>", text, re.DOTALL):
            return f"{told[1]}: {told[2].strip()}{_REMEDIES.get(told[1], '')}"
        if told := re.search(r"InvalidCertificate\(\s*(?:Other\(\s*OtherError\(\s*)?(\w+)", text):
            return f"its certificate is not trusted ({told[1]}): give its authority as `offsite.ca_file`"
        if inner := re.findall(r'(?:message|error): "(.+?)"', text):
            return str(inner[-1])
        return text.partition("\n")[0] or type(error).__name__


_REMEDIES = {
    "NoSuchBucket": ": create it, or correct `offsite.url`",
    "SignatureDoesNotMatch": " Correct `offsite.secret_key`.",
    "InvalidAccessKeyId": " Correct `offsite.access_key`.",
    "AccessDenied": ": let the key write objects of this bucket (s3:PutObject)",
    "RequestTimeTooSkewed": " Set the clock of this machine, by NTP.",
}


def _s3_config(settings: OffsiteSettings) -> dict[str, str]:
    assert settings.secret_key is not None
    its_own = {"endpoint": settings.endpoint} if settings.endpoint else {}
    return {
        "access_key_id": settings.access_key,
        "secret_access_key": settings.secret_key.get_secret_value(),
        "region": settings.region,
        **its_own,
    }


def _s3_client(settings: OffsiteSettings) -> dict[str, Any]:
    options: dict[str, Any] = {
        "connect_timeout": timedelta(seconds=_LOGIN_S),
        "timeout": timedelta(seconds=_LOGIN_S + _PART_BYTES / _SLOWEST_BPS),
        "allow_http": settings.endpoint.startswith("http://"),
    }
    if settings.ca_file is not None:
        try:
            options["root_certificate"] = settings.ca_file.read_bytes()
            ssl.create_default_context(cafile=settings.ca_file)
        except ssl.SSLError:
            raise StateError(
                f"offsite.ca_file: {settings.ca_file} holds no certificate in PEM form"
            ) from None
        except OSError as error:
            raise StateError(f"offsite.ca_file: {settings.ca_file}: {error.strerror}") from error
    return options


def _missing(package: str, extra: Extra) -> StateError:
    return StateError(
        f"offsite.url needs the package {package}: run `{command(extra)}`, or mount the folder and set offsite.path"
    )
