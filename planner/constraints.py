"""Linear constraints, and the small language that they are written in.

    constraint := sum (relation sum)+            "a + 2*b <= 5", "1 <= a + b <= 5", "x == 2*(y - 1)"
    sum        := term (("+" | "-") term)*
    term       := factor (("*" | "/") factor)*   a product has at most one factor that names parameters
    factor     := number | name | `any name` | "(" sum ")" | ("+" | "-") factor

Nothing is evaluated but numbers. A chain of two relations gives two constraints.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np

from planner.errors import SpaceError
from planner.tokens import MOST_NESTED, Token, TokenReader

Relation = Literal["<=", ">=", "=="]

TOLERANCE = 1e-9
"""How far a sum may pass its bound, as a fraction of the size of its terms (rounding of decimal steps)."""

_FLIPPED: dict[str, Relation] = {"<=": ">=", ">=": "<=", "==": "=="}


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearConstraint:
    """A weighted sum of numeric parameters that must keep to one side of a bound: `sum(c * p) <= bound`."""

    coefficients: Mapping[str, float]
    relation: Relation
    bound: float
    text: str = field(default="", compare=False)
    """What the user wrote; shown in messages."""

    def __post_init__(self) -> None:
        if self.relation not in get_args(Relation):
            raise SpaceError(
                f"a constraint's relation is one of {', '.join(get_args(Relation))}, not {self.relation!r}"
            )
        kept = {name: float(weight) for name, weight in self.coefficients.items() if weight != 0}
        if not kept:
            raise SpaceError(f"constraint {self.text or self.bound!r} names no parameter")
        if not np.isfinite([*kept.values(), self.bound]).all():
            raise SpaceError(f"constraint {self.text!r}: coefficients and bound must be finite")
        object.__setattr__(self, "coefficients", kept)
        object.__setattr__(self, "bound", float(self.bound))
        if not self.text:
            object.__setattr__(self, "text", self._written())

    def _written(self) -> str:
        terms = [name if weight == 1 else f"{weight:g}*{name}" for name, weight in self.coefficients.items()]
        return f"{' + '.join(terms)} {self.relation} {self.bound:g}".replace("+ -", "- ")

    def __str__(self) -> str:
        return self.text

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters that it names."""
        return tuple(self.coefficients)

    def total(self, values: Mapping[str, float]) -> float:
        """Return the weighted sum."""
        return float(sum(weight * values[name] for name, weight in self.coefficients.items()))

    def violation(self, values: Mapping[str, float]) -> str | None:
        """Say by how much the constraint fails, or return None."""
        total = self.total(values)
        size = max(
            abs(self.bound), sum(abs(weight * values[name]) for name, weight in self.coefficients.items()), 1e-300
        )
        excess = {"<=": total - self.bound, ">=": self.bound - total, "==": abs(total - self.bound)}[self.relation]
        if excess <= TOLERANCE * size:
            return None
        return f"constraint {self.text!r}: the sum is {total:.6g}, which misses {self.bound:g} by {excess:.3g}"


def parse_constraint(text: str, names: Iterable[str]) -> list[LinearConstraint]:
    """Read a constraint over parameters with these names.

    What is not linear is read by `planner.nonlinear`.

    Raises:
        ConstraintError: The text is no linear constraint, or names an unknown parameter; says where.
    """
    return _Parser(text, names).constraints()


@dataclass(frozen=True, slots=True)
class _Linear:
    """A constant plus a weighted sum."""

    constant: float = 0.0
    weights: Mapping[str, float] = field(default_factory=dict)

    def plus(self, other: _Linear, sign: float = 1.0) -> _Linear:
        weights = dict(self.weights)
        for name, weight in other.weights.items():
            weights[name] = weights.get(name, 0.0) + sign * weight
        return _Linear(self.constant + sign * other.constant, weights)

    def times(self, factor: float) -> _Linear:
        return _Linear(self.constant * factor, {name: weight * factor for name, weight in self.weights.items()})


class _Parser(TokenReader):
    def __init__(self, text: str, names: Iterable[str]) -> None:
        super().__init__(text, list(names), r"[-+*/()]", "a constraint is text or a LinearConstraint")

    def constraints(self) -> list[LinearConstraint]:
        """Read the whole text."""
        left = self._sum()
        found: list[LinearConstraint] = []
        while self._peek().kind == "relation":
            relation = self._take()
            right = self._sum()
            found.append(self._compare(left, relation, right))
            left = right
        self._end_of_comparison(len(found), "<=, >= or ==")
        return found

    def _compare(self, left: _Linear, relation: Token, right: _Linear) -> LinearConstraint:
        both = left.plus(right, -1.0)
        weights = {name: weight for name, weight in both.weights.items() if weight != 0}
        if not weights:
            raise self._error("no parameter is left to constrain", relation.position)
        sense: Relation = relation.text  # type: ignore[assignment]
        if all(weight < 0 for weight in weights.values()):
            both, sense = both.times(-1.0), _FLIPPED[sense]
        return LinearConstraint(
            coefficients=both.weights, relation=sense, bound=0.0 - both.constant, text=self._text.strip()
        )

    def _sum(self) -> _Linear:
        total = self._term()
        while self._at("+", "-"):
            sign = 1.0 if self._take().text == "+" else -1.0
            total = total.plus(self._term(), sign)
        return total

    def _term(self) -> _Linear:
        product = self._factor()
        while self._at("*", "/"):
            mark = self._take()
            factor = self._factor()
            product = self._multiply(product, mark, factor)
        return product

    def _multiply(self, left: _Linear, mark: Token, right: _Linear) -> _Linear:
        if mark.text == "/":
            if right.weights:
                raise self._error("division by a parameter is not linear", mark.position)
            if right.constant == 0:
                raise self._error("division by zero", mark.position)
            return left.times(1.0 / right.constant)
        if left.weights and right.weights:
            raise self._error("a product of two parameters is not linear", mark.position)
        return right.times(left.constant) if right.weights else left.times(right.constant)

    def _factor(self) -> _Linear:
        if self._at("+", "-", "("):
            return self._nested()
        token = self._take()
        if token.kind == "number":
            return _Linear(float(token.text))
        if token.kind in ("name", "quoted"):
            return _Linear(0.0, {self._known(token): 1.0})
        raise self._error("expected a number or a parameter", token.position)

    def _nested(self) -> _Linear:
        opening = self._take()
        self._depth += 1
        if self._depth > MOST_NESTED:
            raise self._error(f"more than {MOST_NESTED} parentheses or signs within each other", opening.position)
        inside = self._sum() if opening.text == "(" else self._factor()
        if opening.text == "(":
            self._close(opening.position)
        self._depth -= 1
        return inside.times(-1.0) if opening.text == "-" else inside
