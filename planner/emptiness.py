"""Saying why a search space is empty."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from planner.branches import BranchedRegion
from planner.conditions import applied
from planner.constraints import LinearConstraint
from planner.linear import conflict
from planner.nonlinear import NonlinearConstraint
from planner.parameters import Parameter
from planner.region import Region


def explain_emptiness(
    region: Region, parameters: Sequence[Parameter], constraints: Sequence[LinearConstraint | NonlinearConstraint]
) -> str | None:
    """Name the constraint that cannot hold, or a smallest set that contradicts itself; None where a point exists."""
    linear = [constraint for constraint in constraints if isinstance(constraint, LinearConstraint)]
    for constraint in linear:
        alone = _alone(constraint, parameters)
        if alone is not None:
            return alone
    rows = conflict(region, relaxed=True)
    if rows is not None:
        return f"these constraints contradict each other: {_quoted(rows, linear)}; loosen one of them"
    rows = conflict(region, relaxed=False)
    if rows is not None:
        return (
            f"no level of the grids satisfies {_quoted(rows, linear)}, though values between the levels would; "
            "use finer steps, or an inequality in place of =="
        )
    curved = [constraint.text for constraint in constraints if isinstance(constraint, NonlinearConstraint)]
    if curved:
        others = " and the other constraints" if linear else ""
        return (
            f"no point was found that satisfies {' and '.join(map(repr, curved))} within the bounds{others}; loosen "
            "one of them, or narrow the bounds to where a point is"
        )
    return None


def explain_branches(
    region: BranchedRegion, constraints: Sequence[LinearConstraint | NonlinearConstraint]
) -> str | None:
    """Say why no branch of a region with conditions has a point: of the first, and that the others have none either."""
    parameters = region.conditions.parameters
    for branch in region.branches:
        existing = {one.name for one, exists in zip(parameters, branch.active, strict=True) if exists}
        asked = [found for one in constraints if (found := applied(one, existing)) is not None]
        why = explain_emptiness(branch.region, parameters, asked)
        if why is not None:
            where = " and ".join(
                f"{parameters[c].name} is {parameters[c].value(v[0])}" for c, v in branch.levels.items()
            )
            return f"where {where}, {why}; nothing is left elsewhere either"
    return None


def _alone(constraint: LinearConstraint, parameters: Sequence[Parameter]) -> str | None:
    """Say so if one constraint cannot hold anywhere within the bounds."""
    bounds = {parameter.name: parameter.bounds for parameter in parameters}
    ends = np.array([np.multiply(weight, bounds[name]) for name, weight in constraint.coefficients.items()])
    least, most = float(ends.min(axis=1).sum()), float(ends.max(axis=1).sum())
    if constraint.relation != ">=" and least > constraint.bound:
        return (
            f"constraint {constraint.text!r} cannot hold: within the bounds the sum is at least {least:.6g}, "
            f"above {constraint.bound:g}; raise the bound or widen a parameter"
        )
    if constraint.relation != "<=" and most < constraint.bound:
        return (
            f"constraint {constraint.text!r} cannot hold: within the bounds the sum is at most {most:.6g}, "
            f"below {constraint.bound:g}; lower the bound or widen a parameter"
        )
    return None


def _quoted(rows: tuple[list[int], list[int]], constraints: Sequence[LinearConstraint]) -> str:
    inequalities = [constraint for constraint in constraints if constraint.relation != "=="]
    equalities = [constraint for constraint in constraints if constraint.relation == "=="]
    texts = [inequalities[row].text for row in rows[0]] + [equalities[row].text for row in rows[1]]
    return " and ".join(repr(text) for text in dict.fromkeys(texts))
