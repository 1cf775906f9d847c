"""Texts in another language: the catalogues are complete, and alerts are told in the language of each sink.

`python -m tests.test_language` prints the texts that no catalogue has.
"""

import ast
import json
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
from typer.main import get_command

import surveil
from surveil.alerts import payload
from surveil.alerts.delivery import Camera, Context, Delivery, InstallationStatus
from surveil.alerts.homeassistant import discovery
from surveil.alerts.sinks import make_sink
from surveil.alerts.sinks.email import EmailSettings, EmailSink
from surveil.alerts.sinks.speaking import said_in
from surveil.alerts.sinks.webhook import WebhookSettings
from surveil.cli.lazy import LazyCommand, is_chinese
from surveil.cli.root import app
from surveil.cli.speaking import in_chinese
from surveil.config import load
from surveil.language import catalogue, help_texts
from surveil.language.errors import in_chinese as error_in_chinese
from surveil.titles import Titles
from surveil.wording import Language, Said, in_language, say, unpack
from tests.alerts.helpers import Receiver, alert
from tests.commands import surveil as surveil_command
from tests.forked import run

SOURCE = Path(surveil.__file__).parent
CHINESE = catalogue(Language.CHINESE)
FIELD = re.compile(r"\{(\w+)(?::[^}]*)?\}")
OF_CONSOLE = {"label": "class", "cause": "cause", "rule": "rule"}
"""Kinds of words, and what the console's own messages call them."""
ENTERED = say("{label} in {zone}", label="person", zone="yard")


