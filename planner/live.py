"""The models that a planner has at the moment, as plain values: to be kept, made again, and held against each other."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from planner.errors import BadSave
from planner.models import TargetModel, target_data
from planner.transforms import TargetScale
from surrogate.input_noise import InputNoise
from surrogate.input_noise_gp import InputNoiseGP
from surrogate.matern_gp import GP, Kernel
from surrogate.registry.manifest import hash_of_arrays
from surrogate.transfer.mixture import Mixture
from surrogate.transfer.store import of_arrays, to_arrays

if TYPE_CHECKING:
    from planner.objective import Objective
    from planner.policies.base import Foreteller
    from planner.proposal import Observation
    from planner.space import SearchSpace

_MAKE_MODELS = (
    *("planner.encoding", "planner.models", "planner.transforms"),
    *("surrogate.gp", "surrogate.matern_gp", "surrogate.matern_gp_fit", "surrogate.input_noise_gp"),
    *("planner.doubts", "surrogate.input_noise", "surrogate.outliers"),
    *("surrogate.transfer.components", "surrogate.transfer.covariances"),
    *("surrogate.transfer.mixture", "surrogate.transfer.sources"),
)
"""Modules that the numbers of a model follow from."""


@dataclass(frozen=True, slots=True)
class Mixed:
    """A mixture as a model of one target."""

    mixture: Mixture

    def forecast(self, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and standard deviation (`n` each) of a value measured once at encoded points, noise included."""
        found = self.mixture.predict(codes, noise=True)
        return found.mean, found.sd


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveModel:
    """A fitted model; plain values and arrays, so that it can cross to another process and into a file."""

    kind: str
    """What its arrays mean: ``cold/1`` or ``transfer/1``."""
    data_sha256: str
    """Of its training rows."""
    rows: int
    """Values of all targets that it was fitted to."""
    told: int
    """Observations that were known."""
    ranges: Mapping[str, Sequence[Any]]
    """Least value, greatest value and unit of each parameter that is a number, and of each target."""
    sources: Sequence[Sequence[str]]
    """Name and sha256 of each."""
    hyperparameters: Mapping[str, Any]
    code: str
    device: str
    layout: Mapping[str, Any]
    arrays: Mapping[str, np.ndarray]


def lives(
    space: SearchSpace,
    objectives: Sequence[Objective],
    observations: Sequence[Observation],
    models: Mapping[str, Mapping[str, Foreteller]],
) -> dict[str, LiveModel]:
    """Return fitted models as plain values, by name."""
    each = {target: target_data(space, observations, target) for targets in models.values() for target in targets}
    data = {target: hash_of_arrays(one.codes, one.values, one.noise) for target, one in each.items()}
    ranges = _ranges(space, objectives, observations)
    return {name: _live(targets, data, ranges, len(observations)) for name, targets in models.items()}


def _live(
    targets: Mapping[str, Foreteller], data: Mapping[str, str], ranges: Mapping[str, Sequence[Any]], told: int
) -> LiveModel:
    layout, hyperparameters, arrays, rows = dict[str, Any](), dict[str, Any](), dict[str, np.ndarray](), 0
    sources: list[list[str]] = []
    kind = ""
    for number, (target, model) in enumerate(targets.items()):
        if isinstance(model, TargetModel):
            kind, (head, found, told_of) = "cold/1", _of_cold(model)
            rows += len(model.gp.y)
        elif isinstance(model, Mixed):
            kind, (found, head) = "transfer/1", to_arrays(model.mixture)
            sources = [[one.name, hash_of_arrays(one.gp.X, one.gp.y, one.gp.noise)] for one in model.mixture.sources]
            told_of = {"weights": _weights(model.mixture)}
            rows += len(model.mixture.y)
        else:
            raise TypeError(f"no layout is known for {type(model).__name__}")
        layout[target] = {"number": number, **head}
        hyperparameters[target] = told_of
        arrays |= {f"target{number}_{name}": array for name, array in found.items()}
    return LiveModel(
        kind=kind,
        data_sha256=hashlib.sha256("".join(data[target] for target in targets).encode()).hexdigest(),
        rows=rows,
        told=told,
        ranges=ranges,
        sources=sources,
        hyperparameters=hyperparameters,
        code=code_version(),
        device="cpu",
        layout=layout,
        arrays=arrays,
    )


