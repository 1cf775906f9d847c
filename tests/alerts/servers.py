"""Real counterparts of the sinks on free ports of the loopback: broker, Alertmanager, mail server."""

from __future__ import annotations

import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import urllib.error
import urllib.request
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from surveil.clock import ManualClock

from .helpers import Got


def needs(*programs: str) -> pytest.MarkDecorator:
    """Skip where a server is not installed, unless on CI, where it must be."""
    missing = [name for name in programs if not find(name)]
    skip = bool(missing) and os.environ.get("CI") != "true"
    return pytest.mark.skipif(skip, reason=f"not installed: {', '.join(missing)}")


@contextmanager
def tmpfs(target: Path, options: str) -> Iterator[None]:
    """Mount a file system of its own; skip where that is not allowed, unless on CI, where it must be."""
    target.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(target)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode and os.environ.get("CI") == "true":
        pytest.fail(f"cannot mount a tmpfs: {done.stderr}")
    if done.returncode:
        pytest.skip("cannot mount a tmpfs here")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(target)], check=True)


def find(program: str) -> str | None:
    """Return where a program is: on the PATH, among those of the system, or beside Python."""
    folders = (None, "/usr/sbin", Path(sys.executable).parent)
    return next((found for folder in folders if (found := shutil.which(program, path=folder))), None)


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def wait_for(done: Callable[[], bool], what: str, seconds: float = 15.0) -> None:
    """Poll a foreign process until it is ready."""
    pause = threading.Event()
    for _ in range(int(seconds / 0.05)):
        if done():
            return
        pause.wait(0.05)
    pytest.fail(f"no {what} within {seconds} s")


