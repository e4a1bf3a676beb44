"""Parameters that exist only where others have certain values: an additive's amount, where there is an additive.

A parameter that does not exist is absent from a point. In a row its column rests at one value, whatever a point says
there, so that points which differ in nothing else are the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from planner.constraints import LinearConstraint
from planner.errors import BadOption, SpaceError, did_you_mean
from planner.nonlinear import NonlinearConstraint
from planner.proposal import Value

if TYPE_CHECKING:
    from planner.parameters import Parameter

When = Mapping[str, Sequence[Value]]
"""Values of other parameters; a parameter exists where each of them has one of those given."""

Rule = tuple[tuple[int, tuple[float, ...]], ...]
"""Columns that decide, and the numbers that each must have one of."""


def read_when(name: str, given: Any) -> dict[str, tuple[Value, ...]] | None:
    """Return the condition that a parameter is declared with, as plain data.

    Raises:
        SpaceError: It is no mapping from other parameters to lists of values.
    """
    if given is None:
        return None
    if not isinstance(given, Mapping) or not given:
        raise SpaceError(f"parameter {name!r}: when maps other parameters to lists of values, not {given!r}")
    for other, values in given.items():
        if other == name:
            raise SpaceError(f"parameter {name!r}: its condition names itself")
        if isinstance(values, str) or not isinstance(values, Sequence) or not values:
            raise SpaceError(f"parameter {name!r}: when: {other!r} takes a list of values, not {values!r}")
    return {str(other): tuple(values) for other, values in given.items()}


@dataclass(frozen=True, eq=False)
class Conditions:
    """Which of the parameters exist where.

    Raises:
        SpaceError: A condition names no parameter, one without levels, or none of its values; or conditions go round.
    """

    parameters: tuple[Parameter, ...]

    def __post_init__(self) -> None:
        self.order  # noqa: B018  what is wrong with conditions is said where they are declared

    @classmethod
    def of(cls, parameters: Sequence[Parameter]) -> Conditions | None:
        """Return the conditions of parameters; None where all of them always exist."""
        return cls(tuple(parameters)) if any(parameter.when for parameter in parameters) else None

    @cached_property
    def names(self) -> list[str]:
        """All parameters, by column."""
        return [parameter.name for parameter in self.parameters]

    @cached_property
    def rules(self) -> dict[int, Rule]:
        """By column that may not exist."""
        return {column: self._rule(one) for column, one in enumerate(self.parameters) if one.when}

    def _rule(self, parameter: Parameter) -> Rule:
        found = []
        for other, values in (parameter.when or {}).items():
            where = f"parameter {parameter.name!r}: when"
            if other not in self.names:
                raise SpaceError(f"{where}: no parameter {other!r}{did_you_mean(other, self.names)}")
            decides = self.parameters[self.names.index(other)]
            if decides.grid is None:
                raise SpaceError(
                    f"{where}: {other!r} has no levels to choose by; make it categorical or an integer, or give it step"
                )
            wrong = next((text for value in values if (text := decides.violation(value)) is not None), None)
            if wrong is not None:
                raise SpaceError(f"{where}: {wrong}")
            levels = {float(decides.grid[np.argmin(np.abs(decides.grid - decides.number(one)))]) for one in values}
            found.append((self.names.index(other), tuple(sorted(levels))))
        return tuple(found)

    @cached_property
    def order(self) -> tuple[int, ...]:
        """All columns, those that decide before those that depend on them."""
        found: list[int] = []
        left = list(range(len(self.parameters)))
        while left:
            ready = [c for c in left if all(other in found for other, _ in self.rules.get(c, ()))]
            if not ready:
                circle = ", ".join(repr(self.names[column]) for column in left)
                raise SpaceError(f"the conditions of {circle} go round in a circle; let one of them always exist")
            found += ready
            left = [column for column in left if column not in ready]
        return tuple(found)

    @cached_property
    def deciding(self) -> tuple[int, ...]:
        """Columns that others depend on, in order."""
        named = {other for rule in self.rules.values() for other, _ in rule}
        return tuple(column for column in self.order if column in named)

    @cached_property
    def distinct(self) -> list[Rule]:
        """Every condition once, in the order of the columns."""
        return list(dict.fromkeys(self.rules.values()))

    @cached_property
    def resting(self) -> np.ndarray:
        """What columns hold where their parameters do not exist, `p`."""
        return np.array([parameter.bounds[0] for parameter in self.parameters])

    def active(self, rows: np.ndarray) -> np.ndarray:
        """Say which parameters exist in rows (`n x p`), `n x p` bool."""
        found = np.ones(rows.shape, dtype=bool)
        for column in self.order:
            if column in self.rules:
                found[:, column] = self._holds(self.rules[column], rows, found)
        return found

    def _holds(self, rule: Rule, rows: np.ndarray, active: np.ndarray) -> np.ndarray:
        good = np.ones(len(rows), dtype=bool)
        for other, levels in rule:
            slack = 1e-9 * max(1.0, float(np.ptp(self.parameters[other].bounds)))
            hits = np.abs(rows[:, [other]] - np.array(levels)) <= slack
            good &= active[:, other] & hits.any(axis=1)
        return good

    def indicators(self, active: np.ndarray) -> np.ndarray:
        """Return 1 where each distinct condition holds, of what exists (`n x p`, bool), `n x k`."""
        columns = [next(column for column, rule in self.rules.items() if rule == one) for one in self.distinct]
        return active[:, columns].astype(float)

    def settled(self, rows: np.ndarray) -> np.ndarray:
        """Return rows (`n x p`) with what does not exist at rest.

        Raises:
            SpaceError: A parameter exists in a row and has no number there.
        """
        active = self.active(rows)
        missing = np.flatnonzero(np.any(active & np.isnan(rows), axis=0))
        if len(missing):
            raise SpaceError(f"parameter {self.names[missing[0]]!r} is missing")
        return np.where(active, rows, self.resting)

    def problems(self, point: Mapping[str, Any], *, with_levels: bool = True) -> tuple[list[str], set[str]]:
        """Return what is wrong with the values of a point, one by one, and the parameters that exist there.

        Args:
            point: Values by parameter.
            with_levels: Hold them against bounds and levels as well, which a pool's need not keep to.
        """
        problems, existing, columns = list[str](), set[str](), dict[int, float]()
        for column in self.order:
            parameter, name = self.parameters[column], self.names[column]
            value = point.get(name)
            exists = all(columns.get(other) in levels for other, levels in self.rules.get(column, ()))
            if not exists:
                if value is not None:
                    problems.append(f"parameter {name!r} exists only where {self.said(column)}; leave it out")
                continue
            existing.add(name)
            problem = f"parameter {name!r} is missing" if value is None else parameter.violation(value)
            if problem is not None and (with_levels or value is None):
                problems.append(problem)
            elif problem is None and parameter.grid is not None:
                number = parameter.number(value)
                columns[column] = float(parameter.grid[np.argmin(np.abs(parameter.grid - number))])
        return problems, existing

    def said(self, column: int) -> str:
        """Say where a parameter exists, in words."""
        when = self.parameters[column].when or {}
        return " and ".join(f"{name} is {' or '.join(map(str, values))}" for name, values in when.items())


def applied(
    constraint: LinearConstraint | NonlinearConstraint, existing: set[str]
) -> LinearConstraint | NonlinearConstraint | None:
    """Return what a constraint asks where only some parameters exist; None where it asks nothing.

    In a sum (weights of one sign) what does not exist counts as nothing, as an ingredient that is left out. A
    comparison (weights of both signs) and what is not linear ask nothing where one of their parameters does not exist.
    """
    left = [name for name in constraint.names if name in existing]
    if len(left) == len(constraint.names):
        return constraint
    if not left or isinstance(constraint, NonlinearConstraint):
        return None
    weights = constraint.coefficients
    if len({weight > 0 for weight in weights.values()}) > 1:
        return None
    return replace(constraint, coefficients={name: weights[name] for name in left})


def refuse_conditions(parameters: Sequence[Parameter], policy: str) -> None:
    """Refuse a space with parameters that may not exist, for a policy that cannot plan there.

    Raises:
        BadOption: It has one.
    """
    named = [parameter.name for parameter in parameters if parameter.when]
    if named:
        raise BadOption(
            f"policy {policy!r} cannot plan where parameters exist only under conditions ({named[0]!r} does); choose "
            "'auto', 'random' or 'sobol', or let it always exist"
        )