def templates():
    """The first arguments of all calls of `say` in modules that import it."""
    found = []
    modules = [
        text for path in SOURCE.rglob("*.py") if "from surveil.wording import" in (text := path.read_text())
    ]
    for module in modules:
        for node in ast.walk(ast.parse(module)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "say":
                found.append(node.args[0])
    return found


def test_templates_are_literals_and_the_catalogue_has_each_and_no_other():
    assert [ast.unparse(one) for one in templates() if not isinstance(one, ast.Constant)] == []
    assert {one.value for one in templates()} == set(CHINESE.messages)


def test_translations_are_filled_with_the_same_values_and_are_chinese():
    for english, chinese in CHINESE.messages.items():
        assert sorted(FIELD.findall(english)) == sorted(FIELD.findall(chinese)), english
        assert re.search(r"[\u4e00-\u9fff]", chinese) or set(FIELD.sub("", chinese)) <= set("：；（） "), (
            english
        )


@pytest.mark.parametrize("kind", OF_CONSOLE)
def test_alerts_and_console_have_the_same_word_for_the_same_thing(kind):
    console = json.loads((SOURCE / "console" / "static" / "i18n" / "zh.json").read_text())
    theirs = {name: console.get(f"{OF_CONSOLE[kind]}.{name}") for name in CHINESE.values[kind]}
    assert {name: word for name, word in theirs.items() if word} == {
        name: word for name, word in CHINESE.values[kind].items() if theirs[name]
    }


def test_a_text_is_english_and_can_be_said_in_chinese_with_the_titles_of_its_places():
    text = Titles(zones={"yard": "前院"}).say(ENTERED, "yard", "")
    assert text == "person in 前院"
    assert in_language(text, Language.CHINESE) == "人进入前院"
    assert in_language(text, Language.ENGLISH) == text
    assert in_language("only a string", Language.CHINESE) == "only a string"


def test_texts_within_texts_are_said_too():
    text = say("{lead}; also {also}", lead=ENTERED, also=say("{camera}: {text}", camera="gate", text=ENTERED))
    assert text == "person in yard; also gate: person in yard"
    assert in_language(text, Language.CHINESE) == "人进入yard；另有 gate：人进入yard"


def test_an_alert_that_was_stored_can_still_be_said_in_chinese():
    stored = payload.load(payload.dump(alert(text=ENTERED)))
    assert (stored.text, said_in(stored, Language.CHINESE).text) == ("person in yard", "人进入yard")
    assert "said" not in payload.to_dict(stored)


@pytest.mark.parametrize(
    "packed",
    [
        None, {}, [], ["x"], ["other", {}], ["{label}", {}], ["{label:>99999999999}", {"label": "a"}],
        ["{label.__class__}", {"label": "a"}], ["{0}", {"label": "a"}], [["a"], {}], [1, 2], ["a", [1]],
    ],
)  # fmt: skip
def test_what_was_stored_and_says_something_else_is_only_a_string(packed):
    found = unpack("person in yard", packed)
    assert (found, isinstance(found, Said)) == ("person in yard", False)


def sent(receiver, settings, told):
    sink = make_sink(settings, Context())
    sink.deliver(Delivery(told))
    sink.close()
    return json.loads(receiver.got[-1].body)


def test_each_sink_is_told_in_its_own_language():
    told = alert(text=ENTERED)
    with Receiver() as receiver:
        chinese, english = (
            sent(receiver, WebhookSettings(url=receiver.url, language=language), told)
            for language in ("zh", None)
        )
    assert (chinese["text"], chinese["rule"], chinese["titles"]["rule"]) == (
        "人进入yard",
        "intrusion",
        "区域入侵",
    )
    assert english["text"] == "person in yard"


def test_a_mail_is_chinese_as_a_whole():
    settings = EmailSettings(
        host="127.0.0.1", sender="a@example.org", recipients=["b@example.org"], language="zh"
    )
    message = EmailSink(settings, Context()).compose(
        said_in(alert(text=ENTERED), Language.CHINESE), omitted=9
    )
    assert "区域入侵: 人进入yard" in str(message["Subject"])
    body = message.get_content()
    assert all(word in body for word in ("摄像机", "本地时间", "9 字节"))
    assert not re.search(r"^(camera|rule|zone|The)\b", body, re.MULTILINE)


def test_entities_of_home_assistant_have_chinese_names_and_the_same_ids():
    status = InstallationStatus({"yard": Camera(zones=("lawn",), rules=("intrusion",))})
    english, chinese = (
        discovery("ha", "t", "home", status, switches=True, language=language) for language in Language
    )
    assert english.keys() == chinese.keys()
    names = {json.loads(payload)["name"] for payload in chinese.values()}
    assert names == {"在线", "报警", "最近报警", "布防", "lawn"}


def test_the_language_of_the_file_is_that_of_sinks_without_their_own(tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text(
        "version: 1\nlanguage: zh\ncameras: {}\n"
        "sinks: {a: {type: log}, b: {type: log, language: en}}\n"
        f"state_dir: {tmp_path}\n"
    )
    sinks = load(file, {}).sinks
    assert (sinks["a"].language, sinks["b"].language) == (Language.CHINESE, Language.ENGLISH)


def test_nothing_but_the_text_and_the_titles_differs():
    told = alert(text=ENTERED, titles={"rule": "My rule"})
    assert said_in(told, Language.CHINESE) == replace(told, text="人进入yard")


OF_TYPER = {
    "Aborted.", "Arguments", "Commands", "Error", "Examples", "Options", "Show this message and exit.",
    "Try [blue]'{command_path} {help_option}'[/] for help.", "warning",
}  # fmt: skip


def every_command(command, found):
    """All commands and groups below a command, and what stands for one in a list."""
    found.append(command)
    if isinstance(command, LazyCommand):
        command = command.load()
        found.append(command)
    for inner in getattr(command, "commands", {}).values():
        every_command(inner, found)
    return found


def texts_of_help():
    """The paragraphs of the help of all commands, and the help of every option; without what is code."""
    found = {
        text for command in every_command(get_command(app), []) for text in paragraphs_and_options(command)
    }
    return {" ".join(text.split()) for text in found if text and not text.startswith("    ")}


def paragraphs_and_options(command):
    yield from (command.help or "").split("\n\n")
    yield from (getattr(parameter, "help", None) for parameter in command.params)


def untranslated(texts):
    return {text for text in texts if not re.search(r"[\u4e00-\u9fff]", in_chinese(text))}


def test_the_help_of_every_command_and_option_is_there_in_chinese(monkeypatch):
    monkeypatch.setenv("SURVEIL_LANGUAGE", "en")
    texts = texts_of_help()
    monkeypatch.setenv("SURVEIL_LANGUAGE", "zh")
    assert untranslated(texts) == set()
    # Each is of something that is still there: a text that has changed is translated anew.
    assert help_texts().keys() - texts - OF_TYPER == set()


@pytest.mark.parametrize(
    ("environment", "chinese"),
    [
        ({}, False), ({"LANG": "zh_CN.UTF-8"}, True), ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, False),
        ({"LANG": "de_DE", "SURVEIL_LANGUAGE": "zh"}, True), ({"SURVEIL_LANGUAGE": "", "LANG": "zh_TW"}, True),
    ],
)  # fmt: skip
def test_the_language_of_help_is_the_terminals(environment, chinese):
    assert is_chinese(environment) == chinese


def test_help_is_chinese_as_far_as_it_is_translated(monkeypatch):
    monkeypatch.setenv("SURVEIL_LANGUAGE", "zh")
    code, shown = surveil_command("train", "--help")
    assert code == 0
    assert "训练分类器" in shown
    assert "选项" in shown
    assert "显示此帮助" in shown


def test_the_list_of_commands_is_chinese_as_a_whole(monkeypatch):
    monkeypatch.setenv("SURVEIL_LANGUAGE", "zh")
    shown = surveil_command("--help")[1]
    assert not re.search("[A-Z][a-z]+ [a-z]+ [a-z]+", shown)


MISTAKES = sorted(Path(__file__).parent.glob("bad_configs/*.txt"))


@pytest.mark.parametrize("file", MISTAKES, ids=lambda file: file.stem)
def test_every_mistake_of_a_configuration_is_said_in_chinese_with_its_place(file):
    for line in file.read_text().splitlines():
        said = error_in_chinese(line)
        place = line.partition(": ")[0]
        assert said.startswith(f"{place}: ")
        assert re.search(r"[\u4e00-\u9fff]", said), line
        assert "; " not in said, "half of it is English"


def test_what_no_catalogue_knows_stays_as_it_is():
    for line in (
        "",
        "surveil: the disk is full",
        "a.yaml:3: cameras.x: something new",
        ": ",
        "a: b: c: d; is missing",
    ):
        assert error_in_chinese(line) == line


def test_a_line_that_is_too_long_to_search_stays_as_it_is():
    line = "c.yaml:2: camera: unknown key, did you mean '{}'?"
    assert error_in_chinese(line.format("cameras")) != line.format("cameras")
    assert error_in_chinese(line.format("c" * 1000)) == line.format("c" * 1000)


def test_a_refused_configuration_is_told_in_the_language_of_the_terminal(tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text("version: 1\ncamera: {}\n")
    done = run(["-m", "surveil", "check", "-c", str(config)], env={**os.environ, "SURVEIL_LANGUAGE": "zh"})
    assert (done.returncode, done.stderr) == (78, f"{config}:2: camera: 未知的配置项，是否想写 'cameras'？\n")


if __name__ == "__main__":
    lacking = {one.value for one in templates()} - set(CHINESE.messages) | untranslated(texts_of_help())
    print("\n".join(map(repr, sorted(lacking))))
