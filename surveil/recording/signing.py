"""The key that signs exports: Ed25519 by `cryptography`, which the extra `export` brings."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)

from surveil.errors import StateError
from surveil.filesystem import keep_key

KEY = "export.key"
"""In the state directory: 32 bytes, for its owner alone."""
_BYTES = 32


class BundleSigner:
    """Signs with the key of a state directory, which is made when it is first needed. Raises StateError."""

    def __init__(self, state_dir: Path) -> None:
        path = state_dir / KEY
        try:
            raw = keep_key(path, _BYTES)
        except OSError as error:
            raise StateError(
                f"{path}: the key of exports cannot be used: {error.strerror}; run the command as the user of the "
                "service, or export with --unsigned"
            ) from error
        if len(raw) != _BYTES:
            raise StateError(
                f"{path}: is no key: delete it, and give the new fingerprint to everyone who has the old one"
            )
        self._key = Ed25519PrivateKey.from_private_bytes(raw)

    @property
    def public_pem(self) -> bytes:
        """The public key, as `openssl pkeyutl -verify` reads it."""
        return bytes(self._key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))

    @property
    def fingerprint(self) -> str:
        """By which a receiver knows the key."""
        return fingerprint(self._key.public_key())

    def sign(self, data: bytes) -> bytes:
        """Return the signature."""
        return bytes(self._key.sign(data))


def fingerprint(key: Ed25519PublicKey) -> str:
    """Return the SHA-256 of the raw public key as OpenSSH writes such: `SHA256:` and base64."""
    digest = hashlib.sha256(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def check_signature(public_pem: bytes, signature: bytes, data: bytes) -> str:
    """Return the fingerprint of the key that has signed. Raises ValueError for a wrong key or signature."""
    key = load_pem_public_key(public_pem)
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError("the key is not of Ed25519")  # noqa: TRY004 - it is the bundle that is wrong
    try:
        key.verify(signature, data)
    except InvalidSignature:
        raise ValueError("the signature is wrong") from None
    return fingerprint(key)
