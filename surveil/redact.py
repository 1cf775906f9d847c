"""Removes credentials from addresses and messages before they reach a log, an alert or a page.

Two ways, since each misses something. By structure: an address is parsed as a library would and as its writer
meant it, and what may be a credential in either reading is masked. By text: a known secret is masked in every
encoding in which a library may repeat it.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache
from urllib.parse import quote, quote_plus, unquote, unquote_plus

MASK = "***"
SHOWN = 3
"""So many characters of a value may be seen: they tell nothing."""

_SCHEME = re.compile(r"^\s*[a-zA-Z][a-zA-Z0-9+.-]*:/*")
_HOST_IN_BRACKETS = re.compile(r"^\[[0-9A-Fa-f:.%]*\](?::\d*)?$")
"""An IPv6 address, which no login looks like."""
_HOST = re.compile(r"^(.*@)?[\w.-]+(:\d*)?$", re.DOTALL)
_OTHER_AT = re.compile(r"%40|[＠﹫]", re.IGNORECASE)
_COLON = re.compile(r"%3A|[：﹕]", re.IGNORECASE)
"""How `@` and `:` may be written by mistake: percent-encoded with all of the login, or full-width."""
_PARAMETERS = re.compile(r".*[?=]", re.DOTALL)
_AUTHORITY_END = re.compile(r"[/?#]")
_PAIR = re.compile(
    r"(?P<name>[A-Za-z][\w.-]*?)=(?P<value>.*?)(?P<end>(?=[/?&;_,][A-Za-z][\w.-]*?=)|$)", re.DOTALL
)
"""`name=value` in a query, or in a path as some cameras have it (`/user=admin_password=x_channel=1`).

A value ends where the next name begins, and nowhere else: `_`, `/`, `;` and `&` may be a part of it.
"""
_CREDENTIAL = re.compile(
    r"pass|pwd|psw|^pw|pw$|user|usr|token|key|auth|secret|sig|login|cred|session|code$|access|pin$|sid$|hash",
    re.IGNORECASE,
)
_PLAIN = frozenset(
    [
        "action", "app", "camera", "ch", "channel", "cmd", "codec", "enablesrtp", "fps", "height", "live",
        "main", "media", "profile", "proto", "protocol", "quality", "real_stream", "res", "resolution",
        "size", "stream", "streamtype", "sub", "subtype", "tcp", "transport", "type", "udp", "unicast",
        "video", "videocodec", "width",
    ]
)  # fmt: skip
"""Names in a query whose values are no secrets, and words that may stand in one alone."""
_RANDOM = re.compile(
    r"(?<![A-Za-z0-9])(?:(?=[A-Za-z]*\d)(?=[A-Z0-9]*[a-z])(?=[a-z0-9]*[A-Z])[A-Za-z0-9]{12,}"
    r"|(?=[a-f]*\d)(?=\d*[a-f])[0-9a-f]{16,}"
    r"|(?=[a-z]*\d+[a-z]+\d)[a-z0-9]{14,}|(?=[A-Z]*\d+[A-Z]+\d)[A-Z0-9]{14,})(?![A-Za-z0-9])"
)
"""A part of a path that is a key and no word."""
_KEY_FOLLOWS = re.compile(
    r"pass(word|wd|phrase)?|p(s)?wd?|(api[-_]?)?keys?|(access[-_]?)?tokens?|auth|secrets?|sig|login|session|sid|user(name)?|usr",
    re.IGNORECASE,
)
"""A part of a path behind which a credential stands, as in `/token/…`."""
_USUAL = re.compile(r"(?i:h26[45]|mp[34]|mpe?g\d|(ch|cam|av|live|stream)\d+|\d+(p|fps)|%2f)")
"""What is no sign of a key in the path of a camera."""
_CHANGE = re.compile(
    r"(?<=[a-z])(?=[A-Z])|(?<=[A-Za-z])(?=\d+[A-Za-z])|(?<=\d)(?=[A-Za-z])|(?<=[A-Za-z\d])(?=%[0-9A-Fa-f]{2})"
)
"""Where lower case, upper case and digits take turns, but for the number at the end of a word."""
_LEAST_KEY, _LEAST_CHANGES, _WORD = 8, 3, 5
"""Characters and changes that a key has at least; with more characters than this from one to the next it is words."""
_NO_WORD = re.compile(r"(?=.*[A-Za-z])(?=.*\d|.*[a-z].*[A-Z]|.*[^\w]).{8,}$", re.DOTALL)
_LOGIN = re.compile(r"""://[^\s"'<>]*@""")
_LEAST_CODED = 4
"""Characters of base64 that are worth a search."""


@dataclass(frozen=True, slots=True)
class _Parts:
    """An address, taken apart so that nothing of a login is left outside `login`."""

    before: str
    login: str
    host: str
    rest: str
    """Path, query and fragment."""
    hidden: str = ""
    """What may be any of them."""

    @property
    def is_file(self) -> bool:
        """Whether it names a file of this host, which its user chose a name for."""
        return not self.before and not self.login


