"""An authority whose certificates the nodes of a fleet show to each other."""

from __future__ import annotations

import subprocess
from pathlib import Path

_NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]


class Authority:
    """Signs certificates. `folder` is made, and keeps them."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        self.certificate, self._key = folder / "authority.pem", folder / "authority.key"
        self._make(self.certificate, self._key, "fleet")

    def settings(self, name: str, *addresses: str) -> dict[str, str]:
        """Return the settings of a node at these addresses."""
        certificate, key = self._folder / f"{name}.pem", self._folder / f"{name}.key"
        names = ",".join(f"IP:{address}" for address in addresses)
        signed = [
            "-CA",
            str(self.certificate),
            "-CAkey",
            str(self._key),
            "-addext",
            f"subjectAltName={names}",
        ]
        self._make(certificate, key, name, *signed)
        return {"certificate": str(certificate), "key": str(key), "authority": str(self.certificate)}

    @staticmethod
    def _make(certificate: Path, key: Path, name: str, *more: str) -> None:
        command = ["openssl", "req", "-x509", *_NEW_KEY, "-subj", f"/CN={name}", *more]
        subprocess.run(
            [*command, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True
        )
