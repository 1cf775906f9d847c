"""A camera that fails on command.

    python -m tests.rig.rtsp_camera CLIP [--user U --password P --auth basic|digest] [--transports tcp,udp]

Prints one JSON line {"port", "url"}; then each line on stdin is a command, answered by one JSON line:

    freeze | thaw        no more pictures, connections stay open and are answered: a stall
    hang | unhang        and requests are not answered either: a dead host
    corrupt R | drop R   a share R of the RTP payloads gets wrong bytes, or is lost
    garbage N            N random bytes into every TCP connection: the framing is destroyed
    kick | reset         close every connection by FIN, or by RST
    down | up            stop listening and reset everybody | listen again on the same port: a reboot
    delay S              answer DESCRIBE S seconds late
    jump S               the camera's time stamps jump by S seconds
    rate R               its time stamps run at R of real time
    stray S              every 20th picture is stamped S seconds away
    skew S               the camera's clock (RTCP) is S seconds ahead
    fps F                send F pictures a second
    switch FILE          go on with another clip in mid-stream: other size or codec
    stats                counts of clients and requests
    quit

From a test it is a context manager that runs in a process of its own:

    with Camera(clip) as camera:
        camera("freeze")
"""

from __future__ import annotations

import json
import os
import random
import secrets
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

from surveil.demo.rtp import CLOCK_HZ, Payload, RtpClip
from surveil.demo.rtsp_server import Access, RtspServer, parser
from tests import forked


class FailingCamera(RtspServer):
    """The loopback camera with faults; attributes are set by commands."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._random = random.Random(7)
        self.frozen = False
        self.hung = False
        self.corrupt = 0.0
        self.drop = 0.0
        self.delay_s = 0.0
        self.jump_s = 0.0
        self.skew_s = 0.0
        self.rate = 1.0
        self.stray_s = 0.0

    def paused(self) -> bool:
        return self.frozen or self.hung

    def timestamp_offset(self) -> int:
        return int(self.jump_s * CLOCK_HZ)

    def picture_ticks(self, index: int, timestamp: int) -> int:
        stray = int(self.stray_s * CLOCK_HZ) if index % 20 == 13 else 0
        return int(timestamp * self.rate) + stray & 0xFFFFFFFF

    def clock_skew_s(self) -> float:
        return self.skew_s

    def before_reply(self, method: str) -> None:
        while self.hung and not self.stop.wait(0.05):
            pass
        if method == "DESCRIBE":
            self.stop.wait(self.delay_s)

    def wire(self, payload: Payload) -> Payload | None:
        if self._random.random() < self.drop:
            return None
        if len(payload.data) > 24 and self._random.random() < self.corrupt:
            data = bytearray(payload.data)
            for _ in range(20):
                data[self._random.randrange(12, len(data))] = self._random.randrange(256)
            return Payload(bytes(data), payload.last)
        return payload

    def garbage(self, count: int) -> None:
        for session in self.sessions():
            with suppress(OSError):
                session.raw(secrets.token_bytes(count))

    def down(self) -> None:
        self.close_listener()
        self.close_clients(reset=True)

    def stats(self) -> dict[str, object]:
        sessions = self.sessions()
        return {
            "clients": len(sessions),
            "playing": sum(s.playing for s in sessions),
            "modes": [s.mode for s in sessions],
            "requests": self.requests,
        }


def _setter(camera: FailingCamera, name: str, value: object) -> Callable[[str], None]:
    return lambda _argument: setattr(camera, name, value)


def _number(camera: FailingCamera, name: str) -> Callable[[str], None]:
    return lambda argument: setattr(camera, name, float(argument))


def _commands(camera: FailingCamera) -> dict[str, Callable[[str], None]]:
    return {
        "freeze": _setter(camera, "frozen", True),
        "thaw": _setter(camera, "frozen", False),
        "hang": _setter(camera, "hung", True),
        "unhang": _setter(camera, "hung", False),
        "corrupt": _number(camera, "corrupt"),
        "drop": _number(camera, "drop"),
        "delay": _number(camera, "delay_s"),
        "jump": lambda a: setattr(camera, "jump_s", camera.jump_s + float(a)),
        "skew": _number(camera, "skew_s"),
        "rate": _number(camera, "rate"),
        "stray": _number(camera, "stray_s"),
        "fps": _number(camera, "fps"),
        "garbage": lambda a: camera.garbage(int(a)),
        "kick": lambda _: camera.close_clients(reset=False),
        "reset": lambda _: camera.close_clients(reset=True),
        "down": lambda _: camera.down(),
        "up": lambda _: camera.listen(),
        "switch": lambda a: setattr(camera, "clip", RtpClip(Path(a))),
    }


def _say(**fields: object) -> None:
    print(json.dumps(fields), flush=True)


def main() -> None:
    """Serve and obey until `quit` or the end of stdin."""
    options = parser().parse_args()
    camera = FailingCamera(
        RtpClip(options.file),
        port=options.port,
        access=Access(options.user, options.password, options.auth),
        transports=tuple(options.transports.split(",")),
        fps=options.fps,
    )
    with camera:
        _say(port=camera.port, url=camera.url)
        commands = _commands(camera)
        for line in sys.stdin:
            name, _, argument = line.strip().partition(" ")
            if name == "quit":
                break
            if name == "stats":
                _say(**camera.stats())
            else:
                commands[name](argument)
                _say(done=line.strip())


class Camera:
    """A failing camera in a process of its own."""

    def __init__(self, clip: Path, **options: object) -> None:
        self._argv = ["-m", "tests.rig.rtsp_camera", str(clip)]
        for name, value in options.items():
            self._argv += [f"--{name}", str(value)]
        user, password = options.get("user"), options.get("password", "")
        self._login = f"{quote(str(user), safe='')}:{quote(str(password), safe='')}@" if user else ""

    def __enter__(self) -> Self:
        (its_input, ours), (answers, its_output) = os.pipe(), os.pipe()
        with os.fdopen(its_input) as stdin, os.fdopen(its_output, "w") as stdout:
            self._process = forked.Child(
                self._argv, stdin=stdin, stdout=stdout, cwd=Path(__file__).parents[2]
            )
        self._orders, self._answers = os.fdopen(ours, "w", buffering=1), os.fdopen(answers)
        hello = self._answer()
        self.port: int = hello["port"]
        self.plain_url: str = hello["url"]
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._orders.write("quit\n")
        with suppress(OSError):
            self._orders.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._answers.close()

    @property
    def url(self) -> str:
        """Address with the credentials, if there are any."""
        return self.plain_url.replace("//", f"//{self._login}", 1)

    def __call__(self, command: str) -> dict[str, Any]:
        """Give a command; return the answer."""
        self._orders.write(command + "\n")
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self._answers.readline())
        return answer


if __name__ == "__main__":
    main()
