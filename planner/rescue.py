"""What is believed of a target when its surrogate cannot be fitted as usual: a ladder, whose steps are told.

A fit fails where rounding leaves a covariance without a factor, or where something overflows. Down the ladder each step
takes less from the data. What it comes to follows from what was told alone, so that a planner that is rebuilt stands on
the same step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from planner.doubts import DoubtingModel
from planner.models import TargetData, TargetModel, fit_on
from planner.transforms import TargetScale
from surrogate.matern_gp import fit_gp

Fit = Callable[[TargetData], TargetModel]

_NEAR = 1e-6
"""Root mean square over the columns of the cube, below which results are of the same point."""
_AWAY = 1e4
"""Widths of the cube, at which nothing is known of it."""
_BACK = 3
"""Values that are left out, one after the other, to find a fit from before that succeeds."""


def fit_anyhow(fit: Fit, data: TargetData) -> tuple[TargetModel, str]:
    """Return a model of a target, and what had to be given up for it; nothing where it could be fitted as usual.

    Args:
        fit: The usual way.
        data: At least one value.

    Raises:
        ArithmeticError: Not even mean and spread of the values are numbers.
    """
    why = ""
    for what, step in _ladder(fit, data):
        try:
            model = step()
            problem = _problem(model, data)
        except (ArithmeticError, ValueError) as error:  # np.linalg.LinAlgError is a ValueError
            problem = str(error)
        else:
            if not problem:
                return model, f"{what}, as the fit failed: {why}" if why else _given_up(model)
        why = why or problem
    raise ArithmeticError(f"nothing can be said of values such as {data.values[:3].tolist()}: {why}")


def _ladder(fit: Fit, data: TargetData) -> Iterator[tuple[str, Callable[[], TargetModel]]]:
    yield "fitted", lambda: fit(data)
    yield "near-duplicates were averaged", lambda: _of_merged(fit, data)
    yield "hyperparameters stand at their priors", lambda: _with_priors(data)
    for back in range(1, min(_BACK, len(data.values) - 1) + 1):
        before = data.only(np.arange(len(data.values) - back))
        yield f"hyperparameters are those of {back} values before", lambda told=before: _as_before(fit(told), data)
    yield "nothing but mean and spread of the values is believed", lambda: _flat(data)


def _problem(model: TargetModel, data: TargetData) -> str:
    """Say what is wrong with a model where the data are; nothing where it is well."""
    for mean, sd in (model.predict(data.codes), model.forecast(data.codes)):
        if not (np.isfinite(mean).all() and np.isfinite(sd).all() and (sd > 0.0).all()):
            return "it predicts what is no number"
    return ""


def _given_up(model: TargetModel) -> str:
    """Say what a fit gave up by itself."""
    if model.gp.is_without_fit:
        return "hyperparameters stand at their priors, as no others were found"
    return f"the covariance needed jitter {model.gp.jitter:g}" if model.gp.jitter else ""


def merged(data: TargetData) -> TargetData:
    """Return results with those of nearly the same point averaged, each group where its first is."""
    groups = _groups(data)
    first = np.array([one[0] for one in groups])
    noise = None if data.noise is None else np.array([_noise_of_mean(data.noise[one]) for one in groups])
    return replace(data.only(first), values=np.array([float(np.mean(data.values[one])) for one in groups]), noise=noise)


def _groups(data: TargetData) -> list[list[int]]:
    groups: list[list[int]] = []
    for place, code in enumerate(data.codes):
        far = [float(np.sqrt(np.mean((data.codes[one[0]] - code) ** 2))) for one in groups]
        if far and min(far) < _NEAR:
            groups[int(np.argmin(far))].append(place)
        else:
            groups.append([place])
    return groups


def _of_merged(fit: Fit, data: TargetData) -> TargetModel:
    """Fit averages; an average that is not believed stands for all the results that it is of."""
    model = fit(merged(data))
    if not isinstance(model, DoubtingModel):
        return model
    groups = _groups(data)
    found = [
        replace(one, place=place, value=float(data.values[place]))
        for one in model.doubts
        for place in groups[one.place]
    ]
    return replace(model, doubts=tuple(sorted(found, key=lambda one: one.place)))


def _noise_of_mean(noise: np.ndarray) -> float:
    return float(np.max(noise) / len(noise) ** 0.5)


def _with_priors(data: TargetData) -> TargetModel:
    scale = TargetScale.of(data.values, None)
    gp = fit_gp(data.codes[:1], scale.forward(data.values[:1]), None)  # of one value none are sought
    noise = np.full(len(data.values), gp.typical_noise)
    return TargetModel(scale, replace(gp, X=data.codes, y=scale.forward(data.values), noise=noise))


def _as_before(model: TargetModel, data: TargetData) -> TargetModel:
    noise = np.full(len(data.values), model.gp.typical_noise)
    return TargetModel(model.scale, replace(model.gp, X=data.codes, y=model.scale.forward(data.values), noise=noise))


def _flat(data: TargetData) -> TargetModel:
    """Return a model that knows only what values are usual: its one value lies too far away to tell of any point."""
    scale = TargetScale.of(data.values, None)
    away = TargetData(codes=data.codes[:1] + _AWAY, values=np.array([float(np.median(data.values))]), noise=None)
    return fit_on(scale, away)
