"""Secrets of every shape, wherever a configuration takes one: no surface shows four characters of any in a row."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from urllib.parse import quote, quote_plus, urlsplit

import av.error
import pytest
import structlog

from surveil import logs
from surveil.app.probe.report import StreamReport
from surveil.capture.causes import open_error, source_error
from surveil.config import load
from surveil.errors import Cause, ConfigError
from surveil.redact import SHOWN, cut, redact, scrub, secrets_of

A, B, C = "Qz7w", "Xk9v", "Jh4u"
"""Parts of the secrets, of letters that stand in none of our words."""
WHOLE = f"{A}{B}{C}"

LOGINS = [
    f"{A}{B}",
    f"{A}_{B}_{C}",
    f"{A}@{B}",
    f"{A}/{B}",
    f"{A}#{B}",
    f"{A}?{B}",
    f"{A}@{B}#{C}",
    f"{A}/{B}@{C}",
    f"12/{A}{B}",
    f"12#{A}{B}",
    f"{A}:{B}",
    f"{A}&{B}={C}",
    f"{A};{B}",
    f"{A}%40{B}",
    f"{A}%{B}",
    f"{A}+{B}",
    f"{A}%2525{B}",
    f"{A}'{B}",
    f'{A}"{B}',
    f"{A}\\{B}",
    f"{A}[{B}]",
    f"{A}${B}",
    f"{A}!{B}*({C})",
    f"{A}ä{B}",
    f"{A} {B}",
    f"{A}\t{B}",
    f"{A}//{B}",
    f"{A}@@{B}",
    f"{A}?{B}=@{C}",
    f"{A}\u200b{B}",
    f"{A}\x1b[31m{B}",
]
QUERIES = [
    f"password={WHOLE}",
    f"password={A}_{B}_{C}",
    f"pwd={A}/{B}",
    f"pw={WHOLE}",
    f"p={WHOLE}",
    f"code={WHOLE}",
    f"access={WHOLE}",
    f"pin={WHOLE}",
    f"sid={WHOLE}",
    f"api_key={WHOLE}",
    f"X-Amz-Signature={WHOLE}",
    f"loginuse=admin&loginpas={WHOLE}",
    f"usr=admin&pwd={A}&{B}",
    f"pw={A}&{B}={C}",
    f"pw={A};{B}",
    f"pw={A}#{B}",
    f"pw={A}?{B}",
    f"pw={A}@{B}",
    f"pw={A}=={B}",
    f"token={A}%2F{B}",
    f"token={A}+{B}",
    f"unknown={WHOLE}",
    f"stream={WHOLE}",
    f"channel=1/{WHOLE}",
    f"live={WHOLE.upper()}12",
    f'q={{"password":"{WHOLE}"}}',
    f"credentials[password]={WHOLE}",
    f"pass%77ord={WHOLE}",
    f"password:{WHOLE}",
    f"{WHOLE}",
    f"x=1&{WHOLE}",
]
PATHS = [
    f"user=admin_password={WHOLE}_channel=1_stream=0.sdp",
    f"user=admin_password={A}_{B}_channel=1",
    f"user=admin&password={A}/{B}&channel=1.sdp",
    f"user=admin;password={A};{B};ch=1",
    f"live/{WHOLE}",
    f"{WHOLE.lower()}12/live",
    f"live/{WHOLE}?enableSrtp",
    f"api/9f86d081884c7d65/{WHOLE}/mjpeg",
    f"live/{A}{B}",
    f"{A}{B}/live",
    f"live/{A}{B}.jpg",
    f"cgi-bin/{A}%00{B}/x",
    f"live/{A}-{B}-{C}",
    f"live/{A}_{B}_{C}",
    f"live/{A}.{B}.{C}/",
    f"app/{A.lower()}-{B.lower()}-{C.lower()}",
    f"{WHOLE.lower()}/live",
    f"{WHOLE.upper()}/live",
    f"admin/{A}{B}/ch1",
    f"admin:{A}/ch1",
    f"token/{A}",
    f"api-key/{A.lower()}/live",
    f"user/admin/pass/{A}/x",
]
SHAPES = [
    *[(f"rtsp://admin:{p}@192.0.2.7:554/cam", p) for p in LOGINS],
    *[(f"http://192.0.2.7/cam?{q}", q) for q in QUERIES],
    *[(f"rtsp://192.0.2.7/{path}", path) for path in PATHS],
    (f"rtsp://{WHOLE}@192.0.2.7/cam", WHOLE),
    (f"admin:{WHOLE}@192.0.2.7/cam", WHOLE),
    (f"rtsp:admin:{WHOLE}@192.0.2.7/cam", WHOLE),
    (f" RTSP://admin:{WHOLE}@192.0.2.7/cam", WHOLE),
    (f"rtsp://admin%3A{WHOLE}%40192.0.2.7/cam", WHOLE),
    (f"rtsp://admin：{WHOLE}＠192.0.2.7/cam", WHOLE),
    (f"//admin:{WHOLE}@192.0.2.7/cam", WHOLE),
    (f"rtsp;//admin:{WHOLE}@192.0.2.7/cam", WHOLE),
]


def parts() -> list[str]:
    """Every run of characters that may not be seen, in clear and as base64 has them wherever it begins."""
    runs = {part[i : i + SHOWN + 1] for part in (A, B, C) for i in range(len(part) - SHOWN)}
    for before in ("", "x", "xy"):
        coded = base64.b64encode(f"{before}{WHOLE}".encode()).decode().rstrip("=")[len(before) + 1 : -1]
        runs |= {coded[i : i + 6] for i in range(len(coded) - 6)}
    return sorted(runs)


def assert_silent(text: str) -> None:
    seen = [run for run in parts() if run.lower() in text.lower()]
    assert not seen, f"{seen} in {text}"


def told(url: str) -> list[str]:
    """What libraries say of an address when they fail."""
    try:
        host = str(urlsplit(url).hostname)
    except ValueError as error:
        host = str(error)
    return [
        url,
        repr(url),
        repr(url.encode(errors="surrogateescape")),
        json.dumps(url),
        json.dumps({"url": url}, ensure_ascii=False),
        quote(url, safe=""),
        quote_plus(url),
        quote(url),
        f"Failed to resolve hostname {host}: Name or service not known",
        f"tcp://{url.partition('://')[2]}?timeout=0: Connection refused",
        f"rtsp://other:{WHOLE}@192.0.2.9/x",
        repr(ValueError(repr(url))),
    ]


def test_there_are_sixty_shapes_and_the_checker_finds_what_it_looks_for() -> None:
    assert len(SHAPES) >= 60
    with pytest.raises(AssertionError):
        assert_silent(f"x{A.lower()}x")
    with pytest.raises(AssertionError):
        assert_silent(base64.b64encode(f"admin:{WHOLE}".encode()).decode())


@pytest.mark.parametrize(("url", "secret"), SHAPES, ids=[secret for _, secret in SHAPES])
def test_an_address_shows_nothing_of_it(url: str, secret: str) -> None:
    assert secret in url
    assert_silent(redact(url))
    for cause in Cause:
        assert_silent(str(source_error(cause, url, f"words and {url}")))
    for text in told(url):
        assert_silent(scrub(text, url))
        assert_silent(
            str(open_error(av.error.InvalidDataError(1094995529, text, url), url, [(16, "tcp", text)]))
        )
        assert_silent(str(open_error(OSError(5, text, url), url, ())))


@pytest.mark.parametrize(("url", "secret"), SHAPES, ids=[secret for _, secret in SHAPES])
@pytest.mark.parametrize("form", ["json", "human", "journal"])
def test_no_log_and_no_page_shows_it(
    url: str, secret: str, form: logs.Format, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "_secrets", logs._Secrets())
    logs.hide(secrets_of(url))
    out = io.StringIO()
    sent: list[str] = []
    monkeypatch.setattr(logs._Journal, "_send", lambda _self, fields: sent.append(fields))
    monkeypatch.setattr(logs._Journal, "info", lambda _self, fields: sent.append(fields))
    logs.configure(form, "debug", out)
    log = structlog.get_logger("test")
    for text in told(url):
        log.info(
            "camera lost", reason=text, parts=[text, {text: text}], error=ValueError(text), raw=text.encode()
        )
        page = {"cameras": {"yard": text}, "errors": {"yard": [text]}}
        assert_silent(json.dumps(logs.scrub(page)))
    if form == "journal":
        logs._journal()._socket.close()
        logs._journal.cache_clear()
    assert sent or out.getvalue()
    assert_silent("".join(sent) + out.getvalue())


@pytest.mark.parametrize(("url", "secret"), SHAPES, ids=[secret for _, secret in SHAPES])
@pytest.mark.parametrize("wrong", ["", "enabled: 7.5", "transport: {}", "streams: {{detect: [1, {}]}}"])
@pytest.mark.parametrize("from_env", [False, True])
def test_check_shows_nothing_of_it(tmp_path: Path, url: str, secret: str, wrong: str, from_env: bool) -> None:
    written = json.dumps("${env:CAMERA}" if from_env else url)
    path = tmp_path / "config.yaml"
    path.write_text(f"version: 1\ncameras:\n  yard:\n    url: {written}\n    {wrong.format(written)}\n")
    try:
        config = load(path, {"CAMERA": url})
    except ConfigError as error:
        assert_silent("\n".join(error.messages) + repr(error.mistakes))
        return
    stream = config.cameras["yard"].stream
    report = StreamReport(url=redact(stream.url), ok=False, state="lost")
    assert_silent(repr(config) + repr(config.cameras) + repr(report))
    assert_silent("".join(config.warnings))
    assert_silent("".join(cut(text, config.secrets) for text in told(url)[:8]))


@pytest.mark.parametrize(
    "secret", [f"{WHOLE}\n", f" {WHOLE}", f"{WHOLE}\r\n", f'"{WHOLE}"', f"{WHOLE}\0", f"ä{WHOLE}ß"]
)
def test_a_bearer_token_is_cut_out_of_what_a_library_says_of_the_header(secret: str) -> None:
    header = f"Bearer {secret}"
    for text in (
        header,
        repr(header),
        repr(header.encode()),
        f"Invalid header value {header.encode()!r}",
        header.strip(),
    ):
        assert_silent(cut(text, [secret]))
        assert_silent(cut(text, [header]))
    for coding in ("utf-8", "latin-1"):
        basic = base64.b64encode(f"admin:{secret}".encode(coding)).decode()
        assert_silent(cut(f"Authorization: Basic {basic}", [secret]))


def test_a_number_where_a_password_is_wanted_is_not_repeated(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("version: 1\nhttp: {token: 847362519}\n")
    with pytest.raises(ConfigError, match="must be text: put the number in quotes") as caught:
        load(path)
    assert "8473" not in str(caught.value)


def test_masking_leaves_the_words_around_it() -> None:
    assert cut("login of admin refused", ["hunter22"]) == "login of admin refused"
    assert cut("a hunter22b c", ["hunter22", "22b c"]) == "a ***"
    assert redact("rtsp://192.0.2.7/Streaming/Channels/101?transportmode=1&profile=Profile_1") == (
        "rtsp://192.0.2.7/Streaming/Channels/101?transportmode=1&profile=Profile_1"
    )


@pytest.mark.parametrize(
    "path",
    ["h264Preview_01_main", "Streaming/Channels/101", "axis-media/media.amp", "live/ch00_0", "videoMain", "av0_0",
     "MediaInput/h264/stream_1", "ISAPI/Streaming/channels/102/httpPreview", "LiveMedia/ch1/Media1", "AVStream1_1",
     "cam1ch2s3/x", "live0ch1", "mpeg4cif", "H264Ch1Sub", "0/onvif/profile1/media.smp", "Src/MediaInput/h264/stream_1",
     "unicast/c1/s0/live", "rtsp_live1", "hls/live2x.m3u8", "1080p25fps2ch", "VideoInput/1/h264/1", "vod/mp4:yard.mp4",
     "cgi-bin/mjpg/video.cgi", "stream2main"],
)  # fmt: skip
def test_the_paths_of_cameras_are_shown(path: str) -> None:
    assert redact(f"rtsp://192.0.2.7/{path}") == f"rtsp://192.0.2.7/{path}"


def test_messages_keep_the_words_that_stand_where_a_credential_would() -> None:
    url = "rtsp://192.0.2.7/user/camera1/login/video/ch:main"
    assert redact(url) == "rtsp://192.0.2.7/user/***/login/***/ch:***"
    assert secrets_of(url) == []
    assert secrets_of("rtsp://192.0.2.7/token/hunter22/x") == ["hunter22"]


def test_the_names_of_files_are_shown() -> None:
    assert redact("/home/user/clips/yard-A1b2C3d4.mp4") == "/home/user/clips/yard-A1b2C3d4.mp4"
