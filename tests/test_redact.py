"""No credential gets through, however it is written."""

import pytest

from surveil.redact import redact, scrub, secrets_of


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("rtsp://192.0.2.7/cam", "rtsp://192.0.2.7/cam"),
        ("rtsp://192.0.2.7:554/cam?channel=1&subtype=0", "rtsp://192.0.2.7:554/cam?channel=1&subtype=0"),
        ("rtsp://u:secret@192.0.2.7/cam", "rtsp://***@192.0.2.7/cam"),
        ("rtsp://u:p%40ss%3Aw%2Frd@192.0.2.7/cam", "rtsp://***@192.0.2.7/cam"),
        ("rtsp://u:p@ss@192.0.2.7/cam", "rtsp://***@192.0.2.7/cam"),
        ("rtsp://u:p/ss@192.0.2.7/cam", "rtsp://***@192.0.2.7/cam"),
        ("rtsp://token@192.0.2.7/cam", "rtsp://***@192.0.2.7/cam"),
        ("rtsp://u:secret@[2001:db8::1]:554/cam", "rtsp://***@[2001:db8::1]:554/cam"),
        ("rtsp://[2001:db8::1]/a@b", "rtsp://[2001:db8::1]/a@b"),
        ("http://h/flv?app=x&user=admin&password=secret", "http://h/flv?app=x&user=***&password=***"),
        ("http://h/live?access_token=abc#frag", "http://h/live?access_token=***#***"),
        ("rtsp://h/user=admin_password=secret_channel=1", "rtsp://h/user=***_password=***_channel=1"),
        ("/dev/video0", "/dev/video0"),
        ("clips/yard.mp4", "clips/yard.mp4"),
    ],
)
def test_an_address_is_shown_without_its_credentials(url: str, shown: str) -> None:
    assert redact(url) == shown


@pytest.mark.parametrize(
    "text",
    [
        "cannot open 'rtsp://joe:p%40ss%3Aw@192.0.2.7/cam'",
        "login p@ss:w refused",
        "login p%40ss%3Aw refused",
        "Authorization for joe:p@ss:w",
        "tcp://joe:p%40ss%3Aw@192.0.2.7:554?timeout=0 failed",
    ],
)
def test_a_message_loses_the_password_in_every_spelling(text: str) -> None:
    cleaned = scrub(text, "rtsp://joe:p%40ss%3Aw@192.0.2.7/cam")
    assert "p@ss" not in cleaned
    assert "p%40ss" not in cleaned


def test_a_message_keeps_everything_else() -> None:
    url = "rtsp://joe:secret@192.0.2.7/cam"
    assert scrub(f"{url}: no answer within 3 s", url) == "rtsp://***@192.0.2.7/cam: no answer within 3 s"


def test_another_camera_s_login_in_a_message_is_cut_too() -> None:
    assert scrub("see rtsp://x:y@h/z", "rtsp://192.0.2.7/cam") == "see rtsp://***@h/z"


def test_a_token_in_the_query_is_cut_out_of_messages() -> None:
    assert (
        scrub("GET /live?token=abc123 failed", "http://h/live?token=abc123") == "GET /live?token=*** failed"
    )


def test_a_parameter_of_a_digit_takes_no_digits_out_of_messages() -> None:
    url = "http://h/live?session=0&pin=12&password=hunter22"
    assert secrets_of(url) == ["hunter22"]
    assert redact(url) == "http://h/live?session=***&pin=***&password=***"
