"""The pages in Chinese: their commands and files are those of the English pages, and their links lead somewhere."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ALL = {"README.zh.md": "README.md", "docs/zh/install.md": "docs/install.md"}
"""Pages that are translated as a whole, and what of."""
PARTS = {
    "docs/zh/first-camera.md": ("docs/console.md",),
    "docs/zh/alerts.md": ("docs/sinks.md", "docs/no-alerts.md"),
}
"""Pages that are about a part of others."""
PAGES = sorted({*ALL, *PARTS})


def code(page):
    """The lines of code of a page, without comments, which may be translated."""
    found, fenced = [], False
    for line in (ROOT / page).read_text().splitlines():
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif fenced or line.startswith("    "):
            found.append(re.sub(r"\s+#.*", "", line).rstrip())
    assert not fenced
    return [line.removeprefix("    ") for line in found if line.strip()]


@pytest.mark.parametrize("page", ALL)
def test_a_translated_page_has_just_the_commands_and_files_of_the_english_one(page):
    assert code(page) == code(ALL[page])
    assert len(code(page)) > 10


@pytest.mark.parametrize("page", PARTS)
def test_a_page_about_a_part_has_no_commands_of_its_own(page):
    english = {line for of in PARTS[page] for line in code(of)}
    assert code(page), "there are some"
    assert [line for line in code(page) if line not in english] == []


def commands(page):
    """What a page says to type within its sentences."""
    return set(re.findall(r"`(surveil [a-z][^`]*|make [a-z][^`]*)`", (ROOT / page).read_text()))


@pytest.mark.parametrize("page", PAGES)
def test_commands_in_sentences_are_of_some_english_page(page):
    english = "\n".join(path.read_text() for path in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
    assert {one for one in commands(page) if f"`{one}" not in english} == set()


@pytest.mark.parametrize("page", [*PAGES, "README.md"])
def test_links_lead_to_files_and_sections(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", (ROOT / page).read_text()):
        if target.startswith("http"):
            continue
        path, _, section = target.partition("#")
        file = (ROOT / page).parent / path if path else ROOT / page
        assert file.exists(), target
        if section:
            headings = re.findall(r"^#+ (.+)$", file.read_text(), re.MULTILINE)
            assert section in {re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-") for one in headings}, (
                target
            )


@pytest.mark.parametrize("page", PAGES)
def test_the_pages_use_the_words_of_the_field(page):
    text = (ROOT / page).read_text()
    assert len(re.findall(r"[\u4e00-\u9fff]", text)) > 400
    assert not re.search("警戒线|徘徊者|遗弃物|解除布防|假阳性|虚警", text)
