"""Logging in to a camera's web server: Basic, and Digest with MD5 or SHA-256 (RFC 7617, RFC 7616)."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass

_FIELD = re.compile(r'(\w+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))')
_HASHES: dict[str, Callable[[bytes], str]] = {
    "SHA-256": lambda data: hashlib.sha256(data).hexdigest(),
    "MD5": lambda data: hashlib.md5(data, usedforsecurity=False).hexdigest(),
}
"""Best first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Digest:
    """What a server asked to be hashed."""

    algorithm: str
    realm: str
    nonce: str
    opaque: str
    qop: bool
    is_session: bool
    is_stale: bool
    """The login before was good, but its nonce too old."""


class WebLogin:
    """Answers the challenges of one server. Owned by the thread that reads it.

    Each answer that is refused counts towards the lock of the account, and most servers send a new nonce with each
    refusal. So one answer is given, and another one only where the server says that the first was merely stale.
    """

    def __init__(self, user: str, password: str) -> None:
        self._user = user
        self._password = password
        self._digest: _Digest | None = None
        self._basic = False
        self._uses = 0
        self._answered = 0
        """Challenges since the last successful login."""

    def take(self, challenges: Sequence[str]) -> bool:
        """Take a 401's challenges; return whether one of them is to be answered."""
        digests = [made for text in challenges if (made := _read(text))]
        digests.sort(key=lambda digest: list(_HASHES).index(digest.algorithm))
        if digests:
            self._digest, self._uses = digests[0], 0
        elif not self._basic:
            self._basic = any(text.lower().startswith("basic") for text in challenges)
        can = bool(digests) or self._basic
        may = self._answered < (2 if digests and digests[0].is_stale else 1)
        self._answered += 1
        return can and may

    def worked(self) -> None:
        """Note a successful login."""
        self._answered = 0

    def header(self, method: str, target: str) -> str | None:
        """Return the Authorization header of a request; None before the server has asked for one."""
        if self._digest is not None:
            return self._answer(self._digest, method, target)
        if self._basic:
            pair = f"{self._user}:{self._password}".encode()
            return "Basic " + base64.b64encode(pair).decode()
        return None

    def _answer(self, asked: _Digest, method: str, target: str) -> str:
        self._uses += 1
        count, own = f"{self._uses:08x}", secrets.token_hex(8)

        def hashed(text: str) -> str:
            return _HASHES[asked.algorithm](text.encode())

        who = hashed(f"{self._user}:{asked.realm}:{self._password}")
        if asked.is_session:
            who = hashed(f"{who}:{asked.nonce}:{own}")
        what = hashed(f"{method}:{target}")
        middle = f"{asked.nonce}:{count}:{own}:auth" if asked.qop else asked.nonce
        session = "-sess" if asked.is_session else ""
        fields = [
            f'username="{_escaped(self._user)}"', f'realm="{_escaped(asked.realm)}"', f'nonce="{asked.nonce}"',
            f'uri="{target}"', f'response="{hashed(f"{who}:{middle}:{what}")}"',
            f"algorithm={asked.algorithm}{session}",
        ]  # fmt: skip
        fields += [f'opaque="{asked.opaque}"'] if asked.opaque else []
        fields += ["qop=auth", f"nc={count}"] if asked.qop else []
        fields += [f'cnonce="{own}"'] if asked.qop or asked.is_session else []
        return "Digest " + ", ".join(fields)


def _read(challenge: str) -> _Digest | None:
    """Return the challenge where it is a digest that can be answered."""
    scheme, _, rest = challenge.strip().partition(" ")
    fields = {name.lower(): quoted or bare for name, quoted, bare in _FIELD.findall(rest)}
    algorithm = fields.get("algorithm", "MD5").upper()
    plain = algorithm.removesuffix("-SESS")
    if scheme.lower() != "digest" or plain not in _HASHES or "nonce" not in fields:
        return None
    qops = [word.strip().lower() for word in fields.get("qop", "").split(",")]
    realm = re.sub(r"\\(.)", r"\1", fields.get("realm", ""))
    return _Digest(
        algorithm=plain,
        realm=realm,
        nonce=fields["nonce"],
        opaque=fields.get("opaque", ""),
        qop="auth" in qops,
        is_session=plain != algorithm,
        is_stale=fields.get("stale", "").lower() == "true",
    )


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
