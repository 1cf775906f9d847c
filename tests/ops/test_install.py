"""`surveil install` into a folder: complete, repeatable, and taken away again without what is the operator's."""

import shutil
import subprocess
from pathlib import Path

import pytest

from surveil.app.install import DROP_INS, Installer
from surveil.cli import manual
from surveil.errors import StateError
from tests.forked import run

PROGRAM = Path("/opt/surveil/bin/surveil")


def surveil(*words):
    return run(["-m", "surveil", *words])


def files(folder):
    return {
        "/" + str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()
    }


def test_it_installs_the_same_when_repeated_and_keeps_a_configuration(tmp_path):
    first = surveil("install", "--systemd", "--destdir", tmp_path, "--program", PROGRAM, "--with", "strict")
    assert first.returncode == 0, first.stderr
    made = files(tmp_path)
    assert (
        f"\nExecStart={PROGRAM} run -c /etc/surveil/config.yaml\n"
        in made["/etc/systemd/system/surveil.service"]
    )
    assert "/etc/systemd/system/surveil@.service.d/strict.conf" in made
    (tmp_path / "etc/surveil/config.yaml").write_text("version: 1\n")
    again = surveil("install", "--destdir", tmp_path, "--program", PROGRAM, "--with", "strict")
    assert not [line for line in again.stdout.splitlines() if line.startswith("write")]
    assert files(tmp_path) == {**made, "/etc/surveil/config.yaml": "version: 1\n"}


def test_uninstall_takes_away_what_was_written_and_nothing_else(tmp_path):
    surveil("install", "--destdir", tmp_path, "--program", PROGRAM, *(f"--with={one}" for one in DROP_INS))
    own = tmp_path / "etc/systemd/system/surveil.service.d/secret.conf"
    own.write_text("[Service]\n")
    assert surveil("uninstall", "--destdir", tmp_path).returncode == 0
    assert set(files(tmp_path)) == {
        "/etc/surveil/config.yaml",
        "/etc/systemd/system/surveil.service.d/secret.conf",
    }
    assert surveil("uninstall", "--destdir", tmp_path).returncode == 0


def test_everybody_finds_the_program_its_manual_and_completion_of_names(tmp_path):
    made = surveil("install", "--destdir", tmp_path, "--program", PROGRAM)
    assert made.returncode == 0, made.stderr
    link = tmp_path / "usr/local/bin/surveil"
    assert link.readlink() == PROGRAM
    share = tmp_path / "usr/local/share"
    for script in (
        "bash-completion/completions/surveil",
        "zsh/site-functions/_surveil",
        "fish/vendor_completions.d/surveil.fish",
    ):
        assert "_SURVEIL_COMPLETE" in (share / script).read_text()
    page = (share / "man/man1/surveil-alerts-list.1").read_text()
    assert "surveil\\-alerts\\-list \\- List alerts" in page
    assert ".B \\-\\-limit" in page
    assert ".SH COMMANDS" in (share / "man/man1/surveil.1").read_text()
    assert surveil("uninstall", "--destdir", tmp_path).returncode == 0
    assert not link.is_symlink()
    assert [path for path in share.rglob("*") if path.is_file()] == []


def test_somebody_else_s_program_of_that_name_stays(tmp_path):
    theirs = tmp_path / "usr/local/bin/surveil"
    theirs.parent.mkdir(parents=True)
    theirs.symlink_to("/opt/pipx/venvs/surveil/bin/surveil")
    done = surveil("install", "--destdir", tmp_path, "--program", PROGRAM)
    assert "keep    /usr/local/bin/surveil\n" in done.stdout
    assert surveil("uninstall", "--destdir", tmp_path).returncode == 0
    assert theirs.readlink() == Path("/opt/pipx/venvs/surveil/bin/surveil")


def test_a_program_that_is_on_the_path_already_gets_no_link(tmp_path):
    done = surveil("install", "--destdir", tmp_path, "--program", "/usr/bin/surveil")
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "usr/local/bin").exists()


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is missing")
def test_the_pages_are_good_roff():
    pages = {place: text for place, text in manual.files().items() if place.suffix == ".1"}
    assert pages.keys() == {place for place in manual.places() if place.suffix == ".1"}
    done = subprocess.run(
        ["groff", "-ww", "-man", "-Tutf8", "-Kutf8", "-z"],
        input="".join(pages.values()), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stderr == ""


def test_a_dry_run_says_the_same_and_does_nothing(tmp_path):
    words = ("install", "--destdir", tmp_path, "--program", PROGRAM)
    dry = surveil(*words, "--dry-run")
    assert not files(tmp_path)
    assert surveil(*words).stdout == dry.stdout


def test_a_program_that_the_service_cannot_see_is_refused_with_the_remedy(tmp_path):
    installer = Installer(program=Path("/root/venv/bin/surveil"), destdir=tmp_path)
    with pytest.raises(StateError, match="make install PREFIX=/opt/surveil"):
        list(installer.install())
    assert not files(tmp_path)


def test_an_unknown_drop_in_is_refused(tmp_path):
    done = surveil("install", "--destdir", tmp_path, "--with", "webcan")
    assert (done.returncode, "there are webcam, nvidia, strict" in done.stderr) == (78, True)
