"""A second place by SFTP: a real server on loopback, whose key is checked."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from pydantic import SecretStr, ValidationError

from surveil.alerts.settings import OffsiteSettings
from surveil.offsite.remote import SftpPlace
from tests.offsite.silent import copy_and_give_up
from tests.optional import package

asyncssh = package("asyncssh")
pytestmark = [pytest.mark.rig, pytest.mark.slow]
PASSWORD = "s3cret-Pa55"


class Server:
    """asyncssh's own SFTP server over a folder, in a thread."""

    def __init__(self, root, key):
        self._root, self._key = root, key
        self._loop, self._ready = asyncio.new_event_loop(), threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._connections = []
        self.authorized = ""
        """A public key that may log in."""

    def _run(self):
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._listen())
        self._ready.set()
        self._loop.run_forever()
        self._listener.close()
        for connection in self._connections:
            connection.abort()
            self._loop.run_until_complete(connection.wait_closed())
        self._loop.run_until_complete(self._listener.wait_closed())
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    async def _listen(self):
        root = str(self._root).encode()

        connections, outer = self._connections, self

        class Login(asyncssh.SSHServer):
            def connection_made(self, connection):
                connections.append(connection)

            def begin_auth(self, username):
                if outer.authorized:
                    connections[-1].set_authorized_keys(asyncssh.import_authorized_keys(outer.authorized))
                return True

            def password_auth_supported(self):
                return True

            def validate_password(self, username, password):
                return (username, password) == ("nvr", PASSWORD)

        self._listener = await asyncssh.listen(
            "127.0.0.1", 0, server_factory=Login, server_host_keys=[self._key],
            sftp_factory=lambda channel: asyncssh.SFTPServer(channel, chroot=root),
        )  # fmt: skip

    def drop(self):
        """Cut all connections."""
        for connection in list(self._connections):
            self._loop.call_soon_threadsafe(connection.abort)
            asyncio.run_coroutine_threadsafe(connection.wait_closed(), self._loop).result(10)

    @property
    def port(self):
        return self._listener.sockets[0].getsockname()[1]

    def __enter__(self):
        self._thread.start()
        assert self._ready.wait(30)
        return self

    def __exit__(self, *exc):
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()


@pytest.fixture(scope="module")
def key():
    return asyncssh.generate_private_key("ssh-ed25519")


@pytest.fixture
def server(tmp_path, key):
    (tmp_path / "there").mkdir()
    with Server(tmp_path / "there", key) as made:
        yield made


class OnItsThread:
    """The place as the daemon has it: every call on one thread of its own."""

    def __init__(self, made):
        self._pool = ThreadPoolExecutor(1)
        self._place = self._pool.submit(SftpPlace, made).result()

    def close(self):
        self._pool.submit(self._place.close).result()
        self._pool.shutdown()

    def __getattr__(self, name):
        return lambda *given: self._pool.submit(getattr(self._place, name), *given).result()


def settings(server, folder, key, password=PASSWORD):
    public = key.export_public_key().decode().strip()
    hosts = folder / "known_hosts"
    hosts.write_text(f"[127.0.0.1]:{server.port} {public}\n")
    return OffsiteSettings(
        url=f"sftp://nvr@127.0.0.1:{server.port}/surveil", password=SecretStr(password), known_hosts=hosts
    )


def test_files_arrive_whole_and_again_where_they_are_already(server, tmp_path, key):
    source = tmp_path / "a.mp4"
    with closing(OnItsThread(settings(server, tmp_path, key))) as place:
        for data in (b"film" * 50_000, b"other"):
            source.write_bytes(data)
            place.put(source, "recordings/yard/2026-03-01/a.mp4")
            folder = tmp_path / "there/surveil/recordings/yard/2026-03-01"
            assert [path.name for path in folder.iterdir()] == ["a.mp4"]
            assert (folder / "a.mp4").read_bytes() == data


def test_a_look_logs_in_and_writes_nothing(server, tmp_path, key):
    with closing(OnItsThread(settings(server, tmp_path, key))) as place:
        assert place.look() == "login accepted; /surveil is made with the first copy"
    assert not list((tmp_path / "there").iterdir())