def _split(url: str) -> _Parts:
    """Take `url` apart; the login is empty if there is none.

    A raw `/`, `?`, `#` or `@` in a password ends the login for a library, and not for its writer. So the login goes up
    to the last `@` wherever that is, but behind an address in brackets. Where that `@` may as well belong to a
    parameter, all is login.
    """
    match = _SCHEME.match(url)
    before = match[0] if match and "/" in match[0] else ""
    after = url[len(before) :]
    host, rest = _cut(after)
    login, at, behind = after.rpartition("@")
    if not at and (written := list(_OTHER_AT.finditer(host))):
        at, login, behind = written[-1][0], after[: written[-1].start()], after[written[-1].end() :]
    if (
        not at
        or _HOST_IN_BRACKETS.match(host)
        or (not before and ":" not in login and not _COLON.search(login))
    ):
        return _Parts(before, "", *((host, rest) if before else ("", after)))
    if _HOST.match(host) and _PARAMETERS.match(rest.rpartition("@")[0]):
        return _Parts(before=before, login=login, host="", rest="", hidden=behind)
    return _Parts(before, login, *_cut(behind))


def _cut(text: str) -> tuple[str, str]:
    """Return the authority and what follows it."""
    end = _AUTHORITY_END.search(text)
    return (text[: end.start()], text[end.start() :]) if end else (text, "")


def redact(url: str) -> str:
    """Return `url` without login, fragment, and values of parameters that may be credentials."""
    parts = _split(url)
    pieces = _pieces(parts.rest, is_file=parts.is_file)
    shown = "".join(text if kind is _Kind.PLAIN or not text else MASK for text, kind in pieces)
    return f"{parts.before}{MASK + '@' if parts.login else ''}{parts.host}{shown}"


def secrets_of(url: str) -> list[str]:
    """Return the secrets in `url`, longest first: password, a user that stands alone, parameters.

    What is merely unknown counts where it is no word, and a parameter where it has some length (`session=0`): messages
    would lose words and digits.
    """
    parts = _split(url)
    colon = ":" if ":" in parts.login else _COLON
    user, *behind = re.split(colon, parts.login, maxsplit=1)
    password = "".join(behind)
    found = {
        text
        for text, kind in _pieces(parts.rest, is_file=parts.is_file)
        if len(text) > SHOWN and (kind is _Kind.SECRET or (kind is _Kind.UNKNOWN and _NO_WORD.match(text)))
    }
    found |= {parts.login, password if behind else user}
    if parts.hidden:
        found |= {
            text
            for text, kind in _pieces(_cut(parts.login + "@" + parts.hidden)[1], is_file=False)
            if kind is _Kind.SECRET
        }
        found |= {parts.hidden}
    # A library that stops at a raw `#` or `@` in the password repeats a part of it, as a host or a path.
    found |= {piece for piece in re.split(r"[/?#@:\[\]]", password) if len(piece) > SHOWN}
    return sorted(found - {""}, key=len, reverse=True)


class _Kind(Enum):
    PLAIN = auto()
    UNKNOWN = auto()
    """Not shown as a part of an address."""
    SECRET = auto()


def _pieces(rest: str, *, is_file: bool) -> Iterator[tuple[str, _Kind]]:
    """Yield the parts of path, query and fragment, and what each may be."""
    text, hash_, fragment = rest.partition("#")
    done, doubt = 0, _Kind.UNKNOWN  # behind a credential everything may be a part of it
    for pair in _PAIR.finditer(text):
        yield from _words(text[done : pair.start()], doubt, in_query="?" in text[:done], is_file=is_file)
        name, value = pair["name"], pair["value"]
        is_credential, is_plain = _CREDENTIAL.search(name) is not None, name.lower() in _PLAIN
        if is_credential:
            doubt = _Kind.SECRET
        is_name = is_credential or is_plain or doubt is _Kind.UNKNOWN or len(name) <= SHOWN
        yield name, _Kind.PLAIN if is_name else doubt
        yield "=", _Kind.PLAIN
        is_word = is_plain and doubt is _Kind.UNKNOWN and not _RANDOM.search(value)
        is_shown = not is_credential and (len(value) <= SHOWN or is_word)
        yield value, _Kind.PLAIN if is_shown else doubt
        done = pair.end()
    yield from _words(text[done:], doubt, in_query="?" in text[:done], is_file=is_file)
    if hash_:
        yield "#", _Kind.PLAIN
        yield fragment, doubt


def _words(text: str, doubt: _Kind, *, in_query: bool, is_file: bool) -> Iterator[tuple[str, _Kind]]:
    """Yield what stands between parameters: words of the path, which are shown, and of the query."""
    path, mark, query = ("", "", text) if in_query else text.partition("?")
    before = ""
    for part in re.split(r"(/)", path):
        yield from _parts_of_path(part, before) if not is_file else _keys(part)
        before = before if part == "/" else part
    yield mark, _Kind.PLAIN
    for word in re.split(r"([?&;_,/])", query):
        yield word, _Kind.PLAIN if len(word) <= SHOWN or word.lower() in _PLAIN else doubt


