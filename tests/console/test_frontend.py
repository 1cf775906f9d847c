"""Files of the front end: cached for ever by their hash, compressed, and nothing else of the disk."""

import gzip
import subprocess
import sys

import pytest

from tests.console.site import Site


@pytest.fixture
def front(tmp_path):
    folder = tmp_path / "static"
    (folder / "i18n").mkdir(parents=True)
    (folder / "index.html").write_text(
        '<!doctype html><script type="module" src="__ASSETS__/app.js"></script>'
    )
    (folder / "app.js").write_text("export const x = 1;\n" * 100)
    (folder / "i18n" / "en.json").write_text("{}")
    (tmp_path / "secret").write_text("s3cret")
    with Site(tmp_path, front=folder) as made:
        yield made


@pytest.mark.parametrize("page", ["/console/", "/console/cameras/yard", "/console/events"])
def test_every_page_is_the_index_which_names_the_files_of_this_version(front, page):
    answer = front.ask("GET", page)
    assert answer.status == 200
    assert f'src="/console/v-{front.front.version}/app.js"'.encode() in answer.body
    assert answer.headers["cache-control"] == "no-cache"


def test_files_of_a_version_are_cached_for_ever_and_compressed(front):
    path = f"/console/v-{front.front.version}/app.js"
    answer = front.ask("GET", path, headers={"Accept-Encoding": "gzip"})
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert gzip.decompress(answer.body) == b"export const x = 1;\n" * 100
    assert answer.headers["content-type"].startswith("text/javascript")
    again = front.ask("GET", path, headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status, again.body) == (304, b"")


def test_another_version_is_not_found_and_nothing_is_cached_under_its_name(front):
    answer = front.ask("GET", "/console/v-0123456789abcdef/app.js")
    assert (answer.status, answer.headers["cache-control"]) == (404, "no-store")


@pytest.mark.parametrize("path", ["/console/", "/api/v1/me", "/api/v1/nothing", "/console/none.js"])
def test_every_answer_forbids_what_is_inline_or_from_elsewhere(front, path):
    policy = front.ask("GET", path).headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert front.ask("GET", path).headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "path",
    [
        "/console/../secret", "/console/%2e%2e/secret.txt", "/console/..%2fsecret.js", "/console//etc/passwd.js",
        "/console/i18n/../../secret.js", "/console/%00.js", "/console/v-x/../app.json",
    ],
)  # fmt: skip
def test_no_path_leads_out_of_the_front_end(front, path):
    answer = front.ask("GET", path)
    assert answer.status in {200, 404}
    assert b"s3cret" not in answer.body


def test_without_the_setting_nothing_of_the_console_is_imported():
    code = (
        "import sys, surveil.app.daemon; print([m for m in sys.modules if m.startswith('surveil.console')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
