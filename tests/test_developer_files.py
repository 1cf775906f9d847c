"""Files for developers and packagers: complete, and without a link that leads nowhere."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page):
    targets = re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", page.read_text())
    assert [target for target in targets if not (page.parent / target).exists()] == []


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
    trove = pytest.importorskip("trove_classifiers")
    assert set(PROJECT["classifiers"]) <= set(trove.classifiers)
    pythons = {name.rsplit(" ", 1)[1] for name in PROJECT["classifiers"] if "Python :: 3." in name}
    assert pythons == {"3.11", "3.12", "3.13"}, "as in requirements/lock.py and the Makefile"
