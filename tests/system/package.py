"""The Debian package on a bare Debian: built, installed, upgraded and back, removed, purged.

    python -m tests.system.package bookworm|trixie [--work FOLDER] [--ca FILE] [--deb FILE]

Root, mmdebstrap and systemd-container are needed, and the network, as for tests.system.debian. The package is built in
a root of its own; the machine it is installed on is booted with systemd and has nothing else.
"""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

from tests.rig.rtsp_camera import Camera
from tests.system.debian import EXTRA, ROOT, Machine, machine_for, options, run

BUILD = "python3,python3-venv,make,binutils,ca-certificates,git"
LIMIT_MB = 450
COMMANDS = (
    "apt-get update -qq",
    "apt-get install -y -qq /opt/share/surveil.deb >/dev/null",
    "cat /opt/share/config.yaml > /etc/surveil/config.yaml",
    "systemctl reload surveil",
)
"""From a bare Debian to the first alert."""
STATE = "/var/lib/surveil"
LIST = f"surveil alerts list --limit 100000 --json > /run/{{0}} && find {STATE}/evidence -type f > /run/{{0}}.files"
LOST = """
import json
before, after = ({a["id"] for a in json.load(open(p))} for p in ("/run/before", "/run/after"))
assert before and before <= after, before - after
before, after = (set(open(p)) for p in ("/run/before.files", "/run/after.files"))
assert before and before <= after, before - after
"""


def main() -> None:
    parser = options(__doc__.splitlines()[0])
    parser.add_argument("--deb", type=Path, help="A package that was built before.")
    asked = parser.parse_args()
    with machine_for(asked, anew=True) as (machine, work):
        EXTRA["DEBIAN_FRONTEND"] = "noninteractive"
        shutil.copy(asked.deb or build(asked.suite, work, machine.share), machine.share / "surveil.deb")
        with Camera(work / "clip.mp4") as camera, machine:
            (machine.share / "config.yaml").write_text(json.dumps(config(camera.port)))
            first_alert(machine)
            looks_right(machine)
            upgrade_and_back(machine, work)
            goes(machine)
    print(f"{asked.suite}: the package installs, upgrades, goes back and goes")


def build(suite: str, work: Path, share: Path) -> Path:
    """Build the package of the committed tree in a root of this suite."""
    root = work / f"{suite}-build.root"
    if not root.exists():
        run("mmdebstrap", "--quiet", "--variant=minbase", f"--include={BUILD}", suite, str(root))
    shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
    shutil.rmtree(share / "source", ignore_errors=True)
    run("git", "clone", "--quiet", str(ROOT), str(share / "source"))
    settings = [f"--setenv={name}={value}" for name, value in EXTRA.items()]
    words = ["systemd-nspawn", "--quiet", f"--directory={root}", "--register=no", "--keep-unit", "--resolv-conf=off",
             "--console=pipe", f"--bind={share}:/opt/share", *settings]  # fmt: skip
    run(*words, "/opt/share/source/packaging/deb/build.sh", "/opt/share/dist")
    return max((share / "dist").glob("*.deb"), key=lambda path: path.stat().st_mtime)


def config(port: int) -> dict[str, object]:
    zone = [[0.0, 0.3], [1.0, 0.3], [1.0, 1.0], [0.0, 1.0]]
    rule = {"type": "intrusion", "zone": "yard", "after_s": 0.2}
    camera = {"url": f"rtsp://127.0.0.1:{port}/cam", "zones": {"yard": zone}, "rules": [rule]}
    return {"version": 1, "http": {"console": True}, "cameras": {"yard": camera}}


def first_alert(machine: Machine) -> None:
    began = time.monotonic()
    for command in COMMANDS:
        machine(command)
    machine.until("an alert", "surveil alerts list --json | grep -q yard")
    print(f"== {len(COMMANDS)} commands, {time.monotonic() - began:.0f} s to the first alert", flush=True)


def looks_right(machine: Machine) -> None:
    machine("systemctl is-enabled --quiet surveil && systemctl is-active --quiet surveil")
    for page in ("readyz", "console/"):
        machine(
            f"/opt/surveil/bin/python -c 'from urllib.request import urlopen; urlopen(\"http://127.0.0.1:9108/{page}\")'"
        )
    machine("test \"$(stat -c '%a %U %G' /etc/surveil/config.yaml)\" = '640 root surveil'")
    machine(
        "test -e /usr/share/man/man1/surveil-alerts-list.1.gz && test -e /usr/share/bash-completion/completions/surveil"
    )
    machine(
        "grep -q CycloneDX /usr/share/doc/surveil/sbom.cdx.json && grep -q '^numpy ' /usr/share/doc/surveil/licences"
    )
    machine(f"size=$(du -sm /opt/surveil | cut -f1); echo == $size MB; test $size -le {LIMIT_MB}")
    machine("! grep -rlI /tmp/tmp. /opt/surveil/bin")


def upgrade_and_back(machine: Machine, work: Path) -> None:
    """What was there before is there after, both ways; before the upgrade a copy was made."""
    newer(machine.share, work)
    (machine.share / "lost.py").write_text(LOST)
    machine("systemctl stop surveil; " + LIST.format("before") + "; systemctl start surveil")
    machine("apt-get install -y -qq /opt/share/newer.deb >/dev/null && ls /var/backups/surveil/before-*.tar")
    machine("test \"$(dpkg-query -Wf '${Version}' surveil)\" = 9:1")
    same = LIST.format("after") + " && /opt/surveil/bin/python /opt/share/lost.py"
    machine(same)
    machine("apt-get install -y -qq --allow-downgrades /opt/share/surveil.deb >/dev/null")
    machine("systemctl is-active --quiet surveil")
    machine(same)


def newer(share: Path, work: Path) -> None:
    """The same package under a newer version."""
    folder = work / "newer"
    shutil.rmtree(folder, ignore_errors=True)
    run("dpkg-deb", "--raw-extract", str(share / "surveil.deb"), str(folder))
    control = folder / "DEBIAN/control"
    lines = [
        "Version: 9:1" if line.startswith("Version:") else line for line in control.read_text().splitlines()
    ]
    control.write_text("\n".join(lines) + "\n")
    run("dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", str(folder), str(share / "newer.deb"))


def goes(machine: Machine) -> None:
    """Evidence outlives the program, unless it is asked to go, too."""
    machine(
        "apt-get remove -y -qq surveil >/dev/null && test ! -e /opt/surveil && test -e /etc/surveil/config.yaml"
    )
    machine(
        f"apt-get purge -y -qq surveil >/dev/null && test ! -e /etc/surveil && test -e {STATE}/surveil.db"
    )
    machine("apt-get install -y -qq /opt/share/surveil.deb >/dev/null && surveil alerts list | grep -q yard")
    machine("echo surveil surveil/delete-state boolean true | debconf-set-selections")
    machine("apt-get purge -y -qq surveil >/dev/null")
    machine(
        f"test ! -e {STATE} && test ! -e /var/lib/private/surveil && ! systemctl is-active --quiet surveil"
    )


if __name__ == "__main__":
    main()
