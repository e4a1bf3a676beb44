"""Parse XML that came from anywhere: no entities, no document types, nothing fetched, bounded in size and depth."""

from __future__ import annotations

from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

import numpy as np

from surrogate.formats.errors import NotUnderstood
from surrogate.formats.record import Array

LARGEST_BYTES = 1 << 27
MOST_ELEMENTS = 2_000_000
DEEPEST = 64


def parsed(data: bytes, what: str = "it") -> Element:
    """Return the root of an XML document; tags and attributes have lost their namespaces.

    The root's namespace stands in its attribute ``xmlns``.

    Raises:
        NotUnderstood: It is no whole XML, has a document type, or is too large; the message calls it `what`.
    """
    if len(data) > LARGEST_BYTES:
        raise NotUnderstood(f"{what} has {len(data)} bytes of XML; up to {LARGEST_BYTES} are read")
    try:
        return _Tree(what).parse(data)
    except expat.ExpatError as error:
        raise NotUnderstood(f"{what} is no whole XML ({error})") from error
    except NotUnderstood:
        raise
    except (LookupError, ValueError) as error:  # what Python knows of encodings, expat asks for
        raise NotUnderstood(f"{what} is XML in an encoding that is not read ({str(error)[:120]})") from error


class _Tree:
    """Build a tree from the events of expat."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._builder = TreeBuilder()
        self._depth = 0
        self._count = 0

    def parse(self, data: bytes) -> Element:
        parser = expat.ParserCreate(namespace_separator="}")
        parser.buffer_text = True
        # a document type could define entities that expand without end, or fetch other files
        parser.StartDoctypeDeclHandler = self._refuse
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._builder.data
        parser.Parse(data, True)
        return self._builder.close()

    def _refuse(self, *_: object) -> None:
        raise NotUnderstood(f"{self._what} has a document type (DOCTYPE), and is not read")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        self._count += 1
        if self._depth > DEEPEST or self._count > MOST_ELEMENTS:
            raise NotUnderstood(f"{self._what} has more than {MOST_ELEMENTS} elements, or {DEEPEST} inside another")
        space, _, name = tag.rpartition("}")
        local = {key.rpartition("}")[2]: value for key, value in attributes.items()}
        if self._count == 1 and space:
            local["xmlns"] = space
        self._builder.start(name, local)

    def _end(self, tag: str) -> None:
        self._depth -= 1
        self._builder.end(tag.rpartition("}")[2])


def text(parent: Element | None, path: str) -> str:
    """Return the text at a path below an element; empty where there is none."""
    found = None if parent is None else parent.find(path)
    return "" if found is None else (found.text or "").strip()


def numbers(words: str, what: str, *, separator: str | None = None) -> Array:
    """Return the ``n`` numbers of a text.

    Raises:
        NotUnderstood: One is no finite number.
    """
    try:
        found = np.array(words.split(separator) if words.strip() else [], dtype=np.float64)
    except ValueError as error:
        raise NotUnderstood(f"{what}: {str(error)[:120]}") from None
    if not np.isfinite(found).all():
        raise NotUnderstood(f"{what}: a number is not finite")
    return found


def number(word: str) -> float | None:
    """Return the finite number that a word is, or None."""
    try:
        value = float(word)
    except ValueError:
        return None
    return value if np.isfinite(value) else None
