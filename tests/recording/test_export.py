"""What is exported is what was recorded; a bundle that was changed is found out."""

import json
import shutil
import subprocess
import zipfile
from dataclasses import replace

import av
import pytest

from surveil.capture.settings import RECORDINGS
from surveil.errors import ConfigError, StateError
from surveil.recording.footage import read_footage
from tests.capture.test_packets import stored
from tests.commands import refused, surveil
from tests.optional import package
from tests.recording.world import world
from tests.rig.clips import make_clip

pytestmark = pytest.mark.slow
BEGAN = 1_700_000_000.0
"""2023-11-14T22:13:20Z: when the clock of these tests begins."""


def moment(seconds):
    return f"2023-11-14T22:{13 + int(20 + seconds) // 60:02}:{(20 + seconds) % 60:06.3f}+00:00"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory, clip):
    """A minute and a bit, a hole of half a minute after 70 s, and 20 s more."""
    folder = tmp_path_factory.mktemp("recorded")
    with world(folder, clip) as here:
        here.send(70)
        here.tap.restart()
        here.clock.advance(30)
        here.send(20)
        here.end()
    (folder / "config.yaml").write_text(
        json.dumps(
            {
                "version": 1,
                "state_dir": str(folder),
                "cameras": {"yard": {"url": "a.mp4"}, "hall": {"url": "b.mp4"}},
            }
        )
    )
    return folder


def config(folder):
    return "-c", folder / "config.yaml"


def holes(missing):
    """Seconds of the recording between which nothing is there, and why."""
    return [(round(one["start"] - BEGAN), round(one["end"] - BEGAN), one["reason"]) for one in missing]


def exported(folder, film, since, until):
    """What an export says of itself, by seconds of the recording."""
    asked = ("--from", moment(since), "--to", moment(until), "-o", film)
    code, printed = surveil("export", "yard", *asked, *config(folder), "--json")
    assert code == 0
    return json.loads(printed)


def packets_of(path):
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(video=0) if packet.size]


def test_what_is_recorded_and_what_is_missing_is_listed(recorded):
    code, printed = surveil("recordings", "yard", "--from", moment(0), *config(recorded), "--json")
    [found] = json.loads(printed)
    assert code == 0
    assert [round(one["seconds"]) for one in found["segments"]] == [60, 10, 20]
    [hole] = found["missing"]
    assert (hole["reason"], round(hole["start"] - BEGAN), round(hole["end"] - BEGAN)) == (
        "camera_lost",
        70,
        100,
    )
    _, table = surveil("recordings", "--from", moment(0), *config(recorded))
    assert table.count("recorded") == 2
    assert table.count("camera_lost") == 1


def test_the_index_is_compared_with_the_files(recorded, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(recorded, copy)
    (copy / "config.yaml").write_text(
        (recorded / "config.yaml").read_text().replace(str(recorded), str(copy))
    )
    assert surveil("recordings", "--verify", *config(copy))[0] == 0
    victim = next((copy / RECORDINGS).rglob("*.mp4"))
    victim.write_bytes(victim.read_bytes()[:-5])
    code, printed = surveil("recordings", "--verify", *config(copy), "--json")
    assert code == 1
    assert [fault["path"] for fault in json.loads(printed)["faults"]] == [str(victim.relative_to(copy))]


def test_an_export_has_the_packets_as_they_were_from_the_key_frame_before(recorded, tmp_path):
    film = tmp_path / "yard.mp4"
    asked = ("--from", moment(57.5), "--to", moment(110))
    code, printed = surveil("export", "yard", *asked, "-o", film, *config(recorded), "--json")
    assert code == 0
    parts = json.loads(printed)["parts"]
    assert [(round(part["start"] - BEGAN), round(part["offset_s"]), round(part["seconds"])) for part in parts] == [
        (56, 0, 4), (60, 4, 10), (100, 14, 10),
    ]  # fmt: skip
    assert [part["gap"] for part in parts] == ["", "", "camera_lost"]
    assert holes(json.loads(printed)["missing"]) == [(70, 100, "camera_lost")]
    found = read_footage(recorded, "yard", 0, 1e11)
    sources = [packets_of(recorded / segment.path) for segment in found.segments]
    assert packets_of(film) == sources[0][56 * 15 :] + sources[1] + sources[2][: 10 * 15]
    with av.open(str(film)) as container:
        frames = list(container.decode(video=0))
        assert container.metadata["creation_time"].startswith("2023-11-14T22:13:20")
    assert len(frames) == 24 * 15
    assert [frame.time for frame in frames] == pytest.approx([i / 15 for i in range(24 * 15)], abs=0.01)
    assert film.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    ("since", "until", "expected"),
    [
        (10, 60, []),
        (-30, 60, [(-30, 0, "no_recording")]),
        (80, 110, [(80, 100, "camera_lost")]),
        (60, 90, [(70, 90, "camera_lost")]),
        (100, 180, [(120, 180, "no_recording")]),
    ],
)
def test_an_export_says_what_is_missing_at_its_ends(recorded, tmp_path, since, until, expected):
    assert holes(exported(recorded, tmp_path / "a.mp4", since, until)["missing"]) == expected


