"""The loop of BoTorch's tutorials: SingleTaskGP, noisy log-EI, optimize_acqf; failures are told as the worst value."""

# pyright: reportMissingImports=false
from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
import torch
from botorch.acquisition.logei import qLogNoisyExpectedImprovement
from botorch.fit import fit_gpytorch_mll
from botorch.models import SingleTaskGP
from botorch.optim import optimize_acqf, optimize_acqf_discrete, optimize_acqf_mixed
from gpytorch.mlls import ExactMarginalLogLikelihood
from planner_space import Bound, Space, Value
from torch import Tensor

from planner_peers import Trial
from planner_peers.coding import decode, encode, slices

RESTARTS = 10
RAW_SAMPLES = 512
LARGEST_LIST = 10_000
"""Points of a space without continuous parameters that are all tried."""

Linear = tuple[Tensor, Tensor, float]


class BoTorch:
    """Mixed spaces by one optimisation for each combination of the discrete parameters."""

    def __init__(self, space: Space, seed: int) -> None:
        torch.manual_seed(seed)
        self._space = space
        self._trials: list[Trial] = []
        self._rng = np.random.default_rng(seed)

    def tell(self, trials: Sequence[Trial]) -> None:
        """Remember."""
        self._trials += trials

    def ask(self, n: int) -> list[dict[str, Value]]:
        """Fit and optimise; random points before anything was measured."""
        known = [value for _, value in self._trials if value is not None]
        if not known:
            return self._space.sample(n, self._rng)
        x = torch.tensor(encode(self._space, [point for point, _ in self._trials]))
        y = -torch.tensor([max(known) if value is None else value for _, value in self._trials], dtype=torch.double)
        model = SingleTaskGP(x, y[:, None])
        fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
        acquisition = qLogNoisyExpectedImprovement(model, X_baseline=x, prune_baseline=True)
        return [decode(self._space, row) for row in self._best(acquisition, x.shape[1], n).detach().numpy()]

    def _best(self, acquisition: qLogNoisyExpectedImprovement, d: int, n: int) -> Tensor:
        box = torch.stack([torch.zeros(d), torch.ones(d)]).double()
        lists = [axis.grid for axis in self._space.axes if axis.kind != "continuous"]
        if len(lists) == len(self._space.axes) and np.prod([len(each) for each in lists]) <= LARGEST_LIST:
            names = self._space.names
            points = [dict(zip(names, values, strict=True)) for values in product(*lists)]
            return optimize_acqf_discrete(acquisition, q=n, choices=torch.tensor(encode(self._space, points)))[0]
        if lists:
            return optimize_acqf_mixed(
                acquisition,
                box,
                q=n,
                num_restarts=RESTARTS,
                raw_samples=RAW_SAMPLES,
                fixed_features_list=self._fixed(),
            )[0]
        return optimize_acqf(
            acquisition,
            box,
            q=n,
            num_restarts=RESTARTS,
            raw_samples=RAW_SAMPLES,
            inequality_constraints=[self._linear(b, -1.0) for b in self._space.bounds if b.relation == "<="] or None,
            equality_constraints=[self._linear(b, 1.0) for b in self._space.bounds if b.relation == "=="] or None,
        )[0]

    def _fixed(self) -> list[dict[int, float]]:
        """Return the columns' values for each combination of the discrete parameters."""
        held: list[list[dict[int, float]]] = []
        for axis, columns in zip(self._space.axes, slices(self._space), strict=True):
            if axis.kind == "categorical":
                places = range(columns.start, columns.stop)
                held.append([{i: float(i == chosen) for i in places} for chosen in places])
            elif axis.grid:
                held.append([{columns.start: axis.code(level)} for level in axis.grid])
        return [{i: value for part in parts for i, value in part.items()} for parts in product(*held)]

    def _linear(self, bound: Bound, sign: float) -> Linear:
        """Return a bound over the unit cube: ``sum of weights * x >= rhs``, or ``==``."""
        places = {axis.name: (i, axis) for i, axis in enumerate(self._space.axes)}
        chosen = [(*places[name], weight) for name, weight in bound.weights.items()]
        rest = bound.bound - sum(weight * axis.low for _, axis, weight in chosen)
        indices = torch.tensor([i for i, _, _ in chosen])
        weights = torch.tensor([sign * weight * axis.span for _, axis, weight in chosen], dtype=torch.double)
        return indices, weights, sign * rest


def open_peer(space: Space, seed: int) -> BoTorch:
    """Return the planner."""
    return BoTorch(space, seed)
