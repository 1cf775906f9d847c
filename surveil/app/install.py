"""Installs and removes what systemd needs. Both may be repeated; neither touches state."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from surveil.errors import StateError

DROP_INS = ("webcam", "nvidia", "strict")
_UNITS = Path("/etc/systemd/system")
_FLEET_UNITS = ("surveil-fleet-head.service", "surveil-fleet-node.service")
_CONFIG = Path("/etc/surveil/config.yaml")
_HIDDEN = (Path("/root"), Path("/home"), Path("/run/user"), Path("/tmp"), Path("/var/tmp"))  # noqa: S108
"""What the unit's walls hide from the service."""
_LINK = Path("/usr/local/bin/surveil")
_ON_PATH = (Path("/usr/bin"), _LINK.parent)
_STARTED = Path("/run/systemd/system")
"""There when systemd is the running manager (sd_booted(3))."""


def source() -> Path:
    """Return the folder of the units: in the package, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    packed = package / "_systemd"
    return packed if packed.is_dir() else package.parent / "systemd"


@dataclass(frozen=True, slots=True)
class InstallStep:
    """One thing that is done, or would be."""

    what: str
    """`write`, `link`, `keep`, `remove`, `run`."""
    target: str

    def __str__(self) -> str:
        """Return it as it is shown."""
        return f"{self.what:7} {self.target}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Installer:
    """Raises StateError with the remedy where something cannot be done."""

    program: Path
    """The `surveil` that the units start."""
    drop_ins: tuple[str, ...] = ()
    destdir: Path = Path("/")
    """Where a package is put together; nothing is run then."""
    dry_run: bool = False
    sample: str = ""
    """The configuration that is written where there is none."""
    units: Path = field(default_factory=source)
    shared: Mapping[Path, str] = field(default_factory=dict)
    """Manual pages and completion scripts; to take them away, their places are enough."""

    def install(self) -> Iterator[InstallStep]:
        """Write units, user, folders and a first configuration; yield what was done."""
        self._check_program()
        for path, text in self._files().items():
            yield self._write(path, text, 0o644)
        yield from self._link()
        if self._real(_CONFIG).exists():
            yield InstallStep("keep", str(_CONFIG))
        else:
            yield self._write(_CONFIG, self.sample, 0o640)
        yield from self._run(
            ["systemd-sysusers"], ["systemd-tmpfiles", "--create"], ["systemctl", "daemon-reload"]
        )

    def uninstall(self) -> Iterator[InstallStep]:
        """Stop the service and remove what `install` wrote; configuration, state and your own drop-ins stay."""
        there = [path for path in self._files(*DROP_INS) if self._real(path).exists()]
        if _UNITS / "surveil.service" in there:
            yield from self._run(["systemctl", "disable", "--now", "surveil.service", *_FLEET_UNITS])
        if self._is_ours(_LINK):
            there.append(_LINK)
        for path in there:
            yield self._remove(path)
        if there:
            yield from self._run(["systemctl", "daemon-reload"])
        for kept in (_CONFIG.parent, Path("/var/lib/surveil")):
            if self._real(kept).exists():
                yield InstallStep("keep", str(kept))

    def _files(self, *also: str) -> dict[Path, str]:
        """Return what is installed, by its place in the running system."""
        units = ("surveil.service", "surveil@.service")
        made = {_UNITS / name: self._unit(name) for name in units}
        for name in dict.fromkeys((*self.drop_ins, *also)):
            for unit in units:
                made[_UNITS / f"{unit}.d" / f"{name}.conf"] = self._read(f"{name}.conf")
        made |= {_UNITS / name: self._unit(name) for name in _FLEET_UNITS}
        made[Path("/usr/lib/sysusers.d/surveil.conf")] = self._read("sysusers.conf")
        made[Path("/usr/lib/tmpfiles.d/surveil.conf")] = self._read("tmpfiles.conf")
        return made | dict(self.shared)

    def _link(self) -> Iterator[InstallStep]:
        """Put the program on the PATH of all users, unless a program of that name is there."""
        real = self._real(_LINK)
        if self.program.parent in _ON_PATH:
            return
        if real.exists() or real.is_symlink():
            yield InstallStep("keep", str(_LINK))
            return
        if not self.dry_run:
            try:
                real.parent.mkdir(parents=True, exist_ok=True)
                real.symlink_to(self.program)
            except OSError as error:
                raise StateError(f"{_LINK}: {error.strerror}; run as root, or set --destdir") from error
        yield InstallStep("link", f"{_LINK} -> {self.program}")

    def _is_ours(self, link: Path) -> bool:
        """Whether the link leads to the program that the installed unit starts."""
        real, unit = self._real(link), self._real(_UNITS / "surveil.service")
        started = unit.read_text(encoding="utf-8") if unit.exists() else f"ExecStart={self.program} "
        return real.is_symlink() and f"ExecStart={real.readlink()} " in started

    def _unit(self, name: str) -> str:
        return self._read(name).replace("/usr/bin/surveil", str(self.program))

    def _read(self, name: str) -> str:
        return (self.units / name).read_text(encoding="utf-8")

    def _real(self, path: Path) -> Path:
        return self.destdir / path.relative_to("/")

    def _write(self, path: Path, text: str, mode: int) -> InstallStep:
        real = self._real(path)
        try:
            if real.exists() and real.read_text(encoding="utf-8") == text:
                return InstallStep("keep", str(path))
            if not self.dry_run:
                real.parent.mkdir(parents=True, exist_ok=True)
                half = real.with_name(f".{real.name}.new")
                half.touch(mode)
                half.write_text(text, encoding="utf-8")
                half.chmod(mode)
                half.rename(real)
        except OSError as error:
            reason = error.strerror or str(error)
            raise StateError(f"{path} cannot be written: {reason}; run as root, or set --destdir") from error
        return InstallStep("write", str(path))

    def _remove(self, path: Path) -> InstallStep:
        try:
            if not self.dry_run:
                self._real(path).unlink()
                _remove_empty(self._real(path).parent)
        except OSError as error:
            raise StateError(f"{path} cannot be removed: {error.strerror}; run as root") from error
        return InstallStep("remove", str(path))

    def _run(self, *commands: list[str]) -> Iterator[InstallStep]:
        """Run what makes the system take notice, where it runs under systemd."""
        for command in commands:
            if self.destdir != Path("/") or shutil.which(command[0]) is None:
                continue
            if command[0] == "systemctl" and not _STARTED.exists():
                continue
            yield InstallStep("run", " ".join(command))
            if not self.dry_run:
                self._call(command)

    @staticmethod
    def _call(command: list[str]) -> None:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - literals above
        if done.returncode:
            raise StateError(f"{' '.join(command)} failed: {done.stderr.strip()}")

    def _check_program(self) -> None:
        """Refuse a program that the service could not even read."""
        base = Path(sys.base_prefix) if self.destdir == Path("/") else Path("/usr")
        for path, what in ((self.program, "surveil"), (base, "its Python")):
            if any(path.is_relative_to(hidden) for hidden in _HIDDEN):
                raise StateError(
                    f"{what} is {path}, which the service cannot see (ProtectHome, PrivateTmp); install it in a folder "
                    f"that all users can read: make install PREFIX=/opt/surveil PYTHON=/usr/bin/python3"
                )


def _remove_empty(folder: Path) -> None:
    if folder.name.endswith(".d") and folder.parent.name == _UNITS.name and not any(folder.iterdir()):
        folder.rmdir()
