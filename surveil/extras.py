"""Optional packages: what each extra needs, the command that installs it here, and that installation.

The commands name the program that runs. `pip install 'surveil[...]'` is not among them: the package index has another
project of that name.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from enum import StrEnum
from pathlib import Path

from surveil.errors import StateError

_RUNTIME = "onnxruntime>=1.31"


class Extra(StrEnum):
    """The extras of `pyproject.toml`."""

    CUDA = "cuda"
    MQTT = "mqtt"
    APPRISE = "apprise"
    PARQUET = "parquet"
    EXPORT = "export"
    OFFSITE = "offsite"
    S3 = "s3"
    TRAIN = "train"
    FLEET = "fleet"


REQUIREMENTS: dict[Extra, tuple[str, ...]] = {
    Extra.CUDA: ("onnxruntime-gpu[cuda,cudnn]>=1.31", "nvidia-ml-py>=12"),
    Extra.MQTT: ("paho-mqtt>=2.1",),
    Extra.APPRISE: ("apprise>=1.9",),
    Extra.PARQUET: ("pyarrow>=15",),
    Extra.EXPORT: ("cryptography>=42",),
    Extra.OFFSITE: ("asyncssh>=2.18",),
    Extra.S3: ("obstore>=0.12,<0.13",),
    Extra.TRAIN: ("torch>=2.6",),
    Extra.FLEET: ("ray>=2.60,<2.61",),
}


def program() -> str:
    """Return how to call the surveil of this environment from a shell."""
    script = Path(sys.prefix) / "bin" / "surveil"
    if not script.exists():
        return f"{shlex.quote(sys.executable)} -m surveil"
    found = shutil.which("surveil")
    if found and Path(found).resolve() == script.resolve():
        return "surveil"
    return shlex.quote(str(script))


def command(extra: Extra) -> str:
    """Return the command that installs an extra into this environment."""
    return f"{program()} install --extra {extra}"


def install(extra: Extra) -> None:
    """Install the packages of an extra into this environment. Raises StateError with the remedy."""
    # The two builds of ONNX Runtime write the same package: the CPU build goes first.
    swapped = extra is Extra.CUDA
    if swapped:
        _pip("uninstall", "--yes", "onnxruntime")
    try:
        _pip("install", *REQUIREMENTS[extra])
    except StateError:
        if swapped:
            _pip("install", _RUNTIME)
        raise


def _pip(verb: str, *words: str) -> None:
    """Run pip; its output is the operator's."""
    line = [sys.executable, "-m", "pip", verb, "--quiet", "--disable-pip-version-check", *words]
    try:
        code = subprocess.run(line, check=False).returncode  # noqa: S603 - the words above and a literal table
    except OSError as error:
        raise StateError(f"{sys.executable} cannot be started: {error.strerror}") from error
    if code:
        wanted = shlex.join(words)
        raise StateError(
            f"pip {verb} {wanted} failed with exit code {code}; its message is above. "
            f"Run the command as the owner of {sys.prefix}; an environment without pip needs its own tool for {wanted}"
        )
