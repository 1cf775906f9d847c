"""XML from untrusted devices: bounded, without document types, read by local names."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element, ParseError, TreeBuilder, XMLParser

from surveil.errors import SurveilError
from surveil.wording import one_line

MOST_BYTES = 512 * 1024
_MOST = 1e9
"""No number that is read here can be larger."""


class MarkupError(SurveilError):
    """What came is no XML, or none that is read here."""


class _Builder(TreeBuilder):
    """Refuses a document type: without one there are no entities to expand or to fetch."""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        del name, pubid, system
        raise MarkupError("has a document type, which no ONVIF message has")


def parse(data: bytes) -> Element:
    """Return the root element. Raises MarkupError."""
    if len(data) > MOST_BYTES:
        raise MarkupError(f"is larger than {MOST_BYTES // 1024} KiB")
    parser = XMLParser(target=_Builder())  # noqa: S314 - no document type gets past the builder
    try:
        parser.feed(data)
        root = parser.close()
    except (ParseError, ValueError, LookupError) as error:
        raise MarkupError(f"is not well-formed: {error}") from error
    assert isinstance(root, Element)
    return root


def local(element: Element) -> str:
    """Return the name of an element without its namespace: devices disagree about these."""
    return str(element.tag).rpartition("}")[2]


def every(root: Element, name: str) -> Iterator[Element]:
    """Yield each element of that local name below `root`, in document order."""
    return (element for element in root.iter() if local(element) == name)


def first(root: Element, *path: str) -> Element | None:
    """Return the first element that is reached by these local names, each anywhere below the one before."""
    found: Element | None = root
    for name in path:
        found = next(every(found, name), None) if found is not None else None
    return found


def text(root: Element, *path: str) -> str:
    """Return the text of `first` on one line, without what is not printable; empty if there is none."""
    found = first(root, *path)
    return one_line(found.text or "") if found is not None else ""


def number(root: Element, *path: str) -> float:
    """Return the number in `first`; 0 if there is none that can be meant."""
    return as_number(text(root, *path))


def as_number(told: str) -> float:
    """Return the number that a device told, of 0 to 1e9; 0 for anything else, `nan` and `inf` included."""
    try:
        value = float(told)
    except ValueError:
        return 0.0
    return value if 0.0 <= value <= _MOST else 0.0
