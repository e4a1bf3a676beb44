"""What to try next: search spaces, objectives, ask and tell.

    space = SearchSpace([Continuous("temperature", 300.0, 900.0, unit="degC"), Integer("cycles", 1, 10)])
    planner = Planner(space, [Objective("yield", "maximize")], seed=0)
    proposal = planner.ask(1)[0]
    planner.tell([Observation(parameters=proposal.parameters, values={"yield": 0.41}, proposal_id=proposal.id)])

Importing this loads neither torch nor scipy.stats; a policy that needs them loads them when it is asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from planner.best import Recommended
from planner.constraints import LinearConstraint, parse_constraint
from planner.errors import (
    BadObservation,
    BadOption,
    BadSave,
    ConstraintError,
    EmptySearchSpace,
    NotEnoughData,
    NothingWithin,
    PlannerError,
    SearchSpaceExhausted,
    SpaceError,
    UnknownProposal,
)
from planner.fidelity import Fidelity
from planner.nonlinear import NonlinearConstraint, parse_nonlinear
from planner.objective import Objective
from planner.parameters import Categorical, Continuous, Integer, Parameter
from planner.planner import Planner
from planner.policies.base import POLICIES
from planner.proposal import Forecast, Observation, Posterior, Prediction, Proposal, RegionPosterior, Value
from planner.space import SearchSpace
from planner.within import Within

if TYPE_CHECKING:
    from planner.adaptive_scan import AdaptiveScan

__all__ = [
    "POLICIES",
    "AdaptiveScan",
    "BadObservation",
    "BadOption",
    "BadSave",
    "Categorical",
    "ConstraintError",
    "Continuous",
    "EmptySearchSpace",
    "Fidelity",
    "Forecast",
    "Integer",
    "LinearConstraint",
    "NonlinearConstraint",
    "NotEnoughData",
    "NothingWithin",
    "Objective",
    "Observation",
    "Parameter",
    "Planner",
    "PlannerError",
    "Posterior",
    "Prediction",
    "Proposal",
    "Recommended",
    "RegionPosterior",
    "SearchSpace",
    "SearchSpaceExhausted",
    "SpaceError",
    "UnknownProposal",
    "Value",
    "Within",
    "parse_constraint",
    "parse_nonlinear",
]


def __getattr__(name: str) -> Any:
    """Import the inner planner of a scan when it is first asked for."""
    if name == "AdaptiveScan":
        from planner.adaptive_scan import AdaptiveScan

        return AdaptiveScan
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
