"""A mail server whose every answer the test decides; notes what was said to it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

Answers = Callable[[str], str]
"""Command line → answer; empty: hang up."""


@dataclass
class MailServer:
    """Speaks SMTP on a free port of the loopback. `answers` maps a verb to an answer, or to a function of the line."""

    answers: dict[str, str | Answers] = field(default_factory=dict)
    extensions: tuple[str, ...] = ()
    said: list[str] = field(default_factory=list)
    mails: list[tuple[list[str], str]] = field(default_factory=list)
    """Recipients and text of what was taken."""

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, connection.makefile("rwb") as stream:
                try:
                    self._talk(stream)
                except OSError:
                    continue

    def _answer(self, verb: str, line: str, default: str) -> str:
        answer = self.answers.get(verb, default)
        return answer if isinstance(answer, str) else answer(line)

    def _talk(self, stream) -> None:
        def write(text: str) -> bool:
            if text:
                stream.write(text.encode() + b"\r\n")
                stream.flush()
            return bool(text)

        to: list[str] = []
        if not write(self._answer("BANNER", "", "220 hello")):
            return
        while raw := stream.readline():
            line = raw.decode().strip()
            self.said.append(line)
            verb = line.split(" ")[0].upper()
            if verb == "EHLO":
                names = ("mail.example", *self.extensions)
                default = "\r\n".join(
                    f"250{' ' if n == len(names) - 1 else '-'}{x}" for n, x in enumerate(names)
                )
            else:
                default = {"DATA": "354 go", "QUIT": "221 bye"}.get(verb, "250 ok")
            answer = self._answer(verb, line, default)
            if not write(answer) or verb == "QUIT":
                return
            if verb in ("MAIL", "RSET"):
                to = []
            if verb == "RCPT" and answer.startswith("2"):
                to.append(line.partition("<")[2].partition(">")[0])
            if verb == "DATA" and answer.startswith("3"):
                lines = []
                while (text := stream.readline()) not in (b".\r\n", b""):
                    lines.append(text.decode())
                verdict = self._answer("MESSAGE", "".join(lines), "250 queued")
                if not write(verdict):
                    return
                if verdict.startswith("2"):
                    self.mails.append((to, "".join(lines)))
