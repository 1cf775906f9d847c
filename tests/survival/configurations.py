"""Damaged configurations, read by a running daemon: it refuses or follows them, and watches on."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Iterator

from surveil.app.daemon import Daemon
from tests.survival.mutations import mutants

NASTY = (
    "", "null", "~", "[]", "{}", "-1", "1e308", ".inf", "-.nan", "9" * 400, "0x" + "f" * 600, '"\\0"', '"a\\0b"',
    '"\\ud800"', '"${env:PW}"', '"${env:\\0}"', '"${file:\\0}"', '"${file:/dev/null}"', '"${file:.}"',
    '"${credential:../x}"', '"${"', '"$${"', "!!binary aGk=", "2020-01-01", "22:00", "*a", "&b [*b]", '"%s%n{0}"',
    '"http://[::1"', '"http://127.0.0.1:99999/"', '"rtsp://[::"', '"rtsp://u:p@h:99999999/x"', '"concat:/etc/passwd"',
    '"[::1]:0"', '"127.0.0.1:-1"', "[[0,0],[1,1]]", "[[1e308,1e308],[-1e308,0],[0,1e308]]", "[[null,null]]",
    "{a: {a: {a: {a: {a: {}}}}}}", "Europe/../../etc/passwd", '"\\n\\r"', "0o777", "+", ".", '"~root"', "? a", "@",
    '"' + "a" * 300 + '"', '"/proc/1/x"', '"\\u2028"', '" "',
)  # fmt: skip
_VALUE = re.compile(r"(?<=: )([^\n{}\[\],]+)|(?<=[\[,] )([^\n{}\[\],]+)")


def texts(whole: str, rng: random.Random, n: int) -> Iterator[bytes]:
    """Yield damaged files: values replaced, lines lost or doubled, bytes damaged."""
    for _ in range(n):
        kind = rng.random()
        if kind < 0.6:
            found = rng.choice(list(_VALUE.finditer(whole)))
            yield (whole[: found.start()] + rng.choice(NASTY) + whole[found.end() :]).encode()
        elif kind < 0.8:
            lines = whole.split("\n")
            at = rng.randrange(len(lines))
            lines[at : at + 1] = [] if rng.random() < 0.5 else [lines[at], lines[at][rng.randrange(3) :]]
            yield "\n".join(lines).encode()
        else:
            yield next(mutants(whole.encode(), rng, 1, ("bit", "byte", "bytes", "cut"))).data


def run(daemon: Daemon, seed: int, n: int) -> Counter[str]:
    """Let a running daemon read `n` damaged files; it must run on, and follow the sound one in the end."""
    whole = daemon.config.path.read_text()
    outcomes: Counter[str] = Counter()
    for k, data in enumerate(texts(whole, random.Random(seed), n)):
        daemon.config.path.write_bytes(data)
        result = daemon.reloader.reload()
        json.dumps(result.messages).encode()
        assert not daemon.stop, f"seed {seed}, {k}: {data!r}"
        assert result.good or result.messages
        unforeseen = [m for m in result.messages if "fault of surveil" in m or "cannot be followed" in m]
        assert not unforeseen, f"seed {seed}, {k}: {unforeseen}"
        outcomes["followed" if result.good else "refused"] += 1
    daemon.config.path.write_text(whole)
    assert daemon.reloader.reload().good
    return outcomes
