"""Passwords as scrypt hashes that contain their cost parameters."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import threading
from dataclasses import dataclass

LEAST = 10
"""Characters of a password."""
MOST = 1024
_SALT = 16
_LENGTH = 32


@dataclass(frozen=True, slots=True)
class ScryptCost:
    """What a guess costs: 128 · 2^log_n · r bytes of memory, `p` times."""

    log_n: int = 15
    r: int = 8
    p: int = 3

    @property
    def memory(self) -> int:
        """Bytes that one hash may take."""
        return 128 * self.r * ((1 << self.log_n) + self.p + 2) + (1 << 20)


class Passwords:
    """Hashes and checks passwords, one at a time: each takes 32 MiB. Any thread may call any method."""

    def __init__(self, cost: ScryptCost | None = None) -> None:
        self._cost = cost or ScryptCost()
        self._one = threading.Lock()
        self._nobodys = ""
        """What the passwords of those who are not there are compared with; made when it is first needed."""

    def hash(self, password: str) -> str:
        """Return what is stored of a password."""
        salt = secrets.token_bytes(_SALT)
        key = self._derive(password, salt, self._cost)
        cost = self._cost
        return f"scrypt${cost.log_n}${cost.r}${cost.p}${_text(salt)}${_text(key)}"

    def holds(self, password: str, stored: str | None) -> bool:
        """Whether a password is the one that was stored; as slow for an unknown user (None)."""
        if stored is None and not self._nobodys:
            self._nobodys = self.hash(secrets.token_urlsafe(16))
        given = stored or self._nobodys
        try:
            kind, log_n, r, p, salt, key = given.split("$")
            cost = ScryptCost(int(log_n), int(r), int(p))
            if kind != "scrypt" or not (1 <= cost.log_n <= 20 and 1 <= cost.r <= 32 and 1 <= cost.p <= 16):
                return False
            found = self._derive(password, base64.b64decode(salt), cost)
            same = hmac.compare_digest(found, base64.b64decode(key))
        except ValueError:
            return False
        return same and stored is not None

    def _derive(self, password: str, salt: bytes, cost: ScryptCost) -> bytes:
        with self._one:
            return hashlib.scrypt(
                password.encode(),
                salt=salt,
                n=1 << cost.log_n,
                r=cost.r,
                p=cost.p,
                maxmem=cost.memory,
                dklen=_LENGTH,
            )


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")


def weakness(password: str, user: str) -> str:
    """Return what is wrong with a new password; empty when it will do."""
    if len(password) < LEAST:
        return f"the password needs at least {LEAST} characters"
    if len(password) > MOST:
        return f"the password may have at most {MOST} characters"
    if user and user.lower() in password.lower():
        return "the password must not contain the user's name"
    if len(set(password)) < 4:
        return "the password needs at least four different characters"
    return ""
