"""Files for developers and packagers: complete, and without a link that leads nowhere."""

import re
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path

import pytest

from tests.optional import package
from tests.words import UNCLEAR

ROOT = Path(__file__).parents[1]
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page):
    targets = re.findall(r"\]\((?!https?:|mailto:)([^)\s]+)", prose(page))
    assert [target for target in targets if not leads_somewhere(page, target)] == []


def test_a_link_to_a_page_or_section_that_is_not_there_is_found(tmp_path):
    page = tmp_path / "a.md"
    page.write_text("# One\n\n## Two: `x_y`, *z*\n\n```sh\n# Three\n```\n\n## One\n")
    good = ("#one", "#one-1", "#two-x_y-z", "a.md", "a.md#one")
    assert [target for target in (*good, "#three", "a.md#four", "b.md") if not leads_somewhere(page, target)] == [
        "#three", "a.md#four", "b.md",
    ]  # fmt: skip


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_pages_are_written_in_plain_words(page):
    assert [found[0] for found in UNCLEAR.finditer(page.read_text())] == []


def test_first_lines_of_modules_are_written_in_plain_words():
    first = {path: path.read_text().partition("\n")[0] for path in (ROOT / "surveil").rglob("*.py")}
    assert len(first) > 100
    assert [str(path) for path, line in first.items() if UNCLEAR.search(line)] == []


def test_the_page_about_the_architecture_has_the_layers_of_the_import_contract():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (layers,) = [contract["layers"] for contract in contracts if contract["type"] == "layers"]
    page = (ROOT / "docs" / "architecture.md").read_text()
    shown = [re.findall(r"`([\w.]+)`", line) for line in re.findall(r"^\d+\. (`.+`)$", page, re.MULTILINE)]
    assert shown == [
        [module.strip().removeprefix("surveil.") for module in layer.split("|")]
        for layer in layers
        if layer != "surveil.__main__"
    ]


def test_the_notice_names_the_licence_of_all_that_is_installed():
    words = [sys.executable, ROOT / "packaging" / "licences.py", "--table"]
    table = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert table.count("\n") > 20
    assert table in (ROOT / "NOTICE").read_text()


def prose(page: Path) -> str:
    """Return the text of a page without its code blocks."""
    return re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def leads_somewhere(page: Path, target: str) -> bool:
    """Whether a relative link names a file that exists and, after a '#', a heading of that page."""
    name, _, section = target.partition("#")
    place = page.parent / name if name else page
    return place.exists() and (not section or section in anchors(place))


def anchors(page: Path) -> set[str]:
    """Return the anchors that headings get: lower case, no punctuation, '-' for blanks, a number if repeated."""
    found: set[str] = set()
    seen: Counter[str] = Counter()
    for heading in re.findall(r"^#+ +(.+)$", prose(page), re.MULTILINE):
        name = re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
        found.add(f"{name}-{seen[name]}" if seen[name] else name)
        seen[name] += 1
    return found


def test_the_index_of_decisions_has_every_one_with_date_and_state():
    folder = ROOT / "docs" / "adr"
    rows = re.findall(
        r"^\| (\d+) \| \[(.+)\]\((\d{4}-.+\.md)\) \| (\d{4}-\d\d-\d\d) "
        r"\| (accepted|proposed|withdrawn|superseded by \d+) \|$",
        (folder / "README.md").read_text(),
        re.MULTILINE,
    )
    listed = {name: f"# {number}. {title}" for number, title, name, *_ in rows}
    assert listed == {path.name: path.read_text().splitlines()[0] for path in folder.glob("0*.md")}


def test_the_package_says_that_it_is_typed_and_for_which_pythons():
    assert (ROOT / "surveil" / "py.typed").is_file()
    trove = package("trove_classifiers")
    assert set(PROJECT["classifiers"]) <= set(trove.classifiers)
    pythons = {name.rsplit(" ", 1)[1] for name in PROJECT["classifiers"] if "Python :: 3." in name}
    assert pythons == {"3.11", "3.12", "3.13"}, "as in requirements/lock.py and the Makefile"
