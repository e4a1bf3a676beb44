"""A planner as plain data: a JSON document with everything that its next proposal follows from.

Numbers are written with all their digits, so that a planner that was loaded proposes the same points as the one that
was saved. Nothing in the document is executed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from planner.constraints import LinearConstraint
from planner.errors import BadSave, PlannerError
from planner.fidelity import Fidelity
from planner.ledger import Ledger
from planner.nonlinear import NonlinearConstraint, parse_nonlinear
from planner.objective import Objective
from planner.parameters import Categorical, Continuous, Integer, Parameter
from planner.people import NOTHING_SAID, Said
from planner.proposal import Observation, Prediction, Proposal
from planner.space import SearchSpace

FORMAT = 1
_KINDS: dict[str, type[Parameter]] = {"continuous": Continuous, "integer": Integer, "categorical": Categorical}
_FIDELITY = "fidelity"


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What a planner is: its arguments, and what passed between it and the laboratory."""

    space: SearchSpace
    objectives: tuple[Objective, ...]
    seed: int
    policy: str
    options: Mapping[str, Any]
    n_asks: int
    ledger: Ledger
    said: Said = NOTHING_SAID


def write(path: Path, state: State) -> None:
    """Write a state whole, or leave the file as it was.

    Raises:
        BadSave: An option, or something in an observation's context, is no plain data; or the file cannot be written.
    """
    try:
        text = json.dumps(document(state), allow_nan=False, indent=1)
    except (TypeError, ValueError) as error:
        raise BadSave(f"{path}: only numbers, words and lists of them can be saved: {error}") from None
    fresh = path.with_name(path.name + ".new")
    try:
        with fresh.open("w", encoding="utf-8") as stream:
            stream.write(text + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        fresh.replace(path)
    except OSError as error:
        raise BadSave(f"{path}: it cannot be written: {error.strerror or error}") from error


def read(path: Path) -> State:
    """Return the state that a file holds.

    Raises:
        BadSave: It is no saved planner, or one of a later format.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadSave(f"{path}: it cannot be read: {error}") from None
    return state_of(found, str(path))


def state_of(found: Any, where: str, *, space: SearchSpace | None = None) -> State:
    """Return the state that `document` wrote.

    Args:
        found: The document.
        where: What it is called in an error.
        space: Its space, where it was read before.

    Raises:
        BadSave: It is no saved planner, or one of a later format.
    """
    if not isinstance(found, dict) or "labpilot_planner" not in found:
        raise BadSave(f"{where}: this is no saved planner; Planner.save writes them")
    if found["labpilot_planner"] != FORMAT:
        raise BadSave(
            f"{where}: it has format {found['labpilot_planner']!r}, this labpilot reads {FORMAT}; install the version "
            "that wrote it"
        )
    try:
        return _state(found, space or _space(found["space"]))
    except (PlannerError, KeyError, TypeError, ValueError) as error:
        raise BadSave(f"{where}: it is damaged: {type(error).__name__}: {error}") from error


def document(state: State) -> dict[str, Any]:
    """Return a state as plain data."""
    ledger = state.ledger
    return {
        "labpilot_planner": FORMAT,
        "space": _of_space(state.space),
        "objectives": [asdict(objective) for objective in state.objectives],
        "seed": state.seed,
        "policy": state.policy,
        "options": dict(state.options),
        "asks": state.n_asks,
        "said": state.said.data(),
        "pending": [_of_proposal(one) for one in ledger.pending.values()],
        "finished": [_of_proposal(one) for one in ledger.finished.values()],
        "discarded": [_of_proposal(one) for one in ledger.discarded.values()],
        "observations": [_of_observation(one) for one in ledger.observations],
    }


def _state(found: Mapping[str, Any], space: SearchSpace) -> State:
    objectives = tuple(Objective(**one) for one in found["objectives"])
    ledger = Ledger.restored(
        space,
        objectives,
        pending=[_proposal(one) for one in found["pending"]],
        finished=[_proposal(one) for one in found["finished"]],
        discarded=[_proposal(one) for one in found["discarded"]],
        observations=[Observation(**one) for one in found["observations"]],
    )
    return State(
        space=space,
        objectives=objectives,
        seed=found["seed"],
        policy=found["policy"],
        options=found["options"],
        n_asks=found["asks"],
        ledger=ledger,
        said=Said.from_data(found["said"]) if "said" in found else NOTHING_SAID,
    )


def _of_space(space: SearchSpace) -> dict[str, Any]:
    points = None if space.pool is None else space.points(space.pool)
    return {
        "parameters": [_of_parameter(parameter) for parameter in space.parameters],
        "constraints": [_of_constraint(constraint) for constraint in space.constraints],
        "shared": list(space.shared),
        "candidates": points and {name: [point[name] for point in points] for name in space.names},
    }


def _space(found: Mapping[str, Any]) -> SearchSpace:
    parameters = [_parameter(one) for one in found["parameters"]]
    names = [parameter.name for parameter in parameters]
    constraints = [_constraint(one, names) for one in found["constraints"]]
    return SearchSpace(parameters, constraints, found["candidates"], found.get("shared", ()))


def _of_constraint(constraint: LinearConstraint | NonlinearConstraint) -> dict[str, Any]:
    return {"text": constraint.text} if isinstance(constraint, NonlinearConstraint) else asdict(constraint)


def _constraint(found: Mapping[str, Any], names: Sequence[str]) -> LinearConstraint | NonlinearConstraint:
    return LinearConstraint(**found) if "coefficients" in found else parse_nonlinear(found["text"], names)


def _parameter(found: Mapping[str, Any]) -> Parameter:
    given = {key: value for key, value in found.items() if key != "kind"}
    if found["kind"] == _FIDELITY:
        return Fidelity(**given)
    return _KINDS[found["kind"]](**given)


def _of_parameter(parameter: Parameter) -> dict[str, Any]:
    if isinstance(parameter, Fidelity):
        return {"kind": _FIDELITY, "name": parameter.name, "costs": parameter.by_level, "target": parameter.target}
    kind = next(name for name, kind in _KINDS.items() if isinstance(parameter, kind))
    return {"kind": kind, **{each.name: _plain(getattr(parameter, each.name)) for each in fields(parameter)}}


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else value


def _of_proposal(proposal: Proposal) -> dict[str, Any]:
    return {
        "id": proposal.id,
        "parameters": dict(proposal.parameters),
        "predictions": {name: asdict(one) for name, one in proposal.predictions.items()},
        "reason": proposal.reason,
        **({"is_repeat": True} if proposal.is_repeat else {}),
    }


def _proposal(found: Mapping[str, Any]) -> Proposal:
    predictions = {name: Prediction(**one) for name, one in found["predictions"].items()}
    return Proposal(
        id=found["id"],
        parameters=found["parameters"],
        predictions=predictions,
        reason=found["reason"],
        is_repeat=found.get("is_repeat", False),
    )


def _of_observation(observation: Observation) -> dict[str, Any]:
    found = {each.name: getattr(observation, each.name) for each in fields(observation)}
    return {name: dict(value) if isinstance(value, Mapping) else value for name, value in found.items()}
