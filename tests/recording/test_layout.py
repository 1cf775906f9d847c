"""A bundle that programs may unpack in different ways is found out."""

import io
import json
import zipfile

import pytest

from surveil.errors import StateError
from surveil.recording import bundle
from surveil.recording.layout import oddities
from tests.commands import refused, surveil
from tests.optional import package


@pytest.fixture(scope="module")
def signed(tmp_path_factory):
    package("cryptography")
    from surveil.recording.signing import BundleSigner

    folder = tmp_path_factory.mktemp("bundle")
    (folder / "yard.mp4").write_bytes(b"film" * 50)
    bundle.pack(folder / "yard.zip", {"parts": []}, {"yard.mp4": folder / "yard.mp4"}, BundleSigner(folder))
    return folder / "yard.zip"


def test_a_bundle_as_it_was_made_is_good(signed):
    assert surveil("verify", signed)[0] == 0


def with_other(file, target, name):
    """The bundle with one more file of this name in front of all others."""
    with zipfile.ZipFile(file) as archive, zipfile.ZipFile(target, "w") as other:
        other.writestr(name, b"other")
        for member in archive.infolist():
            other.writestr(member, archive.read(member))
    return target


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", ["yard.mp4", "YARD.mp4", "export.json", "SHA256SUMS", "SHA256SUMS.sig"])
def test_a_second_file_of_one_name_is_found_out(signed, tmp_path, name):
    """Whoever reads the archive from its beginning sees the first."""
    code, printed = surveil("verify", with_other(signed, tmp_path / "b.zip", name), "--json")
    assert code == 1
    assert f"{name.casefold()}: is there 2 times" in json.loads(printed)["faults"]


def moved(raw, by):
    """The archive behind other bytes, with its offsets as they are then."""
    out = io.BytesIO(bytes(by))
    out.seek(0, 2)
    with zipfile.ZipFile(io.BytesIO(raw)) as archive, zipfile.ZipFile(out, "a") as other:
        for member in archive.infolist():
            other.writestr(member, archive.read(member))
    return out.getvalue()


def with_gap(raw):
    """Bytes between the first file and the second."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(raw)) as archive, zipfile.ZipFile(out, "w") as other:
        for member in archive.infolist():
            other.writestr(member, archive.read(member))
            other.fp.write(b"other")
            other.start_dir = other.fp.tell()
    return out.getvalue()


def with_member(raw, **others):
    """Each file with something else in its description."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(raw)) as archive, zipfile.ZipFile(out, "w") as other:
        for member in archive.infolist():
            new = zipfile.ZipInfo(member.filename)
            for name, value in others.items():
                setattr(new, name, value)
            other.writestr(new, archive.read(member))
    return out.getvalue()


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda raw: b"#!/bin/sh\n" + raw, "yard.mp4: is not directly behind"),
        (lambda raw: moved(raw, 7), "yard.mp4: is not directly behind"),
        (with_gap, "export.json: is not directly behind"),
        (lambda raw: raw + b"other", "the archive: has a comment, or bytes"),
        (lambda raw: raw[:-2] + b"\x05\0other", "the archive: has a comment, or bytes"),
        (lambda raw: with_member(raw, comment=b"other"), "yard.mp4: is described in two ways"),
        (lambda raw: with_member(raw, extra=b"\x99\x99\x01\0x"), "yard.mp4: is described in two ways"),
        (
            lambda raw: with_member(raw, compress_type=zipfile.ZIP_DEFLATED),
            "export.json: is described in two ways",
        ),
        # The method in front of the first content, and not in the directory.
        (lambda raw: raw[:8] + b"\x08" + raw[9:], "yard.mp4: is described in two ways"),
        (lambda raw: raw[:18] + b"\x05\0\0\0" + raw[22:], "yard.mp4: is described in two ways"),
    ],
)
def test_an_archive_that_can_be_read_in_two_ways_is_found_out(signed, tmp_path, change, fault):
    file = tmp_path / "b.zip"
    file.write_bytes(change(signed.read_bytes()))
    code, printed = surveil("verify", file, "--json")
    assert code == 1
    assert any(one.startswith(fault) for one in json.loads(printed)["faults"]), printed


def test_a_file_too_large_for_32_bits_is_described_in_its_extra_field():
    """As for films of more than 2 GB, whose size the format has elsewhere."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive, archive.open("a", "w", force_zip64=True) as member:
        member.write(b"film")
    with zipfile.ZipFile(out) as archive:
        assert list(oddities(out, archive)) == []


def test_sums_are_read_as_a_whole_or_not_at_all(signed, tmp_path):
    """A signature of their beginning would say nothing of the rest."""
    with zipfile.ZipFile(signed) as archive, zipfile.ZipFile(tmp_path / "b.zip", "w") as other:
        for member in archive.infolist():
            more = bytes(1 << 20) if member.filename == "SHA256SUMS" else b""
            other.writestr(member, archive.read(member) + more)
    assert "SHA256SUMS is larger than 1048576 bytes" in refused(StateError, "verify", tmp_path / "b.zip")
