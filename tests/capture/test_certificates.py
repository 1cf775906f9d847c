"""A camera that shows another certificate than before is not the camera, over RTSPS and over HTTPS."""

from __future__ import annotations

import stat
from contextlib import contextmanager
from pathlib import Path

import pytest

from surveil.capture.certificates import FOLDER, CertificatePlace, Pins, ffmpeg_options
from surveil.capture.opening import make_source
from surveil.capture.settings import StreamSettings, TlsSettings
from surveil.errors import SourceError
from tests.alerts.servers import make_certificate
from tests.capture.test_web import JPEGS, MULTIPART, part
from tests.rig.rtsp_camera import Camera
from tests.rig.tls_front import TlsFront
from tests.rig.web_server import WebRequest, WebServer

pytestmark = [pytest.mark.rig, pytest.mark.usefixtures("no_file_left_open")]
PASSWORD = "planted-secret"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Path]]:
    folder = tmp_path_factory.mktemp("certificates")
    names = {"own": "127.0.0.1", "new": "127.0.0.1", "elsewhere": "camera.example"}
    return {key: make_certificate(folder / key, name) for key, name in names.items()}


def pictures(request: WebRequest) -> None:
    request.begin(200, Content_Type=MULTIPART)
    request.send(part()(JPEGS[0]) * 3)
    request.stop.wait(10)


class Served:
    """A camera with a certificate on a port that stays while the certificate changes."""

    def __init__(self, scheme: str, camera: Camera, certificates: dict[str, tuple[Path, Path]]) -> None:
        self._scheme, self._camera, self._certificates = scheme, camera, certificates
        self.logins: list[str] = []

    @contextmanager
    def by(self, name: str):
        if self._scheme == "https":
            with WebServer(pictures, self._certificates[name]) as server:
                yield server.at("/video", f"joe:{PASSWORD}")
                self.logins = server.logins
        else:
            with TlsFront(self._camera.port, self._certificates[name]) as front:
                yield f"rtsps://127.0.0.1:{front.port}/cam"


@pytest.fixture(params=["rtsps", "https"])
def served(request: pytest.FixtureRequest, clips, certificates):
    with Camera(clips["h264"]) as camera:
        yield Served(request.param, camera, certificates)


def opened(url: str, pins: Pins, serial: str = "", **tls: object) -> str:
    """Open and read a picture; return the cause of what failed."""
    source = make_source(
        StreamSettings(url=url, serial=serial, open_timeout_s=1.0, tls=TlsSettings(**tls)), pins
    )
    try:
        source.open()
        return "" if source.read() else "nothing"
    except SourceError as error:
        return str(error) if PASSWORD in str(error) else str(error.cause)
    finally:
        source.close()


def as_of_the_same_place(folder: Path, url: str) -> None:
    """Let what was kept of a port count for another: tests do not choose ports."""
    (kept,) = (folder / FOLDER).iterdir()
    port = url.rpartition(":")[2].partition("/")[0]
    kept.rename(kept.with_name(f"127.0.0.1_{port}.pem"))


@pytest.mark.parametrize("first", ["own", "elsewhere"])
def test_the_first_certificate_is_kept_and_another_refused(
    served: Served, tmp_path: Path, first: str
) -> None:
    pins = Pins(tmp_path / FOLDER)
    with served.by(first) as url:
        assert [opened(url, pins) for _ in range(3)] == ["", "", ""]
    (kept,) = (tmp_path / FOLDER).iterdir()
    assert stat.S_IMODE(kept.stat().st_mode) & 0o007 == 0
    before = kept.read_bytes()
    with served.by("new") as url:
        as_of_the_same_place(tmp_path, url)
        assert opened(url, pins) == "certificate"
        assert served.logins == []
        (kept,) = (tmp_path / FOLDER).iterdir()
        assert kept.read_bytes() == before
        kept.unlink()  # as the message says
        assert opened(url, pins) == ""


def test_the_certificate_of_a_camera_with_a_serial_number_goes_where_the_camera_goes(
    served: Served, tmp_path: Path
) -> None:
    pins = Pins(tmp_path / FOLDER)
    with served.by("own") as url:
        assert opened(url, pins, serial="SN 7") == ""
        moved = url.replace("127.0.0.1", "localhost")
        assert opened(moved, pins, serial="SN 7") == ""
    (kept,) = (tmp_path / FOLDER).iterdir()
    assert kept.name.startswith("SN_7_")
    with served.by("new") as url:
        kept.rename(kept.with_name(f"SN_7_{url.rpartition(':')[2].partition('/')[0]}.pem"))
        assert opened(url, pins, serial="SN 7") == "certificate"


