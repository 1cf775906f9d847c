"""Cuts credentials out of addresses and messages, before they reach a log, an alert or a page."""

from __future__ import annotations

import re
from urllib.parse import quote, quote_plus, unquote, unquote_plus

_MASK = "***"
_AUTHORITY = re.compile(
    r"^(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]*://)(?P<authority>[^/?#]*)(?P<rest>.*)$", re.DOTALL
)
_PARAMETER = re.compile(
    r"(?P<name>[\w.-]*(?:pass|pwd|psw|user|usr|token|key|auth|secret|sig|login|cred|session)[\w.-]*?)"
    r"=(?P<value>[^&;/?#\s_]+)",
    re.IGNORECASE,
)
"""`name=value` in a query, or in a path as some cameras have it (`/user=admin_password=x_channel=1`)."""
_LOGIN = re.compile(r"://[^\s/@]*@")


def _split(url: str) -> tuple[str, str, str]:
    """Return what stands before, in and after the login; the login is empty if there is none.

    An unescaped `/` or `@` in a password must not let the rest of it through: when the text before the
    first `/` cannot be a host with a port, everything up to the last `@` counts as login.
    """
    match = _AUTHORITY.match(url)
    if match is None:
        return url, "", ""
    scheme, authority, rest = match.group("scheme", "authority", "rest")
    if "@" in authority:
        login, _, host = authority.rpartition("@")
        return scheme, login, host + rest
    port = authority.rpartition(":")[2] if ":" in authority and not authority.endswith("]") else "0"
    if "@" in rest and not port.isdigit():
        login, _, host = (authority + rest).rpartition("@")
        return scheme, login, host
    return scheme, "", authority + rest


def redact(url: str) -> str:
    """Return `url` without login and without the values of parameters that look like credentials."""
    before, login, after = _split(url)
    masked = _PARAMETER.sub(lambda m: f"{m['name']}={_MASK}", after or before)
    return f"{before}{_MASK}@{masked}" if login else (before + masked if after else masked)


def secrets_of(url: str) -> list[str]:
    """Return the secrets in `url`, longest first: password, a user that stands alone, parameters."""
    before, login, after = _split(url)
    user, colon, password = login.partition(":")
    found = [m["value"] for m in _PARAMETER.finditer(after or before)]
    found += [login, password if colon else user]
    return sorted({value for value in found if value}, key=len, reverse=True)


def scrub(text: str, url: str) -> str:
    """Return `text` without the credentials of `url`, in whatever encoding they stand there."""
    text = text.replace(url, redact(url))
    for secret in secrets_of(url):
        spellings = {secret, unquote(secret), unquote_plus(secret)}
        spellings |= {quote(s, safe="") for s in spellings} | {quote_plus(s) for s in spellings}
        for spelling in sorted(spellings, key=len, reverse=True):
            text = text.replace(spelling, _MASK)
    return _LOGIN.sub(f"://{_MASK}@", text)