def listens(port: int) -> bool:
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def make_certificate(folder: Path, name: str = "127.0.0.1") -> tuple[Path, Path]:
    """Return certificate and key of a server that is called `name`; the certificate is its own authority."""
    folder.mkdir(parents=True, exist_ok=True)
    certificate, key = folder / "cert.pem", folder / "key.pem"
    kind = "IP" if name[0].isdigit() else "DNS"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        f"/CN={name}",
    ]
    command += ["-addext", f"subjectAltName={kind}:{name}", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    key.chmod(0o644)
    return certificate, key


def server_tls(certificate: Path, key: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    return context


@contextmanager
def process(command: list[str], ready: Callable[[], bool], what: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program until the block ends."""
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: ready() or running.poll() is not None, what)
        assert running.poll() is None, f"{what} ended at once"
        yield running
    finally:
        running.terminate()
        running.wait(10)


@contextmanager
def mosquitto(
    folder: Path, port: int, certificate: Path, key: Path, *more: str
) -> Iterator[subprocess.Popen[bytes]]:
    """A broker with TLS and a password: user `nvr`, password `s3cret`; `more` are lines of its configuration."""
    passwords = folder / "passwords"
    subprocess.run(
        [find("mosquitto_passwd"), "-b", "-c", passwords, "nvr", "s3cret"], check=True, capture_output=True
    )
    passwords.chmod(0o644)
    config = folder / "mosquitto.conf"
    config.write_text(
        f"listener {port} 127.0.0.1\ncertfile {certificate}\nkeyfile {key}\nallow_anonymous false\n"
        f"password_file {passwords}\nuser root\npersistence false\nlog_dest none\n"
        + "".join(f"{line}\n" for line in more)
    )
    with process([find("mosquitto"), "-c", str(config)], lambda: listens(port), "mosquitto") as running:
        yield running


@contextmanager
def alertmanager(folder: Path, hook: str) -> Iterator[str]:
    """An Alertmanager that groups for no time and tells a webhook; gives its address."""
    config = folder / "alertmanager.yml"
    config.write_text(
        "route: {receiver: hook, group_by: [alertname, camera], group_wait: 100ms, group_interval: 500ms}\n"
        f"receivers: [{{name: hook, webhook_configs: [{{url: '{hook}', send_resolved: true}}]}}]\n"
    )
    port = free_port()
    command = [find("prometheus-alertmanager"), f"--config.file={config}", f"--storage.path={folder / 'am'}"]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="]
    with process(command, lambda: listens(port), "alertmanager"):
        yield f"http://127.0.0.1:{port}"


class Mailbox:
    """An aiosmtpd handler that keeps what it gets; `answers` are given before it accepts."""

    def __init__(self, answers: tuple[str, ...] = ()) -> None:
        self.answers = list(answers)
        self.messages: list[bytes] = []
        self.logins: list[tuple[bytes, bytes]] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        if self.answers:
            return self.answers.pop(0)
        self.messages.append(envelope.original_content)
        return "250 OK"

    def authenticate(self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> Any:
        from aiosmtpd.smtp import AuthResult

        self.logins.append((data.login, data.password))
        return AuthResult(success=data.password == b"s3cret", handled=False)


@contextmanager
def smtp(mailbox: Mailbox, tls: ssl.SSLContext, security: str) -> Iterator[int]:
    """A mail server that demands TLS and a password; gives its port."""
    from aiosmtpd.controller import Controller
    from aiosmtpd.smtp import SMTP

    class Server(Controller):
        def factory(self) -> SMTP:
            with warnings.catch_warnings():
                # It does not know that the whole connection is encrypted already.
                warnings.simplefilter("ignore", UserWarning)
                return SMTP(
                    self.handler,
                    authenticator=mailbox.authenticate,
                    auth_required=True,
                    auth_require_tls=security == "starttls",
                    tls_context=tls if security == "starttls" else None,
                    require_starttls=security == "starttls",
                )

    port = free_port()
    context = tls if security == "tls" else None
    server = Server(mailbox, hostname="127.0.0.1", port=port, ssl_context=context)
    server.start()
    try:
        yield port
    finally:
        server.stop()


class Grafana:
    """As much of Grafana's annotations API as its documentation promises; an answer of a `Receiver`."""

    def __init__(self) -> None:
        self.annotations: list[dict[str, Any]] = []
        self._by_tag: dict[str, list[dict[str, Any]]] = {}

    def __call__(self, got: Got) -> tuple[int, dict[str, str], bytes]:
        if got.headers.get("Authorization") != "Bearer t0ken":
            return 401, {}, b'{"message":"Unauthorized"}'
        url = urlsplit(got.path)
        if got.method == "GET":
            return 200, {}, json.dumps(self._tagged(parse_qs(url.query).get("tags", []))).encode()
        if got.method == "POST":
            made = {"id": len(self.annotations) + 1, **got.json}
            self.annotations.append(made)
            for tag in made["tags"]:
                self._by_tag.setdefault(tag, []).append(made)
            return 200, {}, b'{"message":"Annotation added"}'
        self.annotations[int(url.path.rpartition("/")[2]) - 1].update(got.json)
        return 200, {}, b'{"message":"Annotation patched"}'

    def _tagged(self, tags: list[str]) -> list[dict[str, Any]]:
        found = self._by_tag.get(tags[0], []) if tags else self.annotations
        return [one for one in found if set(tags) <= set(one["tags"])]


def forward(base: str, got: Got) -> tuple[int, dict[str, str], bytes]:
    """Hand a request on to a real server; return its status and answer."""
    asked = urllib.request.Request(f"{base}{got.path}", got.body, method=got.method)
    asked.add_header("Content-Type", got.headers.get("Content-Type", ""))
    try:
        with urllib.request.urlopen(asked, timeout=5) as answer:
            return answer.status, {}, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, {}, error.read()


class EndsAfter(ManualClock):
    """Time that runs out once the answer was read, however slow the machine is."""

    def __init__(self) -> None:
        super().__init__()
        self.answered = threading.Event()
        self._looks = 0

    def monotonic(self) -> float:
        # Before each write and read: two may be of the request, and the third is of the answer, which is there.
        self._looks += self.answered.is_set()
        return super().monotonic() + (3600 if self._looks > 3 else 0)


@contextmanager
def answering(answer: bytes, *, read: int = 65_536, stays: EndsAfter | None = None) -> Iterator[str]:
    """A server that answers every request by these bytes after reading up to `read`; gives its address.

    `stays`: it keeps the connection open until the client has closed it.
    """
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                if connection.recv(read):
                    connection.sendall(answer)
                    if stays:
                        stays.answered.set()
                        while connection.recv(read):
                            pass

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/hook"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
        listener.close()
