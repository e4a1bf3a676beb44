"""Reading what a search space is declared with: constraints, what a batch shares, the points of a pool."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, cast

import numpy as np

from planner.constraints import LinearConstraint, parse_constraint
from planner.errors import ConstraintError, EmptySearchSpace, SpaceError, did_you_mean
from planner.fidelity import Fidelity
from planner.nonlinear import NonlinearConstraint, parse_nonlinear
from planner.parameters import Categorical, Parameter
from planner.pool import Columns, check_names, is_columns, rows_of_columns
from planner.proposal import Value

if TYPE_CHECKING:
    from planner.space import SearchSpace

Constraint = LinearConstraint | NonlinearConstraint


def read_constraint(text: str, names: Sequence[str]) -> list[Constraint]:
    """Read what is linear as such, which is sampled and kept to exactly, and anything else as it stands.

    Raises:
        ConstraintError: It is neither; says where.
    """
    try:
        return list(parse_constraint(text, names))
    except ConstraintError as error:
        try:
            return [parse_nonlinear(text, names)]
        except ConstraintError as other:
            raise (other if other.position >= error.position else error) from None


def read_parameters(parameters: Sequence[Parameter]) -> tuple[Parameter, ...]:
    """Return the axes.

    Raises:
        SpaceError: There is none, or two have one name.
    """
    names = [parameter.name for parameter in parameters]
    if not names:
        raise SpaceError("a search space needs at least one parameter")
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise SpaceError(f"two parameters are called {sorted(twice)[0]!r}")
    return tuple(parameters)


def read_constraints(
    parameters: Sequence[Parameter], constraints: Sequence[str | Constraint]
) -> tuple[Constraint, ...]:
    """Return constraints, read where they are text.

    Raises:
        SpaceError: One cannot be read, or names what is no numeric parameter.
    """
    if isinstance(constraints, str):
        raise SpaceError("constraints= takes a list of constraints; put this one into brackets")
    names = [parameter.name for parameter in parameters]
    read: list[Constraint] = []
    for item in constraints:
        read.extend([item] if isinstance(item, Constraint) else read_constraint(item, names))
    words = {parameter.name for parameter in parameters if isinstance(parameter, Categorical)}
    for constraint in read:
        for name in constraint.names:
            if name not in names:
                raise SpaceError(f"constraint {constraint.text!r}: no parameter {name!r}{did_you_mean(name, names)}")
            if name in words:
                raise SpaceError(f"constraint {constraint.text!r}: {name!r} is categorical and is no number")
    return tuple(read)


def read_shared(parameters: Sequence[Parameter], shared: Sequence[str]) -> tuple[str, ...]:
    """Return what points of one ask have in common.

    Raises:
        SpaceError: One is no parameter or may not exist, or all are named.
    """
    names = [parameter.name for parameter in parameters]
    if isinstance(shared, str):
        raise SpaceError("shared= takes a list of parameters; put this one into brackets")
    for name in shared:
        if name not in names:
            raise SpaceError(f"shared: no parameter {name!r}{did_you_mean(name, names)}")
        if parameters[names.index(name)].when:
            raise SpaceError(f"shared: {name!r} exists only under conditions, so that a batch cannot have it in common")
        if isinstance(parameters[names.index(name)], Fidelity):
            raise SpaceError(f"shared: {name!r} says the fidelity, which is chosen for each point; leave it out")
    if set(shared) == set(names):
        raise SpaceError("shared: points of one ask cannot have every parameter in common; leave one out")
    return tuple(dict.fromkeys(shared))


def admissible_rows(space: SearchSpace, candidates: Iterable[Mapping[str, Value]] | Columns) -> tuple[np.ndarray, int]:
    """Return the admissible points of a pool as rows (`n x p`), and how many others there are.

    Raises:
        SpaceError: A name or a value is none of the space's.
        EmptySearchSpace: None is admissible.
    """
    rows = candidate_rows(space, candidates)
    inside = rows[space.region.feasible(rows)] if len(rows) else rows
    if not len(inside):
        raise EmptySearchSpace(f"none of {len(rows)} candidates lies within the bounds and constraints")
    return inside, len(rows) - len(inside)


def candidate_rows(space: SearchSpace, candidates: Iterable[Mapping[str, Value]] | Columns) -> np.ndarray:
    """Return the points of a pool as rows (`n x p`), admissible or not.

    Raises:
        SpaceError: A name or a value is none of the space's.
    """
    if is_columns(candidates):
        rows = rows_of_columns(space.parameters, cast("Columns", candidates))
        return rows if space.conditions is None else space.conditions.settled(rows)
    points = list(cast("Iterable[Mapping[str, Value]]", candidates))
    needed = [parameter.name for parameter in space.parameters if not parameter.when]
    for number, point in enumerate(points):
        check_names(space.names, point, f"candidate {number}: ", needed=needed)
    return space.rows(points)