@pytest.mark.parametrize("is_in_index", [True, False])
@pytest.mark.parametrize(
    ("gone", "gaps", "expected"),
    [
        (0, ["no_recording", ""], (0, 60, "no_recording")),
        (1, ["", "not_kept"], (60, 120, "not_kept")),
        (2, ["", ""], (120, 140, "no_recording")),
    ],
)
def test_a_recording_that_was_deleted_is_a_hole(tmp_path, clip, gone, gaps, expected, is_in_index):
    """Before the export, or between its look at the index and its turn."""
    with world(tmp_path, clip) as here:
        here.send(140)
        deleted = here.end()[gone]
        (tmp_path / deleted.path).unlink()
        if not is_in_index:
            here.index.forget([deleted.id])
    write_config(tmp_path)
    done = exported(tmp_path, tmp_path / "out.mp4", 0, 140)
    assert [part["gap"] for part in done["parts"]] == gaps
    assert holes(done["missing"]) == [expected]


def test_nothing_is_missing_of_a_camera_whose_pictures_are_seconds_apart(tmp_path, clip):
    with world(tmp_path, clip) as here:
        key = here.packets[0]
        for n in range(40):
            stamp = round(4 * n / key.time_base)
            here.tap.append(replace(key, pts=stamp, dts=stamp, arrived=here.clock.monotonic()))
            here.recorder.step()
            here.clock.advance(4)
        assert len(here.end()) > 2
    write_config(tmp_path)
    for until in (59, 62, 158):
        done = exported(tmp_path, tmp_path / "out.mp4", 0, until)
        assert {part["gap"] for part in done["parts"]} == {""}
        assert holes(done["missing"]) == []


def test_a_clock_that_was_set_back_leaves_no_hole_at_the_end(tmp_path, clip):
    with world(tmp_path, clip) as here:
        here.send(60)
        here.clock.set_wall(here.clock.wall() - 30)
        here.send(20)
        here.end()
    write_config(tmp_path)
    assert holes(exported(tmp_path, tmp_path / "out.mp4", 0, 60)["missing"]) == [(60, 30, "clock_step")]


def test_another_size_is_another_film(tmp_path, clip):
    larger = stored(make_clip(tmp_path / "b.ts", size=(480, 272), seconds=4.0, gop=30))
    with world(tmp_path, clip) as here:
        here.send(4)
        here.packets = larger
        here.send(4)
        here.end()
    write_config(tmp_path)
    code, _ = surveil("export", "yard", "--from", moment(0), "-o", tmp_path / "out.mp4", *config(tmp_path))
    assert code == 0
    for name, width in (("out.mp4", 320), ("out-2.mp4", 480)):
        with av.open(str(tmp_path / name)) as container:
            assert {frame.width for frame in container.decode(video=0)} == {width}


def write_config(folder):
    text = json.dumps({"version": 1, "state_dir": str(folder), "cameras": {"yard": {"url": "a.mp4"}}})
    (folder / "config.yaml").write_text(text)


def test_an_open_recording_is_exported_and_h265_and_turned_pictures_stay_what_they_are(tmp_path):
    def turned(packet):
        its = packet.parameters
        return replace(packet, parameters=replace(its, rotate=90))

    with world(tmp_path, make_clip(tmp_path / "a.ts", "hevc", seconds=2.0, gop=15)) as here:
        here.send(10, change=turned)
        write_config(tmp_path)
        film = tmp_path / "out.mp4"
        assert surveil("export", "yard", "--from", moment(0), "-o", film, *config(tmp_path))[0] == 0
    with av.open(str(film)) as container:
        assert container.streams.video[0].codec_context.codec_tag == "hvc1"
        frames = list(container.decode(video=0))
    assert {frame.rotation for frame in frames} == {-90}
    assert 8 * 15 <= len(frames) <= 10 * 15


