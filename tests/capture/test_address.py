"""Addresses that can never work are refused with the remedy, and those that work are not."""

import pytest

from surveil.capture.address import check_address


@pytest.mark.parametrize(
    ("url", "remedy"),
    [
        ("RTSP://h/x", "small letters: rtsp://"),
        ("Http://h/x", "small letters: http://"),
        ("onvif://h/x", "give the rtsp:// address"),
        ("file:///x.mp4", "path of the file itself"),
        ("rtps://h/x", "did you mean"),
        ("rtsp:/h/x", "two slashes"),
        ("rtsp:h/x", "two slashes"),
        ("rtsp:///x", "two slashes"),
        ("rtsp://", "no host"),
        ("rtsp://u:p@/x", "no host"),
        ("rtsp://h:99999/x", "between 1 and 65535"),
        ("rtsp://h:0/x", "between 1 and 65535"),
        ("rtsp://h:/x", "port that is not a number"),
        ("rtsp://h:abc/x", "port that is not a number"),
        (" rtsp://h/x", "blank"),
        ("rtsp://h/x\n", "blank"),
        ("rtsp://h/a b", "%20"),
        ("rtsp://u:a#b@h/x", "%23"),
        ("rtsp://h/x?pw=a#b", "%23"),
        ("rtsp://u:a/b@h/x", "%2F"),
        ("rtsp://u:a?b@h/x", "%3F"),
        ("rtsp://user:12/34@h", "%2F"),
        ("rtsp://u:p@h/x?mail=a@b", "%40"),
        ("192.168.1.3/live", "begin a network address with rtsp://"),
        ("admin:pw@cam/live", "begin a network address with rtsp://"),
        ("cam:554/live", "begin a network address with rtsp://"),
        ("//cam/live", "begin a network address with rtsp://"),
        ("rtsp//h/x", "a colon and two slashes after the scheme: rtsp://"),
        ("rtsp;//u:p@h/x", "a colon and two slashes after the scheme: rtsp://"),
        ("HTTP：//h/x", "a colon and two slashes after the scheme: http://"),
        ("rtsp://192.168.1.300/x", "0 to 255"),
        ("rtsp://192,168,1,1/x", "not allowed in a host name"),
        ("rtsp://fe80::1/x", "brackets"),
        ("rtsp://[fe80::1/x", "brackets"),
        ("rtsp://<address>/x", "not allowed in an address"),
    ],
)
def test_what_can_never_work_is_refused_with_the_remedy(url: str, remedy: str) -> None:
    with pytest.raises(ValueError, match=remedy.replace("?", r"\?")):
        check_address(url)


@pytest.mark.parametrize(
    "url",
    [
        "rtsp://h/x",
        "rtsp://u:p@ss@h:554/x?a=b",
        "rtsp://admin:12abc%@h/x",
        "rtsp://u:@h/x",
        "rtsp://[2001:db8::1]:554/a@b",
        "rtsp://[fe80::1%25eth0]/x",
        "rtsp://cam_1.local./x",
        "rtsp://h/user=admin_password=x_channel=1",
        "udp://@239.0.0.1:5000",
        "srt://:9000?mode=listener",
        "/dev/video0",
        "0",
        "01:30",
        "x",
        "my clips/yard 1.mp4",
        "c:/clips/yard.mp4",
    ],
)
def test_what_may_work_is_left_as_it_is(url: str) -> None:
    assert check_address(url) == url
