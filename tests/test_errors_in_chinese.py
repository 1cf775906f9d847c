"""Every error that a command can end with is there in Chinese.

`python -m tests.test_errors_in_chinese` prints those that are not.
"""

import ast
import itertools
import os
import re
from pathlib import Path

import pytest

import surveil
from surveil.alerts.smtp import NOT_ASCII, SmtpRefusal, SmtpStage
from surveil.language.errors import in_chinese
from tests.forked import run

SOURCE = Path(surveil.__file__).parent
CHINESE = re.compile(r"[\u4e00-\u9fff]")
ENGLISH = re.compile(r"(?<![`'{/\w-])[a-z]{3,} [a-z]{2,}")
"""Two words in a row: what is left of a sentence."""
QUOTED = re.compile(r"`[^`]*`|make install PREFIX=\S+")
RAISED = {
    "BadPictureError", "ConfigError", "DamagedError", "DamagedModel", "DamagedPointerError", "DeviceError",
    "LoginRefused", "MarkupError", "ModelError", "Refusal", "Refused", "Rejected", "RetryLater", "SourceError",
    "StateError", "SurveilError", "TooLittleFootageError", "UnfitModel", "Unreachable", "ValueError", "_MissingError",
    "_TooMuchError", "kind", "source_error", "typer.BadParameter",
}  # fmt: skip
CALLED = {"complain", "problems.add", "self._say", "warn", "wrong.append"}
WITHIN = {
    "alerts/carving.py", "alerts/payload.py", "detect/letterbox.py", "types.py", "wording.py",
}  # fmt: skip
"""Where what is raised is caught."""


def is_of_commands(path):
    return not any(path.is_relative_to(SOURCE / one) for one in WITHIN)


def told(tree):
    """The expressions that say what is wrong."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            if ast.unparse(node.exc.func) in RAISED:
                yield from node.exc.args
                yield from (one.value for one in node.exc.keywords)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in CALLED:
            yield from node.args


def named(tree):
    """What names of a module stand for: what they are set to, and what functions return."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign) and node.value is not None:
            for target in getattr(node, "targets", None) or [node.target]:
                found.setdefault(ast.unparse(target), []).append(node.value)
        elif isinstance(node, ast.FunctionDef):
            returned = [one.value for one in ast.walk(node) if isinstance(one, ast.Return) and one.value]
            found.setdefault(node.name, []).extend(returned)
    return found


def literals(node):
    """The texts in an expression; `{}` is where a value goes."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value.replace("{", "{{").replace("}", "}}")
    elif isinstance(node, ast.JoinedStr):
        yield "".join(piece(one) for one in node.values)
    elif not (isinstance(node, ast.Call) and ast.unparse(node.func) == "Field"):
        for below in ast.iter_child_nodes(node):
            yield from literals(below)


def piece(node):
    if isinstance(node, ast.Constant):
        return node.value.replace("{", "{{").replace("}", "}}")
    return "{!r}" if node.conversion == ord("r") else "{}"


def texts_of(tree):
    known = named(tree)
    for expression in told(tree):
        yield from literals(expression)
        for node in ast.walk(expression):
            if isinstance(node, ast.Name | ast.Attribute):
                for value in known.get(ast.unparse(node).removeprefix("self."), ()):
                    yield from literals(value)


def missing():
    """What the API says of things that are not there."""
    calls = [
        node
        for path in (SOURCE / "console").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "not_found"
    ]
    return {f"there is no such {call.args[0].value}" for call in calls}


def damages():
    """What is said to be wrong with databases."""
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and node.name in {"damage", "_unlike"}:
                for one in ast.walk(node):
                    if isinstance(one, ast.Return) and one.value:
                        yield from (text for text in literals(one.value) if ENGLISH.search(text))


def texts():
    """The errors of all modules: what follows the place, with `{}` for values; without what is added to another."""
    found = {
        re.sub(r"^(\{(!r)?\}[\w.]*: )+", "", text)
        for path in SOURCE.rglob("*.py")
        if is_of_commands(path)
        for text in texts_of(ast.parse(path.read_text()))
    }
    whole = {text for text in found if ENGLISH.search(text) and not text.startswith((", ", "; ", ": "))}
    return whole | missing() | set(damages())


def filled(text):
    """The text with values; with nothing where a suggestion may follow."""
    count = text.count("{}") + text.count("{!r}")
    for values in itertools.product(("7", ""), repeat=count):
        yield text.format(*values)


def is_translated(line):
    said = in_chinese(f"surveil: {line}")
    return bool(CHINESE.search(said)) and not ENGLISH.search(QUOTED.sub("", said))


def lacking():
    return {text for text in texts() if not any(map(is_translated, filled(text)))}


def test_every_error_of_a_command_is_there_in_chinese():
    assert lacking() == set()


@pytest.mark.parametrize(
    "line",
    [
        "hooks.example:443: HTTP 200, and the body refuses: duplicate",
        "host: profile a is left out: its address refers to a secret of this machine, which the device would be sent",
        "host: profile a is left out: its address is none of rtsp, rtsps, http, https",
        "host: profile a is left out: its address has no host: write scheme://host/path",
        "host: profile a has no address: its answer (HTTP 200) has a document type, which no ONVIF message has",
        "host: names 10.0.0.1 in its stream addresses, which are changed to host",
        f"mail.example:25: {SmtpRefusal.of(SmtpStage.RECIPIENT, *NOT_ASCII)} (to jos\u00e9@mail.example)",
        "b.tar: the surveil.db in it is damaged: it is a link to itself",
    ],
)
def test_what_others_say_stands_in_a_chinese_sentence(line):
    assert is_translated(line)


@pytest.mark.rig
@pytest.mark.parametrize(
    ("call", "said"),
    [
        (["chek"], "没有命令 'chek'，是否想写 'check'"),
        (["check", "--nope"], "没有选项 --nope"),
        (["replay"], "缺少参数 'videos'。"),
        (["alerts", "disarm", "--for", "soon"], "'soon' 不是时长；例如写 30m、2h 或 1d12h"),
        (["alerts", "list", "--state", "lost"], "'--state' 的值无效：'lost' 不是 'pending', 'delivered'"),
        (["alerts", "list", "--limit", "many"], "'--limit' 的值无效：应为整数"),
        (["check", "-c", "nowhere.yaml"], "nowhere.yaml: 无法读取：没有这个文件或目录；用 -c 指定其他文件"),
        (["models", "rollback", "gate", "-c", "CONFIG"], "没有早于 any 的版本可以回滚"),
        (["users", "remove", "ada", "-c", "CONFIG"], "没有用户 ada"),
        (["check", "-c", "CONFIG"], "警告 CONFIG:2: cameras: 没有摄像机：没有监控任何画面"),
    ],
)  # fmt: skip
def test_a_command_that_fails_says_why_in_the_language_of_the_terminal(tmp_path, call, said):
    config = tmp_path / "config.yaml"
    config.write_text(f"version: 1\ncameras: {{}}\nstate_dir: {tmp_path}\n")
    done = run(
        ["-m", "surveil", *(str(config) if one == "CONFIG" else one for one in call)],
        env={**os.environ, "SURVEIL_LANGUAGE": "zh", "COLUMNS": "200"},
    )
    assert said.replace("CONFIG", str(config)) in done.stderr


if __name__ == "__main__":
    print("\n".join(sorted(lacking())))
