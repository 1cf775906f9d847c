"""The console's files: complete, small, in two languages, and nothing third-party in version control."""

import gzip
import hashlib
import json
import re
from pathlib import Path

import pytest

from model_build.console import NAME, PREACT
from surveil.alerts.rows import COMMITTED, RAISED, REPEATED, WITHHELD
from surveil.detect.labels import COCO
from surveil.errors import Cause
from surveil.features.registry import RULES
from surveil.language import catalogue
from surveil.reasons import DecodeWhy, Outcome, Reason
from surveil.recording.reasons import Gap

ROOT = Path(__file__).parents[2]
STATIC = ROOT / "surveil" / "console" / "static"
MODULES = sorted(STATIC.glob("js/**/*.js"))
CODE = {path: path.read_text() for path in MODULES}
LANGUAGES = {"en": {"one", "other"}, "zh": {"other"}}
"""The plural categories of each language (CLDR)."""


def messages(language):
    return json.loads((STATIC / "i18n" / f"{language}.json").read_text())


def test_the_library_is_the_published_file_and_is_not_in_version_control():
    assert hashlib.sha256((STATIC / "vendor" / NAME).read_bytes()).hexdigest() == PREACT.sha256
    assert "/surveil/console/static/vendor/" in (ROOT / ".gitignore").read_text().splitlines()


def test_the_licences_of_the_library_are_in_the_notice():
    notice = (ROOT / "NOTICE").read_text()
    assert all(word in notice for word in ("Preact", "htm 3.1.1", f"{PREACT.package} {PREACT.version}"))


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(STATIC)))
def test_imports_of_a_module_lead_to_files(module):
    targets = re.findall(r"""(?:from |import\(|")(["']?)(\.{1,2}/[\w./-]+\.js)\1""", CODE[module])
    assert [target for _, target in targets if not (module.parent / target).is_file()] == []


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(STATIC)))
def test_a_module_is_short_and_keeps_to_the_content_security_policy(module):
    code = CODE[module]
    assert len(code.splitlines()) <= 350
    assert not re.search(
        r"\beval\(|new Function|innerHTML|dangerouslySetInnerHTML|document\.write|https?://(?!www\.w3\.org)",
        code,
    )


def test_both_languages_have_every_message_with_the_same_values():
    english, chinese = messages("en"), messages("zh")
    assert english.keys() == chinese.keys()
    for key, message in english.items():
        assert values_in(message) == values_in(chinese[key]), key


@pytest.mark.parametrize("language", LANGUAGES)
def test_plural_messages_have_the_categories_of_their_language(language):
    plurals = {key: set(one) for key, one in messages(language).items() if isinstance(one, dict)}
    assert plurals, "there are some"
    assert {key for key, has in plurals.items() if has != LANGUAGES[language]} == set()


def test_chinese_messages_are_chinese():
    alike = {
        key for key, text in messages("zh").items() if isinstance(text, str) and text == messages("en")[key]
    }
    assert {key for key in alike if re.search("[a-z]{4}", messages("en")[key])} == set()


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("cause", Cause), ("class", filter(None, COCO)), ("decode_why", DecodeWhy), ("gap", filter(None, Gap)),
        ("outcome", [*Outcome, RAISED, COMMITTED, WITHHELD, REPEATED]), ("reason", Reason),
        ("rule", [*RULES, *catalogue("zh").values["rule"]]),
    ],
)  # fmt: skip
def test_every_value_of_a_closed_set_has_a_name(kind, names):
    assert {name for name in map(str, names) if f"{kind}.{name}" not in messages("en")} == set()


def test_the_code_names_messages_that_exist_and_every_message_is_named():
    known = set(messages("en"))
    code = "\n".join(CODE.values())
    named = set(re.findall(r"""\bt\(\s*["']([\w.]+)["']""", code))
    assert named - known == set()
    sets = set(re.findall(r"""\bnamed\(\s*["'](\w+)["']""", code)) | set(
        re.findall(r"\bt\(\s*`(\w+)\.\$", code)
    )
    literals = set(re.findall(r"""["']([a-z]+(?:\.\w+)+)["']""", code))
    assert {key for key in known - named - literals if key.split(".")[0] not in sets} == set()


def test_the_first_page_is_small():
    first = [
        STATIC / name for name in ("index.html", "app.css", "icon.svg", "vendor/preact.js", "i18n/zh.json")
    ]
    first += reached_from(STATIC / "js" / "main.js") | reached_from(STATIC / "js" / "live" / "page.js")
    sizes = [len(gzip.compress(path.read_bytes(), 6)) for path in first]
    assert sum(sizes) <= 120_000


def reached_from(module):
    """The module and what it imports at once."""
    found, open_ = set(), [module]
    while open_:
        one = open_.pop()
        if one in found or one not in CODE:
            continue
        found.add(one)
        open_ += [(one.parent / target).resolve() for target in re.findall(r'from "(\.[^"]+)"', CODE[one])]
    return found


def values_in(message):
    texts = message.values() if isinstance(message, dict) else [message]
    return {value for text in texts for value in re.findall(r"\{(\w+)\}", text)}
