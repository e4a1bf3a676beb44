"""Predicates over readings, as data: what interlocks need and trips wait for.

A predicate is true, false or unknown. A reading that is stale, missing or of another kind makes its comparison unknown,
and unknown spreads as in Kleene's three-valued logic: ``unknown or true`` is true, ``not unknown`` stays unknown. An
interlock holds only where it is true; a trip is let off only where it is false. So a stale reading is a no both times.
"""

from __future__ import annotations

import json
import math
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.units import Measure

KEYWORDS = frozenset({"and", "or", "not", "true", "false"})
BARE = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")

OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
}
ORDERS = frozenset({"<=", ">=", "<", ">"})

Value = Measure | bool | str


class Unknown(Exception):
    """A reading cannot be relied on now; the message says why."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a predicate comes to, and why."""

    truth: bool | None
    """None: unknown."""
    reason: str


@dataclass(frozen=True, slots=True)
class Operand:
    """One reading: ``device.command``, or a field of what the command answers."""

    device: str
    command: str
    fields: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The reading, as the settings name it."""
        return f"{self.device}.{self.command}"

    def __str__(self) -> str:
        return ".".join(_name(part) for part in (self.device, self.command, *self.fields))


Look = Callable[[Operand], Any]
"""Returns the value of a reading, or raises `Unknown`."""


@dataclass(frozen=True, slots=True)
class Compare:
    """A reading against a value."""

    operand: Operand
    op: str
    value: Value

    def judge(self, look: Look) -> Verdict:
        """Compare the newest reading."""
        try:
            found = look(self.operand)
            truth = _compared(found, self.op, self.value)
        except Unknown as unknown:
            return Verdict(None, f"{self.operand}: {unknown}")
        unit = f" {self.value.unit}" if isinstance(self.value, Measure) and self.value.unit != "1" else ""
        shown = f"{found:g}" if isinstance(self.value, Measure) else _said(found)
        return Verdict(truth, f"{self.operand} is {shown}{unit}")

    def operands(self) -> Iterator[Operand]:
        """Iterate over the readings that this needs."""
        yield self.operand

    def __str__(self) -> str:
        return f"{self.operand} {self.op} {_written(self.value)}"


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite."""

    part: Node

    def judge(self, look: Look) -> Verdict:
        """Turn true and false round."""
        found = self.part.judge(look)
        return Verdict(None if found.truth is None else not found.truth, found.reason)

    def operands(self) -> Iterator[Operand]:
        """Iterate over the readings that this needs."""
        return self.part.operands()

    def __str__(self) -> str:
        return f"not {_inner(self.part)}"


@dataclass(frozen=True, slots=True)
class Both:
    """All of its parts."""

    parts: tuple[Node, ...]

    def judge(self, look: Look) -> Verdict:
        """Be false where one part is, unknown where one is, otherwise true."""
        return _joined([part.judge(look) for part in self.parts], decisive=False)

    def operands(self) -> Iterator[Operand]:
        """Iterate over the readings that this needs."""
        return (operand for part in self.parts for operand in part.operands())

    def __str__(self) -> str:
        return " and ".join(_inner(part) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Either:
    """At least one of its parts."""

    parts: tuple[Node, ...]

    def judge(self, look: Look) -> Verdict:
        """Be true where one part is, unknown where one is, otherwise false."""
        return _joined([part.judge(look) for part in self.parts], decisive=True)

    def operands(self) -> Iterator[Operand]:
        """Iterate over the readings that this needs."""
        return (operand for part in self.parts for operand in part.operands())

    def __str__(self) -> str:
        return " or ".join(_inner(part) for part in self.parts)


Node = Compare | Not | Both | Either


def field_of(value: Any, fields: tuple[str, ...]) -> Any:
    """Return a field of what a command answered, an object or a mapping.

    Raises:
        Unknown: It has none of that name.
    """
    for name in fields:
        try:
            value = value[name] if isinstance(value, Mapping) else getattr(value, name)
        except (KeyError, AttributeError):
            raise Unknown(f"the answer has no {name!r}") from None
    return value


def _joined(verdicts: list[Verdict], *, decisive: bool) -> Verdict:
    for truth in (decisive, None):
        deciding = [verdict.reason for verdict in verdicts if verdict.truth is truth]
        if deciding:
            return Verdict(truth, "; ".join(deciding))
    return Verdict(not decisive, "; ".join(verdict.reason for verdict in verdicts))


def _compared(found: Any, op: str, value: Value) -> bool:
    if isinstance(value, Measure):
        if isinstance(found, bool) or not isinstance(found, int | float) or not math.isfinite(found):
            raise Unknown(f"{_said(found)} is no number")
        return OPERATORS[op](float(found), value.value)
    if type(found) is not type(value):
        raise Unknown(f"{_said(found)} is not {'true or false' if isinstance(value, bool) else 'a word'}")
    return OPERATORS[op](found, value)


def _said(found: Any) -> str:
    if isinstance(found, bool):
        return str(found).lower()
    return found if isinstance(found, str) else repr(found)[:60]


def _name(part: str) -> str:
    return part if BARE.fullmatch(part) and part not in KEYWORDS else json.dumps(part)


def _written(value: Value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, Measure) else _name(value)


def _inner(part: Node) -> str:
    return f"({part})" if isinstance(part, Both | Either) else str(part)
