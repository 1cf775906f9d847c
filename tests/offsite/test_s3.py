"""A second place by S3: a real server on loopback that checks signatures, over HTTP and HTTPS."""

import socket
import subprocess
import time
from contextlib import closing, contextmanager

import pytest
from prometheus_client import CollectorRegistry
from pydantic import SecretStr, ValidationError

from surveil.alerts.settings import OffsiteSettings
from surveil.clock import ManualClock
from surveil.errors import StateError
from surveil.metrics import Metrics
from surveil.offsite.copier import Copier
from surveil.offsite.places import make_place
from surveil.offsite.remote import S3Place
from tests.alerts.servers import find, free_port, make_certificate, needs
from tests.offsite.silent import copy_and_give_up
from tests.optional import package

package("obstore")
RCLONE = find("rclone")
pytestmark = [pytest.mark.rig, needs("rclone")]
KEY, SECRET = "AKEXAMPLE", "planted-Secr3t/Key"
FILE = "evidence/yard/2026-03-01/a.jpg"


@contextmanager
def s3_server(folder, port, *options):
    """Serve the folders of `folder` as buckets."""
    listening = ["--addr", f"127.0.0.1:{port}", "--auth-key", f"{KEY},{SECRET}", "--config", "", *options]
    process = subprocess.Popen([RCLONE, "serve", "s3", str(folder), *listening], stderr=subprocess.DEVNULL)
    try:
        for _ in range(300):
            with socket.socket() as link:
                if link.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert process.poll() is None
            time.sleep(0.1)
        yield
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def there(tmp_path_factory):
    folder = tmp_path_factory.mktemp("buckets")
    (folder / "film").mkdir()
    return folder


@pytest.fixture(scope="module")
def port(there):
    port = free_port()
    with s3_server(there, port):
        yield port


def settings(port, **changed):
    plain = {
        "url": "s3://film/house",
        "endpoint": f"http://127.0.0.1:{port}",
        "access_key": KEY,
        "secret_key": SecretStr(SECRET),
        "backoff_s": 1.0,
    }
    return OffsiteSettings(**{**plain, **changed})


def refusal(its, source):
    """What the place says when it is given a file; it is closed."""
    with closing(S3Place(its)) as place, pytest.raises(OSError) as caught:
        place.put(source, FILE)
    assert SECRET not in str(caught.value)
    return str(caught.value)


def test_files_arrive_whole_in_one_piece_and_in_several_and_again_where_they_are_already(
    port, there, tmp_path
):
    source = tmp_path / "a"
    with closing(S3Place(settings(port))) as place:
        for data in (b"picture", bytes(range(256)) * 50_000, b"another"):
            source.write_bytes(data)
            place.put(source, FILE)
            assert (there / "film/house" / FILE).read_bytes() == data


def test_what_is_wrong_is_said_with_the_remedy(port, tmp_path):
    source = tmp_path / "a"
    source.write_bytes(b"x")
    wrong = settings(port, secret_key=SecretStr("wr0ng"))
    assert refusal(wrong, source).endswith("Correct `offsite.secret_key`.")
    assert "NoSuchBucket" in (said := refusal(settings(port, url="s3://none/a"), source))
    assert said.endswith("create it, or correct `offsite.url`")
    assert refusal(settings(1), source).endswith("127.0.0.1, bucket film: Connection refused")