def test_a_serial_number_that_is_set_later_takes_the_kept_certificate_over(
    served: Served, tmp_path: Path
) -> None:
    pins, looks = Pins(tmp_path / FOLDER), Pins(tmp_path / FOLDER, keeps=False)
    with served.by("own") as url:
        assert opened(url, pins) == ""
    with served.by("new") as url:
        as_of_the_same_place(tmp_path, url)
        assert [opened(url, its, serial="SN 7") for its in (looks, pins)] == ["certificate"] * 2
        assert served.logins == []
    with served.by("own") as url:
        as_of_the_same_place(tmp_path, url)
        assert [opened(url, its, serial="SN 7") for its in (looks, pins)] == [""] * 2
    of_host, of_serial = sorted((tmp_path / FOLDER).iterdir())
    assert of_serial.name.startswith("SN_7_")
    assert of_serial.read_bytes() == of_host.read_bytes()


def test_the_message_says_what_to_do(served: Served, tmp_path: Path) -> None:
    with served.by("own") as url:
        opened(url, Pins(tmp_path / FOLDER))
    with served.by("new") as url:
        as_of_the_same_place(tmp_path, url)
        source = make_source(StreamSettings(url=url), Pins(tmp_path / FOLDER))
        with pytest.raises(SourceError, match=r"its certificate has changed .* delete .*\.pem"):
            source.open()
        source.close()


def test_a_probe_keeps_nothing(served: Served, tmp_path: Path) -> None:
    with served.by("own") as url:
        assert opened(url, Pins(tmp_path / FOLDER, keeps=False)) == ""
    assert not (tmp_path / FOLDER).exists()


def test_an_authority_must_have_signed_for_the_name(served: Served, certificates, tmp_path: Path) -> None:
    own, elsewhere = certificates["own"][0], certificates["elsewhere"][0]
    pins = Pins(tmp_path / FOLDER)
    with served.by("own") as url:
        assert opened(url, pins, verify="ca", ca_file=own) == ""
        assert opened(url, pins, verify="ca", ca_file=elsewhere) == "certificate"
        assert opened(url, pins, verify="ca") == "certificate"
        assert opened(url, pins, verify="off") == ""
    with served.by("elsewhere") as url:
        assert opened(url, pins, verify="ca", ca_file=elsewhere) == "certificate"
        assert opened(url, pins, verify="off") == ""
    assert not (tmp_path / FOLDER).exists()


def test_a_damaged_file_does_not_shut_a_camera_out(served: Served, tmp_path: Path) -> None:
    pins = Pins(tmp_path / FOLDER)
    with served.by("own") as url:
        opened(url, pins)
        (kept,) = (tmp_path / FOLDER).iterdir()
        kept.write_bytes(b"\xff\0 damaged")
        assert opened(url, pins) == ""
        assert b"BEGIN CERTIFICATE" in kept.read_bytes()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"ca_file": "/etc/hostname"}, "'verify: ca' only"),
        ({"verify": "ca", "ca_file": "/etc/hostname"}, "no certificate in PEM form"),
        ({"verify": "ca", "ca_file": "/nowhere/ca.pem"}, "No such file"),
    ],
)
def test_authorities_that_cannot_be_read_are_told_with_the_file(settings: dict[str, str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        TlsSettings(**settings)


def test_ffmpeg_is_told_in_every_case_whether_to_verify(certificates, clips, tmp_path):
    """Its default differs between versions: unsaid, FFmpeg 9 refuses cameras that sign for themselves."""
    with Camera(clips["h264"]) as camera, TlsFront(camera.port, certificates["own"]) as front:
        place = CertificatePlace("rtsps://127.0.0.1/cam", "127.0.0.1", front.port)
        said = [
            ffmpeg_options(place, settings, pins, 5.0).get("tls_verify")
            for settings in (TlsSettings(verify="off"), TlsSettings(verify="pin"))
            for pins in (Pins(), Pins(tmp_path))
        ]
    assert said == ["0", "0", "0", "1"]