def test_a_server_with_another_key_gets_nothing(server, tmp_path):
    other = asyncssh.generate_private_key("ssh-ed25519")
    (tmp_path / "a").write_bytes(b"x")
    its = settings(server, tmp_path, other)
    with pytest.raises(OSError, match=r"127\.0\.0\.1"), closing(OnItsThread(its)) as place:
        place.put(tmp_path / "a", "a")
    assert not list((tmp_path / "there").iterdir())


def test_a_wrong_password_is_an_error_that_does_not_tell_it(server, tmp_path, key):
    (tmp_path / "a").write_bytes(b"x")
    its = settings(server, tmp_path, key, password="wr0ng-Pa55")
    with pytest.raises(OSError) as caught, closing(OnItsThread(its)) as place:
        place.put(tmp_path / "a", "a")
    assert "wr0ng-Pa55" not in str(caught.value)


def test_a_server_that_was_away_is_connected_to_again(server, tmp_path, key):
    (tmp_path / "a").write_bytes(b"x")
    with closing(OnItsThread(settings(server, tmp_path, key))) as place:
        place.put(tmp_path / "a", "a")
        server.drop()
        with pytest.raises(OSError, match=r"127\.0\.0\.1"):
            place.put(tmp_path / "a", "b")
        place.put(tmp_path / "a", "b")
    assert {path.name for path in (tmp_path / "there/surveil").iterdir()} == {"a", "b"}


def test_a_server_that_takes_nothing_more_does_not_hold_up_the_end(tmp_path, key):
    (tmp_path / "a").write_bytes(b"x")
    (tmp_path / "h").write_text("")

    def place(port):
        url = f"sftp://nvr@127.0.0.1:{port}/a"
        return SftpPlace(OffsiteSettings(url=url, password=SecretStr("x"), known_hosts=tmp_path / "h"))

    copy_and_give_up(place, tmp_path / "a", b"SSH-2.0-")


def test_a_key_logs_in_without_a_password(server, tmp_path, key):
    own = asyncssh.generate_private_key("ssh-ed25519")
    own.write_private_key(tmp_path / "own")
    server.authorized = own.export_public_key().decode()
    (tmp_path / "a").write_bytes(b"x")
    its = settings(server, tmp_path, key).model_copy(update={"password": None, "key_file": tmp_path / "own"})
    with closing(OnItsThread(its)) as place:
        place.put(tmp_path / "a", "a")
    assert (tmp_path / "there/surveil/a").read_bytes() == b"x"


def test_a_place_says_what_it_lacks(tmp_path):
    with pytest.raises(ValidationError, match="key_file"):
        OffsiteSettings(url="sftp://nvr@127.0.0.1/surveil", known_hosts=tmp_path)
    with pytest.raises(ValidationError, match="the password in 'url' is never used"):
        OffsiteSettings(url="sftp://nvr:s3@127.0.0.1/surveil", key_file=tmp_path, known_hosts=tmp_path)
    with pytest.raises(ValidationError, match="known_hosts"):
        OffsiteSettings(url="sftp://nvr@127.0.0.1/surveil", key_file=tmp_path)
    with pytest.raises(ValidationError, match="either"):
        OffsiteSettings(
            url="sftp://nvr@127.0.0.1/surveil", key_file=tmp_path, known_hosts=tmp_path, path=tmp_path
        )


@pytest.mark.parametrize("passphrase", ["", "locked"])
def test_a_key_that_cannot_be_used_is_told_and_ends_nothing(server, tmp_path, key, passphrase):
    file = tmp_path / "key"
    file.write_text("no key")
    if passphrase:
        made = asyncssh.generate_private_key("ssh-ed25519")
        made.write_private_key(str(file), "pkcs8-pem", passphrase=passphrase)
    its = settings(server, tmp_path, key).model_copy(update={"password": None, "key_file": file})
    refused = pytest.raises(OSError, match="key is no private key without a passphrase")
    with closing(OnItsThread(its)) as place, refused:
        place.look()


def test_known_hosts_that_are_none_are_told_and_end_nothing(server, tmp_path, key):
    its = settings(server, tmp_path, key)
    its.known_hosts.write_text("nothing\n")
    with closing(OnItsThread(its)) as place, pytest.raises(OSError, match="known_hosts has a line"):
        place.look()