@pytest.mark.parametrize(
    "text", ["", "hello", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_a_file_without_a_certificate_is_named(tmp_path, text):
    file = tmp_path / "ca.pem"
    file.write_text(text)
    with pytest.raises(StateError, match=rf"^offsite\.ca_file: {file} holds no certificate in PEM form$"):
        make_place(settings(1, endpoint="https://127.0.0.1:1", ca_file=file), tmp_path)


@pytest.mark.parametrize("folder", ["a//b", "../b"])
def test_a_folder_that_cannot_be_is_told(tmp_path, folder):
    with pytest.raises(StateError, match=r"^offsite: Could not parse path: .* correct `url`"):
        make_place(settings(1, url=f"s3://film/{folder}"), tmp_path)


@pytest.mark.parametrize(
    "changed",
    [
        {"endpoint": "https://exa mple:1"},
        {"endpoint": "https://127.0.0.1:99999"},
        {"endpoint": "https://[::::]:1"},
        {"url": "s3://fi lm/x"},
        {"access_key": "a\nb"},
    ],
)
def test_what_the_library_would_panic_at_is_refused(changed):
    with pytest.raises(ValidationError):
        settings(1, **changed)


def test_a_look_writes_nothing(port, there):
    before = sorted(there.rglob("*"))
    with closing(S3Place(settings(port, url="s3://film/other"))) as place:
        assert place.look() == "key accepted"
    with closing(S3Place(settings(port, access_key="other"))) as place, pytest.raises(OSError, match="key"):
        place.look()
    assert sorted(there.rglob("*")) == before


def test_nothing_is_forgotten_while_the_server_is_away(there, tmp_path):
    clock, registry, port = ManualClock(), CollectorRegistry(), free_port()
    state = tmp_path / "state"
    for n in range(3):
        file = state / f"recordings/yard/2026-03-02/{n}.mp4"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"film%d" % n)
    its = settings(port)
    copier = Copier(state, its, S3Place(its), Metrics(registry), clock, clock.monotonic, lambda: ())

    def run():
        for _ in range(20):
            clock.advance(400.0)
            copier._step()

    run()
    assert registry.get_sample_value("surveil_offsite_pending_files", {"kind": "recordings"}) == 3
    with s3_server(there, port):
        run()
    assert registry.get_sample_value("surveil_offsite_pending_files", {"kind": "recordings"}) == 0
    copies = there / "film/house/recordings/yard/2026-03-02"
    assert {path.name: path.read_bytes() for path in copies.iterdir()} == {
        f"{n}.mp4": b"film%d" % n for n in range(3)
    }
    copier._place.close()
    copier._queue.close()


def signed_certificate(folder):
    """Certificate of an authority, and certificate and key of 127.0.0.1 that it has signed."""
    authority, its_key = make_certificate(folder / "authority", "authority.example")
    certificate, key = folder / "cert.pem", folder / "key.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-CA",
        authority,
        "-CAkey",
        its_key,
        "-newkey",
        "rsa:2048",
        "-nodes",
    ]
    names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
    leaf = ["-addext", "basicConstraints=CA:FALSE", "-keyout", key, "-out", certificate]
    subprocess.run([*command, *names, *leaf], check=True, capture_output=True)
    return authority, certificate, key


def test_over_https_only_a_server_of_a_known_authority_gets_the_files(there, tmp_path):
    authority, certificate, key = signed_certificate(tmp_path)
    source, port = tmp_path / "a", free_port()
    source.write_bytes(b"over TLS")
    its = settings(port, endpoint=f"https://127.0.0.1:{port}", url="s3://film/tls")
    with s3_server(there, port, "--cert", str(certificate), "--key", str(key)):
        assert "its certificate is not trusted (UnknownIssuer)" in refusal(its, source)
        with closing(S3Place(its.model_copy(update={"ca_file": authority}))) as place:
            place.put(source, FILE)
    assert (there / "film/tls" / FILE).read_bytes() == b"over TLS"


def test_a_server_that_says_nothing_does_not_hold_up_the_end(tmp_path):
    (tmp_path / "a").write_bytes(b"x")
    copy_and_give_up(
        lambda port: S3Place(settings(port, region="eu-west-3")), tmp_path / "a", b"/eu-west-3/s3/"
    )


def test_settings_say_what_they_lack():
    with pytest.raises(ValidationError, match="secret_key"):
        OffsiteSettings(url="s3://film", access_key=KEY)
    assert settings(1).where == "s3://film/house at http://127.0.0.1:1"
    assert OffsiteSettings(url="s3://film", access_key=KEY, secret_key=SecretStr("x")).region == "us-east-1"
