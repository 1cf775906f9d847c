"""`surveil check --probe` of 16 cameras, four of them dead in different ways: seconds from the command to its end.

    python -m benchmarks.probe

The goal is 8 s, every cause named rightly. The cameras run on the same machine, so they take their share of it.
"""

from __future__ import annotations

import json
import resource
import socket
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from surveil.clock import SystemClock
from tests.rig.clips import make_clip
from tests.rig.rtsp_camera import Camera

CAMERAS, SIZE = 16, (1280, 720)
GOAL_S = 8.0


def main() -> None:
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        clip = make_clip(folder / "clip.mp4", size=SIZE, seconds=4.0, gop=15)
        well = [stack.enter_context(Camera(clip)) for _ in range(2)]
        locked = stack.enter_context(Camera(clip, user="joe", password="right"))
        hung = stack.enter_context(Camera(clip))
        hung("hang")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            closed = free.getsockname()[1]
        urls = {f"c{n:02}": well[n % 2].url for n in range(CAMERAS - 4)}
        urls |= {
            "refused": f"rtsp://127.0.0.1:{closed}/cam",
            "unauthorized": locked.plain_url.replace("//", "//joe:wrong@"),
            "not_found": well[0].url.replace("/cam", "/other"),
            "timeout": hung.url,
        }
        config = {
            "version": 1,
            "cameras": {name: {"url": url} for name, url in urls.items()},
            "state_dir": str(folder / "state"),
            "http": {"listen": "127.0.0.1:0"},
        }
        (folder / "config.yaml").write_text(json.dumps(config))
        clock = SystemClock()
        began, used = clock.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            [sys.executable, "-m", "surveil", "check", "--probe", "--json", "-c", folder / "config.yaml"],
            capture_output=True,
            text=True,
            check=False,
        )
        took = clock.monotonic() - began
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        report = json.loads(done.stdout)
    causes = {name: one["detect"]["cause"] for name, one in report["cameras"].items() if not one["ok"]}
    right = causes == {name: name for name in list(urls)[-4:]}
    cpu = after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime
    print(f"{CAMERAS} cameras, {SIZE[0]}x{SIZE[1]}, 15 fps; dead: {', '.join(causes)}")
    print(
        f"whole command {took:.1f} s (goal {GOAL_S:g}), of it probing {report['seconds']:.1f} s; {cpu:.1f} CPU s"
    )
    print(f"causes {'all right' if right else causes}; exit code {done.returncode}")


if __name__ == "__main__":
    main()
