"""Resolves `${env:NAME}`, `${file:PATH}` and `${credential:NAME}`, and knows what must never be printed.

`$${` writes a literal `${`. Within the user:password part of a URL the value is percent-encoded, so that a
password may hold any character.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, unquote

from surveil.config.document import YamlNode
from surveil.config.problems import Problems, suggest
from surveil.filesystem import check_regular
from surveil.redact import MASK, cut, cut_logins, secrets_of

CREDENTIALS = "CREDENTIALS_DIRECTORY"
"""systemd names the unit's credentials directory so (systemd.exec(5), LoadCredential=)."""
MAX_SECRET_BYTES = 65_536
LEAST = 4
"""Characters of a secret that can be cut out of messages and leave them readable."""

_REFERENCE = re.compile(r"\$\$\{|\$\{([^}]*)\}")
_USERINFO = re.compile(r"^(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)(?P<userinfo>(?:\$\{[^}]*\}|[^/?#\s])*)@")
_ADDRESS = re.compile(r".*://|(?:[^\s/]*//)?[^\s/]*:\S*@\S", re.DOTALL)
"""What may have a login in it; the scheme may have been forgotten."""
_SCHEMES = ("env", "file", "credential")


class _MissingError(Exception):
    """A reference that leads nowhere; says what to do."""


@dataclass(slots=True, kw_only=True)
class Secrets:
    """Resolves references, and remembers what they gave and where they stood."""

    environ: Mapping[str, str]
    base: Path
    """Relative file paths start here: the folder of the configuration."""
    strings: set[str] = field(default_factory=set)
    """Every secret in clear and as it stands in a URL."""
    short: set[tuple[int, str]] = field(default_factory=set)
    """Line and path of values with a secret of less than `LEAST` characters."""
    templates: dict[str, str] = field(default_factory=dict)
    """Path of a value → how it may be printed."""
    needed: bool = True
    """Whether a reference that leads nowhere is a mistake: not for a command that opens no camera and no sink."""
    missing: set[str] = field(default_factory=set)
    """Paths of values with such a reference, where that is no mistake."""

    def fill(self, node: YamlNode, problems: Problems) -> None:
        """Replace the references in every string below `node`, in place."""
        if isinstance(node.value, str):
            node.value = self._fill_text(node.value, node, problems)
        for child in [*node.children.values(), *node.items]:
            self.fill(child, problems)

    def _fill_text(self, template: str, node: YamlNode, problems: Problems) -> str:
        userinfo = _USERINFO.match(template)
        end = userinfo.end() if userinfo else 0

        def replace(match: re.Match[str]) -> str:
            if match[1] is None:
                return "${"
            try:
                value = self._value(match[1])
            except _MissingError as error:
                if self.needed:
                    problems.add(node.line, node.path, str(error))
                    problems.settled.add(node.path)
                else:
                    self.missing.add(node.path)
                return "unresolved"
            self._remember(value, node)
            return quote(value, safe="") if match.end() <= end else value

        text = _REFERENCE.sub(replace, template)
        if text != template or _ADDRESS.match(text):
            self._note(text, template, node)
        return text

    def _note(self, text: str, template: str, node: YamlNode) -> None:
        """Remember what stands in the address itself (login, parameters), and how the value may be printed."""
        printable = mask_url(template)
        for secret in secrets_of(text) if _ADDRESS.match(text) else ():
            self._remember(unquote(secret), node)
            self.strings.add(secret)
            printable = printable.replace(secret, MASK)
        if printable != text:
            self.templates[node.path] = printable

    def mask(self, text: str) -> str:
        """Cut secrets out of a text in which one may have wandered; very short ones would mask half the words."""
        return cut_logins(cut(text, self.strings, LEAST))

    def _remember(self, value: str, node: YamlNode) -> None:
        if 0 < len(value) < LEAST:
            self.short.add((node.line, node.path))
        self.strings |= {value, quote(value, safe="")} - {""}

    def _value(self, reference: str) -> str:
        scheme, colon, name = reference.partition(":")
        match scheme:
            case "env" if name:
                return self._environment(name)
            case "file" if name:
                return _read(self.base / name, f"the file {name}")
            case "credential" if name:
                return self._credential(name)
        if not colon:
            raise _MissingError(f"${{{reference}}} has no source, did you mean '${{env:{reference}}}'?")
        raise _MissingError(f"${{{reference}}} is not understood{suggest(scheme, _SCHEMES)}")

    def _environment(self, name: str) -> str:
        value = self.environ.get(name)
        if value is None:
            raise _MissingError(f"the environment variable {name} is not set")
        return _usable(value, f"the environment variable {name}")

    def _credential(self, name: str) -> str:
        directory = self.environ.get(CREDENTIALS)
        if not directory:
            raise _MissingError(
                f"the credential {name} is not there: {CREDENTIALS} is not set; run as a systemd service "
                f"with LoadCredential={name}:…"
            )
        if "/" in name or name in {".", ".."}:
            raise _MissingError(f"the credential name {name} must not be a path")
        return _read(Path(directory) / name, f"the credential {name}")


def _read(path: Path, what: str) -> str:
    """Return a secret's text without its last line end."""
    try:
        check_regular(path)
        with path.open("rb") as file:
            raw = file.read(MAX_SECRET_BYTES + 1)
        text = raw.decode()
    except OSError as error:
        raise _MissingError(f"{what} cannot be read: {(error.strerror or str(error)).lower()}") from None
    except UnicodeDecodeError:
        raise _MissingError(f"{what} is not UTF-8 text") from None
    if len(raw) > MAX_SECRET_BYTES:
        raise _MissingError(f"{what} is larger than {MAX_SECRET_BYTES} bytes")
    return _usable(text.removesuffix("\n").removesuffix("\r"), what)


def _usable(value: str, what: str) -> str:
    """Return a secret that can be encoded; bytes that were no text stand in the environment as surrogates."""
    if "\0" in value or (not value.isprintable() and any("\ud800" <= char <= "\udfff" for char in value)):
        raise _MissingError(f"{what} holds bytes that are not UTF-8 text")
    return value


def mask_url(text: str) -> str:
    """Return a URL with a literal password replaced; a reference may be shown."""
    userinfo = _USERINFO.match(text)
    if not userinfo:
        return text
    user, colon, password = userinfo["userinfo"].partition(":")
    if not colon or _REFERENCE.fullmatch(password):
        return text
    return f"{userinfo['scheme']}{user}{colon}{MASK}@{text[userinfo.end() :]}"