def _parts_of_path(part: str, before: str) -> Iterator[tuple[str, _Kind]]:
    """Yield one part of a camera's path; `before`: the part in front of it."""
    name, colon, value = part.partition(":")
    if colon and len(value) > SHOWN and not _USUAL.fullmatch(name):
        yield name + colon, _Kind.PLAIN
        yield value, _no_word(value)
    elif len(part) > SHOWN and _KEY_FOLLOWS.fullmatch(before):
        yield part, _no_word(part)
    elif _is_key(part):
        yield part, _Kind.SECRET
    else:
        yield from _keys(part)


def _no_word(value: str) -> _Kind:
    """Return how secret a value is that stands where a credential would: messages would lose a word."""
    return _Kind.SECRET if _CHANGE.search(value) else _Kind.UNKNOWN


def _is_key(part: str) -> bool:
    """Whether letters and digits take turns as in no word."""
    rest = _USUAL.sub("", part)
    changes = len(_CHANGE.findall(rest))
    return changes >= _LEAST_CHANGES and _LEAST_KEY <= sum(map(str.isalnum, rest)) <= _WORD * changes


def _keys(path: str) -> Iterator[tuple[str, _Kind]]:
    """Yield a part of a path; what in it can be nothing but a key is secret."""
    done = 0
    for key in _RANDOM.finditer(path):
        yield path[done : key.start()], _Kind.PLAIN
        yield key[0], _Kind.SECRET
        done = key.end()
    yield path[done:], _Kind.PLAIN


def scrub(text: str, url: str) -> str:
    """Return `text` without the credentials of `url`, in whatever encoding they stand there."""
    text = text.replace(url, redact(url))
    return cut_logins(cut(text, secrets_of(url)))


def cut_logins(text: str) -> str:
    """Return `text` without the logins of any addresses in it."""
    return _LOGIN.sub(f"://{MASK}@", text)


def cut(text: str, secrets: Iterable[str], least: int = 1) -> str:
    """Return `text` without `secrets` of at least so many characters, however they are spelt in it."""
    folded = text.lower()
    if len(folded) != len(text):  # some letters have no lower case of the same length
        folded = text
    spans: list[tuple[int, int]] = []
    for secret in secrets:
        for spelling in spellings(secret) if len(secret) >= least else ():
            start = folded.find(spelling)
            while start >= 0:
                spans.append((start, start + len(spelling)))
                start = folded.find(spelling, start + 1)
    return _without(text, sorted(spans)) if spans else text


def _without(text: str, spans: list[tuple[int, int]]) -> str:
    """Return `text` with each run of overlapping spans masked."""
    made, done = [], 0
    for start, end in spans:
        if start >= done:
            made += [text[done:start], MASK]
        done = max(done, end)
    return "".join(made) + text[done:]


@lru_cache(maxsize=4096)
def spellings(secret: str) -> frozenset[str]:
    """Return how a secret may stand in a message, in lower case: percent-encoded, in a repr, in JSON, in base64."""
    clear = {secret, secret.strip(), unquote(secret), unquote_plus(secret)} - {""}
    found = set(clear)
    for one in clear:
        found |= {
            _quoted(one, ""),
            _quoted(one, "/"),
            _quoted(one, ":/?&=@!$'()*,;"),
            quote_plus(one, errors="replace"),
        }
        found |= {*_escaped(one), html.escape(one), *_based(one)}
    if any(not one.isprintable() or not one.isascii() or set("\\'\"") & set(one) for one in clear):
        found |= {twice for one in clear for once in _escaped(one) for twice in _escaped(once)}
    return frozenset(one.lower() for one in found if len(one) >= min(len(secret.strip()), SHOWN + 1))


def _quoted(text: str, safe: str) -> str:
    return quote(text, safe=safe, errors="replace")


def _escaped(text: str) -> Iterator[str]:
    raw = text.encode(errors="surrogateescape")
    yield repr(text)[1:-1]
    yield repr(raw)[2:-1]
    yield ascii(text)[1:-1]
    yield text.replace("\\", "\\\\").replace("'", "\\'")  # in a repr that has both quotation marks
    yield json.dumps(text)[1:-1]
    yield json.dumps(text, ensure_ascii=False)[1:-1]
    yield json.dumps(text)[1:-1].replace("/", "\\/")  # as PHP writes it
    if not text.isascii():
        latin = text.encode("latin-1", "replace")
        yield repr(latin)[2:-1]
        yield quote(latin, safe="")


def _based(text: str) -> Iterator[str]:
    """Yield the characters of base64 that depend on `text` alone, wherever it stands in what was encoded."""
    coded = {text.encode(errors="surrogateescape"), text.encode("latin-1", "replace")}
    for raw in coded:
        for before in range(3):
            whole = base64.b64encode(bytes(before) + raw).decode()
            core = whole[(before * 8 + 5) // 6 : (before + len(raw)) * 8 // 6]
            if len(core) >= _LEAST_CODED and len(text) > SHOWN:
                yield core
                yield core.translate(str.maketrans("+/", "-_"))
