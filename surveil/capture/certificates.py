"""Certificate pinning: a camera's first certificate is kept, and a different one is refused."""

from __future__ import annotations

import hashlib
import os
import re
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog

from surveil.capture.causes import open_error, source_error
from surveil.capture.settings import TlsSettings
from surveil.errors import Cause, SourceError

log = structlog.get_logger(__name__)

FOLDER = "certificates"
"""Below the state directory."""
_FILE_MODE = 0o640
_ODD = re.compile(r"[^A-Za-z0-9.-]")


@dataclass(frozen=True, slots=True)
class CertificatePlace:
    """A camera's server: the address as it may be needed for messages, and what is connected to."""

    url: str
    host: str
    port: int
    serial: str = ""
    """Of the camera, if it is known: then its certificate is kept by it, wherever the camera is."""


class Pins:
    """The first certificate of each camera. Any thread may call any method; with `keeps` off nothing is written.

    Without a folder every certificate is good: nothing is known of earlier ones.
    """

    def __init__(self, folder: Path | None = None, *, keeps: bool = True) -> None:
        self._folder = folder
        self._keeps = keeps

    def check(self, place: CertificatePlace, der: bytes) -> Path | None:
        """Keep a first certificate; return the file of the one that is kept. Raises SourceError (certificate)."""
        if self._folder is None:
            return None
        files = _files(self._folder, place)
        known = {file: its for file in files if (its := _read(file)) is not None}
        # What was kept before the serial number was set counts until there is a file of the number.
        kept = next(iter(known.values()), None)
        if kept is not None and kept != der:
            path = " and ".join(str(file) for file, its in known.items() if its == kept)
            raise source_error(
                Cause.CERTIFICATE,
                place.url,
                f"its certificate has changed (SHA-256 {_fingerprint(der)}, kept {_fingerprint(kept)}): if the camera "
                f"was replaced or has a new one, delete {path}; if not, another device answers at its address",
            )
        if files[0] not in known and self._keeps and self._write(files[0], der):
            log.info("certificate kept", place=f"{place.host}:{place.port}", sha256=_fingerprint(der))
            return files[0]
        return next(iter(known), None)

    def _write(self, path: Path, der: bytes) -> bool:
        """Write a certificate where there is none that can be read."""
        try:
            path.parent.mkdir(mode=0o750, exist_ok=True)
            path.unlink(missing_ok=True)
            made = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _FILE_MODE)
            with os.fdopen(made, "w") as file:
                file.write(ssl.DER_cert_to_PEM_cert(der))
        except FileExistsError:  # the camera's other stream was first
            return False
        except OSError as error:
            log.warning("certificate not kept", path=str(path), reason=error.strerror)
            return False
        return True


def _files(folder: Path, place: CertificatePlace) -> list[Path]:
    """Return where the certificate may be kept, the proper place first."""
    names = [name for name in (place.serial, place.host) if name]
    return [folder / f"{_ODD.sub('_', name)}_{place.port}.pem" for name in names]


def _read(path: Path) -> bytes | None:
    """Return the kept certificate (DER); None where there is none, or a damaged one."""
    try:
        return ssl.PEM_cert_to_DER_cert(path.read_text(encoding="ascii").strip())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        log.warning("kept certificate is damaged", path=str(path), reason=type(error).__name__)
        return None


def _fingerprint(der: bytes) -> str:
    return hashlib.sha256(der).hexdigest()[:16]


# Over HTTPS, on the connection itself.


def wrap(plain: socket.socket, place: CertificatePlace, settings: TlsSettings, pins: Pins) -> ssl.SSLSocket:
    """Shake hands and check the certificate before anything is sent. Raises SourceError (certificate), OSError."""
    context = _authorised(settings) if settings.verify == "ca" else lenient()
    link = context.wrap_socket(plain, server_hostname=place.host)
    try:
        if settings.verify == "pin":
            pins.check(place, link.getpeercert(binary_form=True) or b"")
    except SourceError:
        link.close()
        raise
    return link


# Over RTSPS, where FFmpeg makes the connection.

_UNVERIFIED = {"tls_verify": "0"}
"""Said explicitly: from FFmpeg 9 on the default is to verify, and a camera that signs for itself would be lost."""


def ffmpeg_options(
    place: CertificatePlace, settings: TlsSettings, pins: Pins, timeout_s: float
) -> Mapping[str, str]:
    """Return what FFmpeg must be told to accept no other certificate. Raises SourceError.

    A certificate that FFmpeg could not verify even where it is known (expired, weak, without a name) is compared on
    a connection of our own just before.
    """
    if settings.verify == "off":
        return _UNVERIFIED
    if settings.verify == "ca":
        return {"tls_verify": "1", "ca_file": str(settings.ca_file or _system_authorities())}
    kept = pins.check(place, _look(place, lenient(), timeout_s)[0])
    if kept is None:
        return _UNVERIFIED
    strict = ssl.create_default_context(cafile=str(kept))
    strict.check_hostname = False
    strict.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        der, name = _look(place, strict, timeout_s)
    except SourceError as error:
        if error.cause is not Cause.CERTIFICATE:
            raise
        return _UNVERIFIED
    pins.check(place, der)
    return {"tls_verify": "1", "ca_file": str(kept), "verifyhost": name} if name else _UNVERIFIED


def _look(place: CertificatePlace, context: ssl.SSLContext, timeout_s: float) -> tuple[bytes, str]:
    """Return the certificate that a camera shows, and a name in it where the context has verified it."""
    try:
        with (
            socket.create_connection((place.host, place.port), timeout_s) as plain,
            context.wrap_socket(plain, server_hostname=place.host) as link,
        ):
            return link.getpeercert(binary_form=True) or b"", _name(link.getpeercert() or {})
    except OSError as error:
        raise open_error(error, place.url, ()) from None


def _name(certificate: Mapping[str, object]) -> str:
    """Return a name that the certificate is good for."""
    alternatives, subject = certificate.get("subjectAltName"), certificate.get("subject")
    found = [value for _, value in alternatives] if isinstance(alternatives, tuple) else []
    for part in subject if isinstance(subject, tuple) and not found else ():
        found += [value for key, value in part if key == "commonName"]
    return found[0].replace("*", "any") if found else ""


def _authorised(settings: TlsSettings) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(settings.ca_file) if settings.ca_file else None)


def lenient() -> ssl.SSLContext:
    """Return a context for cameras as they are: old protocols, weak keys, no authority.

    Who uses it compares the certificate itself, or sends nothing secret.
    """
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    return context


def _system_authorities() -> str:
    """Return the file of this system's authorities; FFmpeg's own default is that of the machine it was built on."""
    paths = ssl.get_default_verify_paths()
    candidates = (
        paths.cafile,
        paths.openssl_cafile,
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/pki/tls/cert.pem",
    )
    return next((path for path in candidates if path and Path(path).is_file()), "")
