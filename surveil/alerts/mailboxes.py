"""Mail addresses in settings: split into single addresses, checked, and formatted for the envelope."""

from __future__ import annotations

import re
from email.utils import getaddresses
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator

_ADDRESS = re.compile(
    r'("[^"\x00-\x1f\x7f]+"|[^\s@<>(),;:"\\\x00-\x1f\x7f]+)(@[^\s@<>(),;:"\\\x00-\x1f\x7f]+)?'
)


def check_mailboxes(entries: list[str]) -> list[str]:
    """Return the entries with one address in each. Raises ValueError for what is none."""
    return list(dict.fromkeys(mailbox for entry in entries for mailbox in _split(entry)))


def check_mailbox(entry: str) -> str:
    """Return an entry with a single address."""
    found = _split(entry)
    if len(found) != 1:
        raise ValueError(f"{entry!r} has {len(found)} addresses: write one entry per address")
    return found[0]


def bare(mailbox: str) -> str:
    """Return the address without the name: what the envelope has."""
    return getaddresses([mailbox])[0][1]


def _split(entry: str) -> list[str]:
    if not entry.isprintable():
        raise ValueError(f"{entry!r} has a control character, perhaps a line end: remove it")
    if ";" in entry:
        raise ValueError(f"{entry!r}: separate addresses by commas, or write one entry per address")
    found = getaddresses([entry])
    for _, address in found:
        # A mailbox of the server itself has no domain; among several it is a name with a comma in it.
        at = "@" in address
        if not _ADDRESS.fullmatch(address) or (len(found) > 1 and not at):
            raise ValueError(
                f"{entry!r} is not a mail address: write `name@example.org` or `Name <name@example.org>`, "
                'and quote a name that has a comma (`"Doe, Jane" <jane@example.org>`)'
            )
    if not found:
        raise ValueError("an entry is empty: remove it")
    if len(found) == 1:
        return [entry.strip()]
    return [f'"{name}" <{address}>' if name else address for name, address in found]


def _listed(value: object) -> object:
    """Let a single text stand for a list of one."""
    return [value] if isinstance(value, str) else value


Mailbox = Annotated[str, AfterValidator(check_mailbox)]
Mailboxes = Annotated[list[str], BeforeValidator(_listed), AfterValidator(check_mailboxes)]
