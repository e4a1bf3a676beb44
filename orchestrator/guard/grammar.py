"""Reads predicates: comparisons of readings, joined by and, or, not and parentheses. Nothing is evaluated as code.

    either     = both {"or" both}
    both       = part {"and" part}
    part       = "not" part | "(" either ")" | comparison
    comparison = reading [("<" | "<=" | ">" | ">=" | "==" | "!=") value]
    reading    = name "." name {"." name}
    value      = number [unit] | "true" | "false" | name
    name       = word | quoted text

as in ``box-1.read_temperature > 1150 degC`` or ``enclosure.door_state == closed and not arm-2.is_holding``. A reading
without a comparison must be true. Devices whose names are no plain words stand in double quotes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator import units
from orchestrator.guard.predicate import BARE, KEYWORDS, Both, Compare, Either, Node, Not, Operand, Value

LONGEST = 2000
DEEPEST = 40
"""Parentheses within parentheses; beyond it somebody is joking."""

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<text>"(?:[^"\\]|\\.)*")
      | (?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)
      | (?P<op><=|>=|==|!=|<|>)
      | (?P<mark>[().])
      | (?P<word>[A-Za-z_%°µμΩÅ][^\s()<>=!".]*)
    )""",
    re.VERBOSE,
)


class PredicateError(ValueError):
    """The text is no predicate; the message is a sentence for the person who wrote it."""


def parse(text: str) -> Node:
    """Read a predicate.

    Raises:
        PredicateError: It is none; says where, and what was expected.
    """
    if len(text) > LONGEST:
        raise PredicateError(f"longer than {LONGEST} characters")
    reader = _Reader(text, [*_tokens(text), _Token("end", "", len(text))])
    found = reader.either(0)
    reader.expect_end()
    return found


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise PredicateError(f"cannot read {text[at:].strip()[:20]!r}")
        yield _Token(match.lastgroup, match[match.lastgroup], match.start(match.lastgroup))
        at = match.end()


class _Reader:
    def __init__(self, text: str, tokens: list[_Token]) -> None:
        self._text = text
        self._tokens = tokens
        self._next = 0

    def either(self, depth: int) -> Node:
        parts = [self._both(depth)]
        while self._takes_word("or"):
            parts.append(self._both(depth))
        return parts[0] if len(parts) == 1 else Either(tuple(parts))

    def expect_end(self) -> None:
        if self._here.kind != "end":
            raise self._error("'and', 'or' or the end")

    def _both(self, depth: int) -> Node:
        parts = [self._part(depth)]
        while self._takes_word("and"):
            parts.append(self._part(depth))
        return parts[0] if len(parts) == 1 else Both(tuple(parts))

    def _part(self, depth: int) -> Node:
        if depth > DEEPEST:
            raise PredicateError(f"more than {DEEPEST} levels deep")
        if self._takes_word("not"):
            return Not(self._part(depth + 1))
        if self._takes("mark", "("):
            found = self.either(depth + 1)
            if not self._takes("mark", ")"):
                raise self._error("')'")
            return found
        return self._comparison()

    def _comparison(self) -> Compare:
        names = [self._name("a reading such as door-1.door_state")]
        while self._takes("mark", "."):
            names.append(self._name("a name behind '.'"))
        if len(names) < 2:
            raise self._error(f"'.' and a command behind {names[0]!r}, as in {names[0]}.door_state")
        operand = Operand(names[0], names[1], tuple(names[2:]))
        if self._here.kind != "op":
            return Compare(operand, "==", True)
        op = self._take().text
        return Compare(operand, op, self._value())

    def _value(self) -> Value:
        token = self._here
        if token.kind == "number":
            return self._measure(self._take().text)
        if token.kind == "word" and token.text in ("true", "false"):
            return self._take().text == "true"
        return self._name("a value: a number with its unit, a word, true or false")

    def _measure(self, number: str) -> units.Measure:
        token = self._here
        unit = ""
        if token.kind == "word" and token.text not in KEYWORDS:
            unit = self._take().text
        try:
            return units.measure(f"{number} {unit}")
        except units.UnitError as error:
            raise PredicateError(str(error)) from None

    def _name(self, wanted: str) -> str:
        token = self._here
        if token.kind == "text":
            return _unquoted(self._take().text)
        if token.kind != "word" or token.text in KEYWORDS:
            raise self._error(wanted)
        if not BARE.fullmatch(token.text):
            raise PredicateError(f"{token.text!r} is no plain word; write it in double quotes")
        return self._take().text

    @property
    def _here(self) -> _Token:
        return self._tokens[self._next]

    def _take(self) -> _Token:
        self._next += 1
        return self._tokens[self._next - 1]

    def _takes(self, kind: str, text: str) -> bool:
        if (self._here.kind, self._here.text) != (kind, text):
            return False
        self._next += 1
        return True

    def _takes_word(self, word: str) -> bool:
        return self._takes("word", word)

    def _error(self, wanted: str) -> PredicateError:
        token = self._here
        found = "it ends" if token.kind == "end" else f"there is {token.text[:20]!r}"
        return PredicateError(f"expected {wanted}, but {found} (character {token.at + 1} of {self._text[:80]!r})")


def _unquoted(text: str) -> str:
    try:
        found = json.loads(text)
    except ValueError:
        raise PredicateError(f"{text[:40]} is no quoted text") from None
    if not found:
        raise PredicateError("a name is empty")
    return found
