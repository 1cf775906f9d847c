"""The Debian package on a bare Debian: built, installed, upgraded and back, removed, purged.

    python -m tests.system.package bookworm|trixie [--work FOLDER] [--ca FILE] [--deb FILE]

Root, mmdebstrap and systemd-container are needed, and the network, as for tests.system.debian. The package is built in
a root of its own; the machine it is installed on is booted with systemd and has nothing else.
"""

from __future__ import annotations

import shutil
import time
from contextlib import nullcontext
from pathlib import Path

from tests.discovery.virtual import PASSWORD, USER, Local, Network, Profile, Virtual
from tests.rig.rtsp_camera import Camera
from tests.system.debian import EXTRA, ROOT, Machine, machine_for, options, run

BUILD = "python3,python3-venv,make,binutils,ca-certificates,git"
LIMIT_MB = 450
RULES = r"    rules: [{type: presence, after_s: 0.2}]\n    record: {mode: continuous}"
COMMANDS = (
    "apt-get update -qq",
    "apt-get install -y -qq /opt/share/surveil.deb >/dev/null",
    f"surveil cameras discover --user {USER} --password-file /opt/share/password --write /etc/surveil/config.yaml",
    rf"sed -i '/^  yard:/a\{RULES}' /etc/surveil/config.yaml",
    "systemctl reload surveil",
)
"""From a bare Debian to the first alert."""
STATE = "/var/lib/surveil"
LIST = (
    "surveil alerts list --limit 100000 --json > /run/{0} && surveil recordings --verify && "
    f"find {STATE}/evidence {STATE}/recordings -type f > /run/{{0}}.files"
)
DAYS, DAILY = 7, 1000
WEEK = f"""
import json, shutil, sqlite3, time
from datetime import UTC, datetime, timedelta
from pathlib import Path
state, db = Path("{STATE}"), sqlite3.connect("{STATE}/surveil.db")
picture = next((state / "evidence").rglob("*.jpg"))
film = next(state.glob("recordings/*/*/*.mp4"))
insert = "INSERT INTO alerts VALUES (NULL, ?, ?, 'yard', 'presence', ?, ?, 0, ?)"
for day in range(1, {DAYS + 1}):
    begins = datetime.now(UTC) - timedelta(days=day)
    for n in range({DAILY}):
        t, event = begins.timestamp() + n, f"{{day}}-{{n}}"
        body = {{"schema": 1, "label": "person", "type": "presence", "key": "picture/person", "text": ""}}
        body |= {{"t": t, "t_wall": t}}
        for phase in ("start", "end"):
            db.execute(insert, (f"{{event}}-{{phase}}", event, phase, t, json.dumps(body)))
    for like, name in ((picture, f"week-{{day}}.jpg"), (film, f"{{begins:%Y-%m-%dT%H%M%S}}.000Z.mp4")):
        folder = like.parents[1] / f"{{begins:%Y-%m-%d}}"
        folder.mkdir(exist_ok=True)
        shutil.copy2(like, folder / name)
        for made, model in ((folder, like.parent), (folder / name, like)):
            shutil.chown(made, model.stat().st_uid, model.stat().st_gid)
db.commit()
db.close()
"""
"""Alerts, pictures and recordings of a week, beside those of today."""
LOST = """
import json
before, after = ({a["id"] for a in json.load(open(p))} for p in ("/run/before", "/run/after"))
assert len(before) > 10000 and before <= after, (len(before), before - after)
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
        (machine.share / "password").write_text(PASSWORD)
        with Camera(work / "clip.mp4", user=USER, password=PASSWORD) as camera, machine:
            first_alert(machine, discovered(camera.port))
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


def discovered(port: int) -> Virtual:
    """The ONVIF side of the camera."""
    return Local(7, [Profile("cam", (640, 360))], stream_port=port, name="yard")


def first_alert(machine: Machine, found: Virtual) -> None:
    began = time.monotonic()
    for command in COMMANDS:
        # Only while it is searched for: tests with virtual cameras wait for each other.
        with Network([found]) if "discover" in command else nullcontext():
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
    (machine.share / "week.py").write_text(WEEK)
    machine("systemctl stop surveil; /opt/surveil/bin/python /opt/share/week.py; systemctl start surveil")
    segments = "surveil recordings yard --from 9d --json | grep -c '\"path\"'"
    machine.until("the week is taken in", f"test $({segments}) -gt {DAYS}")
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
