"""Reading the text of a constraint or a formula token by token; what it may say is up to its parser."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from planner.errors import ConstraintError, SpaceError, did_you_mean

MOST_NESTED = 50
"""Parentheses and signs within each other."""

_TOKEN = (
    r"(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<name>[^\W\d]\w*)|`(?P<quoted>[^`]+)`"
    r"|(?P<relation><=|>=|==)|(?P<mark>{marks})"
)


@dataclass(frozen=True, slots=True)
class Token:
    """A number, a name (with or without quotes), a relation, a mark, or the end."""

    kind: str
    text: str
    position: int


class TokenReader:
    """What parsers of constraints and formulas have in common.

    Args:
        text: The constraint, or formula.
        names: The parameters that it may name.
        marks: A regular expression of the marks that its language has.
        expected: What should have been given, for messages.

    Raises:
        SpaceError: It is no text.
        ConstraintError: Something in it is no token; says where.
    """

    def __init__(self, text: str, names: Sequence[str], marks: str, expected: str) -> None:
        if not isinstance(text, str):
            raise SpaceError(f"{expected}, not {text!r}")
        self._text, self._names = text, list(names)
        self._tokens = list(self._read(re.compile(_TOKEN.format(marks=marks))))
        self._next = self._depth = 0

    def _read(self, token: re.Pattern[str]) -> Iterator[Token]:
        position = 0
        while position < len(self._text):
            if self._text[position].isspace():
                position += 1
                continue
            match = token.match(self._text, position)
            if match is None or match.lastgroup is None:
                raise self._error(self._hint(position), position)
            yield Token(match.lastgroup, match.group(match.lastgroup), position)
            position = match.end()
        yield Token("end", "", len(self._text))

    def _hint(self, position: int) -> str:
        mark = self._text[position]
        if mark in "<>":
            return f"use {mark}= (bounds are included)"
        return "use == for equality" if mark == "=" else f"cannot read {mark!r}"

    def _error(self, message: str, position: int) -> ConstraintError:
        return ConstraintError(message, text=self._text, position=position)

    def _peek(self) -> Token:
        return self._tokens[self._next]

    def _at(self, *marks: str) -> bool:
        token = self._peek()
        return token.kind == "mark" and token.text in marks

    def _take(self) -> Token:
        token = self._tokens[self._next]
        self._next += token.kind != "end"
        return token

    def _close(self, opening: int) -> None:
        """Take the parenthesis that closes one at a position."""
        if not self._at(")"):
            raise self._error("this parenthesis is never closed", opening)
        self._take()

    def _known(self, token: Token) -> str:
        """Return the parameter that a token names."""
        if token.text not in self._names:
            raise self._error(
                f"unknown parameter {token.text!r}{did_you_mean(token.text, self._names)}", token.position
            )
        return token.text

    def _end(self) -> None:
        """Refuse what is left over."""
        token = self._peek()
        if token.kind != "end":
            raise self._error(f"unexpected {token.text!r}", token.position)

    def _end_of_comparison(self, n_relations: int, expected: str) -> None:
        """Refuse what is left over, and text without a relation."""
        self._end()
        if not n_relations:
            raise self._error(f"expected {expected}", self._peek().position)
