"""Controls and the times of results: what the drift of a laboratory is read from (`planner.drift`)."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import compress
from typing import TYPE_CHECKING, Any

import numpy as np

from planner.drift import Drift, Kind, find_drift
from planner.errors import BadObservation, BadOption, SpaceError
from planner.models import TargetData, TargetModel, target_data
from planner.proposal import Observation, Proposal, Value
from planner.space import SearchSpace
from planner.transforms import TargetScale
from surrogate.matern_gp import fit_gp

if TYPE_CHECKING:
    from planner.policies.base import PlannerData

_KNEE = 0.05
"""Of the greatest value: above it results are modelled on a logarithmic scale, where a factor is a shift."""
_FEWEST_VALUES = 8


def read_controls(space: SearchSpace, given: Any) -> tuple[Mapping[str, Value], ...]:
    """Return the control points that an option names; they may lie outside the space.

    Raises:
        BadOption: It is no list of points, or a point cannot be read.
    """
    if isinstance(given, str | Mapping) or not isinstance(given, Sequence):
        raise BadOption(
            f"option 'controls' takes a list of points, such as [{{{space.names[0]!r}: 1.0}}], not {given!r}"
        )
    for number, point in enumerate(given):
        if not isinstance(point, Mapping):
            raise BadOption(
                f"control {number} of option 'controls' is {point!r}; give a mapping of parameters to values"
            )
        try:
            space.rows([point])
        except SpaceError as error:
            raise BadOption(f"control {number} of option 'controls': {error}") from error
        unknown = [name for name in point if name not in space.names]
        if unknown:
            raise BadOption(f"control {number} of option 'controls': no parameter is called {unknown[0]!r}")
    return tuple(dict(point) for point in given)


def watch(
    data: PlannerData,
    target: str,
    *,
    controls: Sequence[Mapping[str, Value]] = (),
    time: str | None = None,
    kind: Kind = "factor",
    false_alarms: float = 0.001,
) -> Drift | None:
    """Estimate and test the drift of one target.

    Args:
        data: What was told.
        target: Whose drift.
        controls: Recipes that are repeated in every batch; without any, those that were measured in several batches.
        time: The entry of an observation's context that says when it was measured; by default its batch counts.
        kind: Whether the drift multiplies results or is added to them.
        false_alarms: p below which a look raises the alarm.

    Returns:
        None while too little is known: fewer than eight values, or than three batches.

    Raises:
        BadObservation: A result has no such entry in its context, or no number there.
    """
    values = target_data(data.space, data.observations, target)
    if len(values.values) < _FEWEST_VALUES:
        return None
    told = [target in observation.values for observation in data.observations]
    times = times_of(data, time)[told]
    keys = list(compress(_keys(data), told))
    are = _are_controls(keys, times, set(data.space.keys(data.space.rows(controls))))
    return find_drift(_model(values, kind), times, controls=are, kind=kind, false_alarms=false_alarms)


def times_of(data: PlannerData, time: str | None) -> np.ndarray:
    """Return when each observation was measured, `n`: what its context says, or the number of its batch.

    A batch is one ask. What answers no proposal belongs to the newest batch of which something was told before it, as
    controls do that are told after the proposals of their batch.

    Raises:
        BadObservation: See `watch`.
    """
    if time is not None:
        return np.array([_in_context(item, time, number) for number, item in enumerate(data.observations)])
    by_point = _batches(data.space, data.finished)
    newest, times = 0, []
    for observation, key in zip(data.observations, _keys(data), strict=True):
        asked = _ask_of(observation.proposal_id) if observation.proposal_id else None
        waiting = by_point.get(key, [])
        if asked in waiting:
            waiting.remove(asked)
        batch = waiting.pop(0) if asked is None and waiting else asked
        newest = newest if batch is None else max(newest, batch)
        times.append(newest if batch is None else batch)
    return np.array(times, dtype=float)


def _batches(space: SearchSpace, finished: Sequence[Proposal]) -> dict[bytes, list[int]]:
    """Return in which asks each point was proposed, in the order of their results; repeats have several."""
    found: dict[bytes, list[int]] = {}
    keys = space.keys(space.rows([proposal.parameters for proposal in finished]))
    for key, proposal in zip(keys, finished, strict=True):
        found.setdefault(key, []).append(_ask_of(proposal.id))
    return found


def _ask_of(proposal_id: str) -> int:
    return int(proposal_id.partition("-")[0])


def _keys(data: PlannerData) -> list[bytes]:
    return data.space.keys(data.space.rows([observation.parameters for observation in data.observations]))


def _are_controls(keys: Sequence[bytes], times: np.ndarray, named: Collection[bytes]) -> np.ndarray:
    """Return which results are controls' (`n`, bool): at a named point, or without any at one of several times."""
    if not named:
        seen: dict[bytes, set[float]] = {}
        for key, at in zip(keys, times.tolist(), strict=True):
            seen.setdefault(key, set()).add(at)
        named = {key for key, at in seen.items() if len(at) > 1}
    return np.array([key in named for key in keys], dtype=bool)


def _model(data: TargetData, kind: Kind) -> TargetModel:
    """Fit a target for its drift: a factor is a shift on a logarithmic scale, which data of one sign have."""
    values = data.values
    is_bent = kind == "factor" and (values.min() >= 0 or values.max() <= 0) and np.any(values != 0)
    scale = TargetScale.of(values, _KNEE * float(np.abs(values).max()) if is_bent else None)
    noise = None if data.noise is None else (data.noise * scale.slope(values)) ** 2
    return TargetModel(scale, fit_gp(data.codes, scale.forward(values), noise))


def _in_context(observation: Observation, time: str, number: int) -> float:
    value = observation.context.get(time)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise BadObservation(
            f"observation {number} has {value!r} for {time!r} in its context, where option 'time' looks for when it "
            f"was measured; tell Observation(..., context={{{time!r}: 3}}), or leave the option out"
        )
    return float(value)


def corrected(data: PlannerData, drifts: Mapping[str, Drift | None], time: str | None) -> tuple[Observation, ...]:
    """Return the observations with the drift of each target taken out of its values.

    The drift's doubt is added to their noise; noise that is not known stays unknown.
    """
    known = {target: drift for target, drift in drifts.items() if drift is not None}
    if not known:
        return data.observations
    return tuple(
        _corrected(observation, known, at)
        for observation, at in zip(data.observations, times_of(data, time), strict=True)
    )


def _corrected(observation: Observation, drifts: Mapping[str, Drift], at: float) -> Observation:
    values, noise = dict(observation.values), dict(observation.noise)
    for target in drifts.keys() & values.keys():
        value, doubt = drifts[target].corrected(np.array([values[target]]), np.array([at]))
        values[target] = float(value[0])
        if target in noise:
            noise[target] = math.hypot(noise[target], float(doubt[0]))
    return replace(observation, values=values, noise=noise)