def _of_cold(model: TargetModel) -> tuple[dict[str, Any], dict[str, np.ndarray], dict[str, Any]]:
    gp, scale = model.gp, model.scale
    head = {"scale": [scale.knee, scale.shift, scale.spread], "kernel_scale": gp.kernel.scale, "mean": gp.mean}
    arrays = {"lengths": gp.kernel.lengths, "X": gp.X, "y": gp.y, "noise": gp.noise}
    if isinstance(gp, InputNoiseGP) and gp.inputs is not None:
        head["own_noise"] = gp.own_noise
        arrays |= {"input_sd": gp.inputs.at_zero, "input_decay": gp.inputs.decay}
    told = {
        "lengths": gp.kernel.lengths.tolist(),
        "scale": gp.kernel.scale,
        "mean": gp.mean,
        "noise": float(np.median(gp.noise)),
        "knee": scale.knee,
    }
    return head, arrays, told


def _weights(mixture: Mixture) -> dict[str, Any]:
    return {
        "nothing": mixture.weight_of_nothing,
        "all": mixture.weight_of_all,
        "sources": {one.name: mixture.weight_of(one.name) for one in mixture.sources},
    }


def made_again(kind: str, layout: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> dict[str, Foreteller]:
    """Return a model that was kept, by target; it foretells what it foretold, to the last digit.

    Raises:
        BadSave: Layout or arrays are not those of a model, or of one that this labpilot knows.
    """
    makers = {"cold/1": _cold_again, "transfer/1": _mixed_again}
    if kind not in makers:
        raise BadSave(f"no model of kind {kind!r} is known here; a later labpilot made it")
    try:
        return {target: makers[kind](head, _part(arrays, head["number"])) for target, head in layout.items()}
    except (KeyError, TypeError, IndexError, ValueError, ArithmeticError) as error:
        raise BadSave(f"the model cannot be made again: {type(error).__name__}: {error}") from error


def _part(arrays: Mapping[str, np.ndarray], number: int) -> dict[str, np.ndarray]:
    start = f"target{number}_"
    return {name.removeprefix(start): array for name, array in arrays.items() if name.startswith(start)}


def _cold_again(head: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Foreteller:
    knee, shift, spread = head["scale"]
    kernel = Kernel(arrays["lengths"], head["kernel_scale"])
    known: dict[str, Any] = {
        "kernel": kernel,
        "mean": head["mean"],
        **{key: arrays[key] for key in ("X", "y", "noise")},
    }
    if "own_noise" in head:
        inputs = InputNoise(arrays["input_sd"], arrays["input_decay"])
        gp = InputNoiseGP(**known, inputs=inputs, own_noise=head["own_noise"])
    else:
        gp = GP(**known)
    return TargetModel(TargetScale(knee, shift, spread), gp)


def _mixed_again(head: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Foreteller:
    return Mixed(of_arrays(arrays, head))


def _ranges(
    space: SearchSpace, objectives: Sequence[Objective], observations: Sequence[Observation]
) -> dict[str, Sequence[Any]]:
    found: dict[str, Sequence[Any]] = {}
    told = [one for one in observations if one.failure is None]
    for parameter in space.parameters:
        values = [one.parameters.get(parameter.name) for one in told]
        numbers = [float(value) for value in values if isinstance(value, int | float)]
        if numbers:
            found[parameter.name] = [min(numbers), max(numbers), getattr(parameter, "unit", "")]
    for objective in objectives:
        values = [float(one.values[objective.name]) for one in told if objective.name in one.values]
        if values:
            found[objective.name] = [min(values), max(values), objective.unit]
    return found


@cache
def code_version() -> str:
    """Return the labpilot and a hash of the modules that a model's numbers follow from."""
    found = hashlib.sha256()
    for name in _MAKE_MODELS:
        path = import_module(name).__file__
        found.update(Path(path).read_bytes() if path else name.encode())
    try:
        number = version("labpilot")
    except PackageNotFoundError:
        number = "?"
    return f"labpilot {number} {found.hexdigest()[:12]}"
