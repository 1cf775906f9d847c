"""Checks the certificate of the pages as a browser would, without network: OpenSSL talks to itself."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from surveil.listening import HttpSettings, check_certificate

_SOON_DAYS = 14
_DAY_S = 86_400.0


def certificate_doubts(settings: HttpSettings, now: float) -> Iterator[str]:
    """Yield what is wrong with a certificate that can be loaded: its dates and its names. `now`: Unix s.

    Whether its authority is known is the browser's affair. Raises ConfigError for one that cannot be loaded.
    """
    check_certificate(settings)
    if settings.certificate is None or settings.key is None:
        return
    name = f"http.certificate: {settings.certificate}"
    try:
        until = shaken(settings.certificate, settings.key, settings.certificate, None)
    except ssl.SSLCertVerificationError as error:
        yield f"{name}: {error.verify_message}: browsers refuse it; renew it"
        return
    if until - now < _SOON_DAYS * _DAY_S:
        yield f"{name}: expires in {max(0.0, until - now) / _DAY_S:.0f} days: renew it"
    for host in _hosts(settings):
        try:
            shaken(settings.certificate, settings.key, settings.certificate, host)
        except ssl.SSLCertVerificationError:
            yield f"{name}: is not for {host}: browsers refuse it there; name {host} in it"


def _hosts(settings: HttpSettings) -> list[str]:
    """Return the names that browsers are told to use."""
    public = urlsplit(settings.public_url)
    told = [public.hostname] if public.scheme == "https" and public.hostname else []
    return list(dict.fromkeys([*told, *settings.hosts]))


def shaken(certificate: Path, key: Path, authority: Path, host: str | None) -> float:
    """Shake hands by a certificate as a client that trusts `authority` would; return when it expires, Unix s.

    `host`: name or address that it must be for; None: any. Raises SSLCertVerificationError where the client refuses it,
    other SSLErrors and OSError where the files cannot be used.
    """
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    server.load_cert_chain(certificate, key)
    client.load_verify_locations(authority)
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    client.check_hostname = host is not None
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    asks = client.wrap_bio(down, up, server_hostname=host)
    _exchange(asks, server.wrap_bio(up, down, server_side=True))
    told = asks.getpeercert() or {}
    return float(ssl.cert_time_to_seconds(str(told["notAfter"])))


def _exchange(asks: ssl.SSLObject, answers: ssl.SSLObject) -> None:
    """Let both sides speak until the client is content."""
    while True:
        try:
            asks.do_handshake()
        except ssl.SSLWantReadError:
            try:
                answers.do_handshake()
            except ssl.SSLWantReadError:
                continue
        else:
            return