def test_what_cannot_be_exported_is_told_and_leaves_nothing_behind(recorded, tmp_path):
    film = tmp_path / "a.mp4"
    nothing = refused(
        StateError, "export", "yard", "--from", moment(71), "--to", moment(80), "-o", film, *config(recorded)
    )
    assert "nothing was recorded" in nothing
    assert "no camera 'gate'" in refused(ConfigError, "export", "gate", "-o", film, *config(recorded))
    beyond = tmp_path / "none" / "a.mp4"
    assert "cannot be exported" in refused(
        StateError, "export", "yard", "--from", moment(0), "-o", beyond, *config(recorded)
    )
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def signed(recorded, tmp_path_factory):
    package("cryptography")
    file = tmp_path_factory.mktemp("bundle") / "yard.zip"
    asked = ("--from", moment(0), "--to", moment(110), "--bundle", "-o", file)
    code, printed = surveil("export", "yard", *asked, *config(recorded), "--json")
    assert code == 0
    return file, json.loads(printed)["key"]


def test_a_bundle_says_what_it_is_and_is_verified(signed, recorded, tmp_path):
    file, key = signed
    code, printed = surveil("verify", file, "--key", key, "--json")
    assert (code, json.loads(printed)["good"]) == (0, True)
    assert set(json.loads(printed)["files"]) == {"yard.mp4", "export.json", "public-key.pem"}
    with zipfile.ZipFile(file) as archive:
        archive.extractall(tmp_path)
        sheet = json.loads(archive.read("export.json"))
    assert [part["gap_before"] for part in sheet["parts"]] == ["", "", "camera_lost"]
    assert sheet["missing"] == [
        {
            "from": "2023-11-14T22:14:30.000+00:00",
            "to": sheet["parts"][-1]["from"],
            "reason": "camera_lost",
        }
    ]
    assert sheet["parts"][0]["from"] == "2023-11-14T22:13:20.000+00:00"
    assert (recorded / "export.key").stat().st_mode & 0o777 == 0o600
    checked = subprocess.run(
        ["sha256sum", "--check", "SHA256SUMS"], cwd=tmp_path, capture_output=True, check=False
    )
    assert checked.returncode == 0
    if shutil.which("openssl"):
        line = "openssl pkeyutl -verify -pubin -inkey public-key.pem -rawin -in SHA256SUMS -sigfile SHA256SUMS.sig"
        assert subprocess.run(line.split(), cwd=tmp_path, capture_output=True, check=False).returncode == 0


def rewritten(file, target, change):
    """The bundle with other contents: `change` takes and returns a dict of them."""
    with zipfile.ZipFile(file) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in change(contents).items():
            archive.writestr(name, content)
    return target


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda files: files | {"yard.mp4": files["yard.mp4"][:-1] + b"x"}, "yard.mp4: was changed"),
        (lambda files: {k: v for k, v in files.items() if k != "yard.mp4"}, "yard.mp4: is missing"),
        (lambda files: files | {"other.mp4": b"x"}, "other.mp4: is not listed"),
        (lambda files: files | {"SHA256SUMS": files["SHA256SUMS"] + b"0  a\n"}, "SHA256SUMS.sig: is wrong"),
        (lambda files: files | {"SHA256SUMS.sig": bytes(64)}, "SHA256SUMS.sig: is wrong"),
        (lambda files: files | {"public-key.pem": b"none"}, "SHA256SUMS.sig: is wrong"),
        (
            lambda files: {k: v for k, v in files.items() if k != "SHA256SUMS.sig"},
            "SHA256SUMS.sig: is missing",
        ),
    ],
)
def test_a_bundle_that_was_changed_is_found_out(signed, tmp_path, change, fault):
    file = rewritten(signed[0], tmp_path / "b.zip", change)
    code, printed = surveil("verify", file, "--json")
    assert code == 1
    assert any(fault in one for one in json.loads(printed)["faults"])


def test_a_bundle_of_another_key_is_found_out_where_the_key_is_known(signed):
    code, printed = surveil("verify", signed[0], "--key", "SHA256:other")
    assert code == 1
    assert "signed by another key" in printed


def test_what_is_no_bundle_is_told(tmp_path):
    package("cryptography")
    (tmp_path / "a.zip").write_bytes(b"no archive")
    assert "is no bundle" in refused(StateError, "verify", tmp_path / "a.zip")


def test_a_bundle_can_be_made_without_a_signature(recorded, tmp_path):
    file = tmp_path / "yard.zip"
    code, _ = surveil(
        "export", "yard", "--from", moment(0), "--bundle", "--unsigned", "-o", file, *config(recorded)
    )
    assert code == 0
    with zipfile.ZipFile(file) as archive:
        assert set(archive.namelist()) == {"yard.mp4", "export.json", "SHA256SUMS"}
