"""YAML 1.2 as plain values, with the line and column of every key and value.

Plain scalars follow the YAML 1.2 core schema: ``1e-3`` is a number, ``yes`` and ``2026-01-01`` are text. Nothing is
ever constructed but mappings, lists, text, numbers, booleans and nothing. Every mistake that can be found is kept,
so that a file's author sees them all at once.
"""

from __future__ import annotations

import errno
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError, YAMLStreamError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode
from ruamel.yaml.reader import ReaderError

from orchestrator.errors import InputError

MOST_BYTES = 1_000_000
MOST_NODES = 50_000
"""After aliases are followed; a file of a few lines can otherwise mean billions."""
DEEPEST = 50

Path_ = tuple[str | int, ...]
"""Keys and indices from the top of a file to one value."""

_CORE_TAGS = frozenset(["str", "int", "float", "bool", "null", "timestamp", "merge", "value", "map", "seq"])
_INTEGER = re.compile(r"[-+]?[0-9]+")
_OTHER_BASE = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_WORDS: Mapping[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
_PLAIN_ENGLISH: tuple[tuple[str, str], ...] = (
    ("character '\\t'", "a tab; indent with spaces"),
    (
        "mapping values are not allowed",
        "a ':' is not allowed here; is the indentation right, or does text need quotes?",
    ),
    ("could not find expected ':'", "expected 'key: value'; a ':' is missing, or the indentation is wrong"),
    ("expected <block end>", "the indentation does not fit the lines above, or a bracket or quote is left open"),
    ("expected ',' or", "a ',' or the closing bracket is missing"),
    ("did not find expected", "the indentation does not fit the lines above"),
    ("unexpected end of stream", "the file ends too early; a quote or a bracket is left open"),
    ("cannot start any token", "text that begins with this character needs quotes"),
    ("undefined alias", "an alias (*name) without its anchor (&name)"),
    ("expected a single document", "a second document begins here ('---'); one file holds one document"),
    ("maximum depth", f"nested more than {DEEPEST} deep"),
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is written: a file as the user named it, with 1-based line and column."""

    shown: str
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        return self.shown if self.line is None else f"{self.shown}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake, where it is, and what to write instead."""

    place: Place
    path: str
    """Keys and indices with dots, ``parameters.1.unit``; empty where the whole file is meant."""
    message: str

    def __str__(self) -> str:
        return ": ".join(part for part in (str(self.place), self.path, self.message) if part)


class InvalidSource(InputError):
    """A file cannot be used; carries where and why."""

    def __init__(self, mistakes: list[Problem]) -> None:
        self.mistakes = mistakes
        super().__init__([str(mistake) for mistake in mistakes])


@dataclass(frozen=True, slots=True)
class Source:
    """A file's values, and where each is written."""

    shown: str
    """The path as the user typed it."""
    data: dict[str, Any]
    keys: Mapping[Path_, Place] = field(default_factory=dict)
    values: Mapping[Path_, Place] = field(default_factory=dict)
    mistakes: tuple[Problem, ...] = ()
    """What is wrong but left values that can be checked further (a key given twice)."""

    @property
    def folder(self) -> Path:
        """Where relative paths in the file start."""
        return Path(self.shown).parent

    def place(self, path: Path_, *, of_key: bool = False) -> Place:
        """Return the place of a value, of its key, or of the nearest thing around it that is written."""
        if of_key and path in self.keys:
            return self.keys[path]
        for length in range(len(path), -1, -1):
            if path[:length] in self.values:
                return self.values[path[:length]]
        return Place(self.shown)

    def holds(self, path: Path_) -> bool:
        """Say whether there is a value at a path of keys."""
        here: Any = self.data
        for part in path:
            if not isinstance(here, dict) or part not in here:
                return False
            here = here[part]
        return True

    def problem(self, path: Path_, message: str, *, of_key: bool = False) -> Problem:
        """Return a mistake at a path."""
        return Problem(self.place(path, of_key=of_key), dotted(path), message)


def dotted(path: Path_) -> str:
    """Write a path with dots."""
    return ".".join(str(part) for part in path)


def read_source(path: Path | str) -> Source:
    """Read one file that must hold a mapping.

    Raises:
        InvalidSource: It cannot be read, is no YAML, or is no mapping.
    """
    shown = str(path)
    return parse_source(_text(shown), shown)


def parse_source(text: str, shown: str) -> Source:
    """Read text that must be a mapping.

    Raises:
        InvalidSource: It is no YAML, or no mapping.
    """
    node = _compose(text, shown)
    if node is None:
        raise InvalidSource([Problem(Place(shown), "", "the file is empty; see examples/ for one to start from")])
    builder = _Builder(shown)
    data = builder.build(node, ())
    if not isinstance(data, dict):
        message = f"must be a mapping ('key: value' lines), but this is {kind_of(data)}"
        raise InvalidSource([Problem(_place(shown, node), "", message)])
    return Source(shown, data, builder.keys, builder.values, tuple(builder.mistakes))


def parse_value(text: str, shown: str) -> Any:
    """Read one YAML value, as `--set key=value` gives it.

    Raises:
        InvalidSource: It is no YAML.
    """
    node = _compose(text, shown, has_lines=False)
    if node is None:
        return None
    builder = _Builder(shown)
    value = builder.build(node, ())
    if builder.mistakes:
        raise InvalidSource([Problem(Place(shown), "", mistake.message) for mistake in builder.mistakes])
    return value


def kind_of(value: object) -> str:
    """Name the kind of a value for a message: "text 'x'", "the number 5", "a list"."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return _kind_of_number(value)
    if isinstance(value, str):
        return f"text {value if len(value) <= 40 else value[:40] + '...'!r}"
    return "a mapping" if isinstance(value, dict) else "a list"


def _kind_of_number(value: float) -> str:
    if math.isnan(value):
        return "no number (.nan)"
    if math.isinf(value):
        return "an infinite number (.inf)"
    return f"the number {value}" if abs(value) < 1e15 else "a large number"


def _text(shown: str) -> str:
    try:
        with Path(shown).open("rb") as file:
            raw = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise InvalidSource([Problem(Place(shown), "", _unreadable(error))]) from error
    except ValueError:
        raise InvalidSource([Problem(Place(repr(shown)), "", "is no possible path")]) from None
    if len(raw) > MOST_BYTES:
        raise InvalidSource([Problem(Place(shown), "", f"larger than {MOST_BYTES // 10**6} MB: is it the right file?")])
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start]
        place = Place(shown, before.count(b"\n") + 1, len(before) - before.rfind(b"\n"))
        message = f"byte 0x{raw[error.start]:02x} is not UTF-8; save the file as UTF-8"
        raise InvalidSource([Problem(place, "", message)]) from None


def _unreadable(error: OSError) -> str:
    reasons = {
        errno.ENOENT: "no such file",
        errno.EISDIR: "is a directory; name the file in it",
        errno.EACCES: "may not be read; check its permissions",
    }
    return reasons.get(error.errno or 0, f"cannot be read: {error.strerror}")


def _compose(text: str, shown: str, *, has_lines: bool = True) -> Node | None:
    yaml = YAML(typ="safe", pure=True)
    yaml.max_depth = DEEPEST
    yaml.composer.warn_double_anchors = False
    try:
        return yaml.compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (None, None)
        place = Place(shown, line, column) if has_lines else Place(shown)
        raise InvalidSource([Problem(place, "", f"not valid YAML: {_in_plain_english(error)}")]) from None
    except ReaderError as error:
        before = text[: error.position]
        place = Place(shown, before.count("\n") + 1, len(before) - before.rfind("\n"))
        message = f"not valid YAML: the character U+{ord(text[error.position]):04X} is not allowed"
        raise InvalidSource([Problem(place if has_lines else Place(shown), "", message)]) from None
    except (YAMLError, YAMLStreamError) as error:
        raise InvalidSource([Problem(Place(shown), "", f"not valid YAML: {error}")]) from None


def _in_plain_english(error: MarkedYAMLError) -> str:
    said = " ".join(str(part) for part in (error.problem, error.context) if part)
    for known, plain in _PLAIN_ENGLISH:
        if known in said:
            return plain
    return said


def _place(shown: str, node: Node) -> Place:
    return Place(shown, node.start_mark.line + 1, node.start_mark.column + 1)


class _Builder:
    """Turns nodes into plain values and remembers where they stood."""

    def __init__(self, shown: str) -> None:
        self.keys: dict[Path_, Place] = {}
        self.values: dict[Path_, Place] = {}
        self.mistakes: list[Problem] = []
        self._shown = shown
        self._open: set[int] = set()
        self._n_nodes = 0

    def build(self, node: Node, path: Path_) -> Any:
        """Return the plain value of a node."""
        self.values[path] = _place(self._shown, node)
        self._n_nodes += 1
        if self._n_nodes > MOST_NODES:
            message = f"means more than {MOST_NODES} values once its aliases are followed"
            raise InvalidSource([Problem(Place(self._shown), "", message)])
        self._check_tag(node, path)
        if isinstance(node, ScalarNode):
            return self._scalar(node, path)
        if id(node) in self._open:
            raise InvalidSource([Problem(self.values[path], dotted(path), "an alias that contains itself")])
        self._open.add(id(node))
        value = self._mapping(node, path) if isinstance(node, MappingNode) else self._sequence(node, path)
        self._open.discard(id(node))
        return value

    def _sequence(self, node: Node, path: Path_) -> list[Any]:
        return [self.build(child, (*path, index)) for index, child in enumerate(node.value)]

    def _mapping(self, node: MappingNode, path: Path_) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            place = _place(self._shown, key_node)
            if not isinstance(key_node, ScalarNode):
                self.mistakes.append(Problem(place, dotted(path), "a key must be text"))
                continue
            key = str(key_node.value)
            inner = (*path, key)
            if key in found:
                first = self.keys[inner]
                self.mistakes.append(Problem(place, dotted(inner), f"given twice; first in line {first.line}"))
                continue
            self.keys[inner] = place
            found[key] = self.build(value_node, inner)
        return found

    def _scalar(self, node: ScalarNode, path: Path_) -> Any:
        text = str(node.value)
        if node.style is not None or _tag(node) == "str":
            return text
        try:
            return _core(text)
        except ValueError:  # Python refuses integers of thousands of digits
            self.mistakes.append(Problem(self.values[path], dotted(path), "a number with too many digits"))
            return 0

    def _check_tag(self, node: Node, path: Path_) -> None:
        if _tag(node) not in _CORE_TAGS:
            message = f"tags are not allowed; leave out {str(node.tag)!r}"
            self.mistakes.append(Problem(self.values[path], dotted(path), message))


def _tag(node: Node) -> str:
    tag = str(node.tag)
    prefix = "tag:yaml.org,2002:"
    return tag.removeprefix(prefix) if tag.startswith(prefix) else f"!{tag}"


def _core(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _OTHER_BASE.fullmatch(text):
        return int(text, 0)
    return float(text) if _FLOAT.fullmatch(text) else text
