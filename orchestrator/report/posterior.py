"""What the planner believes at the end: its surrogate rebuilt from the tables, and predictions on a grid.

Two numeric parameters give a map. Otherwise each parameter is varied alone through the best trial.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from orchestrator.campaign import Campaign
from orchestrator.errors import LabpilotError
from orchestrator.fidelities import counting
from orchestrator.history import History, read_standing
from orchestrator.models.telling import told_by
from orchestrator.parameters import Worded
from orchestrator.people.reading import read_state
from orchestrator.people.state import Given
from orchestrator.points import candidates_of
from orchestrator.reading import Reading
from orchestrator.space import constraints
from orchestrator.stopping import best_trial
from planner.errors import PlannerError

if TYPE_CHECKING:
    from orchestrator.knowledge import Knowledge
    from orchestrator.records import TrialRecord

log = logging.getLogger(__name__)

MAP_SIZE = (72, 60)
SLICE_POINTS = 41
MOST_SLICES = 24
MOST_OBSERVATIONS = 3_000
"""A surrogate of more would take minutes to refit."""

Point = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Posterior:
    """Predictions for the page, or the reason why there are none."""

    payload: Mapping[str, Any] | None = None
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class _Axis:
    """One parameter along which predictions are made."""

    index: int
    name: str
    values: Sequence[Any]
    is_log: bool


def predict_posterior(reading: Reading) -> Posterior:
    """Rebuild the planner as the journal says that it stood, and predict the first objective."""
    try:
        campaign = Campaign.from_data(reading.campaign().config)
        standing = read_standing(reading.connection)
    except (LabpilotError, ValueError) as error:
        return Posterior(why_not=f"the planner could not be rebuilt from this journal: {error}")
    history = standing.history
    n_measured = sum(len(found) for found in history.findings.values())
    n_told = n_measured + len(history.known or ())
    if not n_measured:
        return Posterior(why_not="Nothing was measured yet, so there is nothing to predict from.")
    if n_told > MOST_OBSERVATIONS:
        return Posterior(why_not=f"{n_told} observations are too many to refit the planner's surrogate for a page.")
    return _predicted(campaign, history, read_state(reading.connection).planned_with)


def _predicted(campaign: Campaign, history: History, pinned: Given | None) -> Posterior:
    from orchestrator.campaign_knowledge import knowledge_of

    try:
        # a pool limits what may be proposed, not what is believed; its table may not be on this machine
        is_of_pool = any(objective.direction == "classify" for objective in campaign.objectives)
        pool = candidates_of(campaign) if is_of_pool else None
        knowledge = knowledge_of(campaign, pool=pool, known=history.known or (), sources=history.sources or ())
        knowledge.restore(history.trials, history.findings, told=history.told)
        if len(history.book.models) > 1:
            knowledge.follow(history.book.champion)
        if pinned is not None:
            knowledge.advise(pinned.id, pinned.kind, pinned.arguments, since=0)
        times = told_by(history.book, history.diagnostics, pinned).of(campaign.leading.name)
        axes = [_axis(index, item) for index, item in enumerate(campaign.parameters)]
        numeric = [axis for axis in axes if not isinstance(axis.values[0], str)]
        if len(axes) == len(numeric) == 2:
            return Posterior(payload=_map(knowledge, campaign.leading.name, axes[0], axes[1], times))
        return _slices(knowledge, campaign, axes, history.trials, times)
    except (PlannerError, LabpilotError) as error:
        return Posterior(why_not=f"The planner {campaign.planner.policy!r} predicts nothing here: {error}.")
    except Exception as error:  # the supervisor of planner policies: a report outlives any of them
        log.exception("prediction_failed policy=%s", campaign.planner.policy)
        reason = f"{type(error).__name__}: {error}"
        return Posterior(why_not=f"The planner {campaign.planner.policy!r} could not be rebuilt: {reason}.")


def _axis(index: int, item: Any) -> _Axis:
    if isinstance(item, Worded):
        return _Axis(index, item.name, list(item.levels), is_log=False)
    low, high = item.bounds
    is_log = item.scale == "log"
    values = np.geomspace(low, high, SLICE_POINTS) if is_log else np.linspace(low, high, SLICE_POINTS)
    if item.kind == "integer":
        values = np.unique(np.rint(values)).astype(int)
    return _Axis(index, item.name, values.tolist(), is_log=is_log)


def _fine(axis: _Axis, n: int) -> list[Any]:
    """Return the axis' range in n steps; whole numbers stay whole."""
    low, high = axis.values[0], axis.values[-1]
    if isinstance(low, int):
        return list(axis.values)
    return (np.geomspace(low, high, n) if axis.is_log else np.linspace(low, high, n)).tolist()


def _map(knowledge: Knowledge, target: str, x: _Axis, y: _Axis, times: float) -> dict[str, Any]:
    """Return a map; times: what standard deviations are told as multiples of."""
    xs, ys = _fine(x, MAP_SIZE[0]), _fine(y, MAP_SIZE[1])
    points = [{x.name: x_value, y.name: y_value} for y_value in ys for x_value in xs]
    mean, sd = knowledge.predict(points, target)
    shape = (len(ys), len(xs))
    return {
        "kind": "map",
        "x": xs,
        "y": ys,
        "mean": _rounded(np.asarray(mean).reshape(shape)),
        "sd": _rounded(times * np.asarray(sd).reshape(shape)),
    }


def _slices(
    knowledge: Knowledge, campaign: Campaign, axes: Sequence[_Axis], trials: Sequence[TrialRecord], times: float
) -> Posterior:
    centre = best_trial(counting(campaign.parameters, trials), campaign.objectives)
    if centre is None:
        return Posterior(why_not="No trial gave a value, so there is none through which to cut.")
    limits = constraints(campaign)
    # a parameter that does not exist at the centre may where another value is chosen: it is then in its middle
    others = {axis.name: axis.values[len(axis.values) // 2] for axis in axes}
    slices = []
    for axis in axes[:MOST_SLICES]:
        points: list[Point] = [{**others, **centre.parameters, axis.name: value} for value in axis.values]
        mean, sd = knowledge.predict(points, campaign.leading.name)
        slices.append(
            {
                "parameter": axis.index,
                "x": list(axis.values),
                "mean": _rounded(np.asarray(mean)),
                "sd": _rounded(times * np.asarray(sd)),
                "allowed": [all(limit.violation(point) is None for limit in limits) for point in points],
            }
        )
    return Posterior(payload={"kind": "slices", "trial": centre.number, "slices": slices})


def _rounded(values: np.ndarray) -> list[Any]:
    """Keep five digits: a heat map shows no more, and they are a third of the size."""
    return np.vectorize(lambda value: float(f"{value:.5g}"), otypes=[float])(values).tolist()
