"""What `benchmarks/transfer.py` compares: a cold start, the mixture, and peers.

*multitask*: BoTorch's MultiTaskGP with its defaults, values standardised task by task. *rgpe*: the ranking-weighted
ensemble of Feurer, Letham and Bakshy (2018, arXiv 1802.02219), with 256 draws, leave-one-out draws of the target, and
its rule against dilution at the 95th percentile; its variance is that of the weighted sum, as in BoTorch's tutorial.
*baybe*: BayBE's process of a task parameter with its defaults, in an environment of its own (`transfer_baybe.py`).
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from surrogate.length_priors import HEAVY
from surrogate.matern_gp import GP, fit_gp
from surrogate.transfer.mixture import Mixture
from surrogate.transfer.sources import Source, prepare

N_DRAWS = 256
DILUTION = 0.95
BAYBE_PYTHON = "PYTHON_WITH_BAYBE"
"""Variable that names the interpreter of an environment with BayBE, which refuses variables called BAYBE_..."""


@dataclass(frozen=True, slots=True)
class Data:
    """Values at points."""

    X: np.ndarray
    y: np.ndarray

    def first(self, n: int) -> Data:
        """Return the first values."""
        return Data(self.X[:n], self.y[:n])


Method = Callable[[Data, np.ndarray], tuple[np.ndarray, np.ndarray]]
"""From the target's values and points to means and standard deviations there."""


@dataclass(frozen=True, slots=True)
class Standardised:
    """A Gaussian process of values of any scale."""

    gp: GP
    centre: float
    spread: float

    @classmethod
    def of(cls, data: Data) -> Standardised:
        """Fit one with BoTorch's default priors."""
        centre, spread = float(data.y.mean()), float(data.y.std()) or 1.0
        return cls(fit_gp(data.X, (data.y - centre) / spread, None, prior=HEAVY), centre, spread)

    def __call__(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return means and standard deviations."""
        mean, sd = self.gp.posterior(points)
        return self.centre + self.spread * mean, self.spread * sd


def cold(sources: Sequence[Data], seed: int) -> Method:  # noqa: ARG001
    """Return a method that knows the target alone."""
    return lambda data, points: Standardised.of(data)(points)


def mixture(sources: Sequence[Data], seed: int) -> Method:  # noqa: ARG001
    """Return labpilot's."""
    taken, _ = prepare([Source(name=str(i), X=s.X, y=s.y) for i, s in enumerate(sources)], d=sources[0].X.shape[1])

    def method(data: Data, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        found = Mixture(taken, data.X, data.y).predict(points)
        return found.mean, found.sd

    return method


def multitask(sources: Sequence[Data], seed: int) -> Method:
    """Return BoTorch's MultiTaskGP, fitted anew each time."""
    import torch
    from botorch.fit import fit_gpytorch_mll
    from botorch.models import MultiTaskGP
    from gpytorch.mlls import ExactMarginalLogLikelihood

    def method(data: Data, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        torch.manual_seed(seed)
        every = [*sources, data]
        X = np.vstack([np.column_stack([one.X, np.full(len(one.X), task)]) for task, one in enumerate(every)])
        y = np.concatenate([(one.y - one.y.mean()) / one.y.std() for one in every])
        model = MultiTaskGP(
            torch.tensor(X), torch.tensor(y)[:, None], task_feature=-1, output_tasks=[len(sources)],
            outcome_transform=None,
        )  # fmt: skip
        fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
        with torch.no_grad():
            found = model.posterior(torch.tensor(points))
        mean, sd = found.mean[:, 0].numpy(), found.variance[:, 0].sqrt().numpy()
        return data.y.mean() + data.y.std() * mean, data.y.std() * sd

    return method


def baybe(sources: Sequence[Data], seed: int) -> Method:
    """Return BayBE's transfer learning, fitted anew each time.

    Raises:
        RuntimeError: It gave no answer.
    """

    def method(data: Data, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        told = {"sources": [{"X": one.X.tolist(), "y": one.y.tolist()} for one in sources]}
        asked = {"X": data.X.tolist(), "y": data.y.tolist(), "points": points.tolist(), "seed": seed}
        command = [os.environ[BAYBE_PYTHON], str(Path(__file__).with_name("transfer_baybe.py"))]
        lines = f"{json.dumps(told)}\n{json.dumps(asked)}\n"
        done = subprocess.run(command, input=lines, capture_output=True, text=True, check=False)  # noqa: S603
        answer = json.loads(done.stdout) if done.stdout else {"error": done.stderr[-300:]}
        if "error" in answer:
            raise RuntimeError(f"BayBE gave no answer: {answer['error']}")
        return np.array(answer["mean"]), np.array(answer["sd"])

    return method


def rgpe(sources: Sequence[Data], seed: int) -> Method:
    """Return the ranking-weighted ensemble."""
    models = [Standardised.of(one) for one in sources]

    def method(data: Data, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng([seed, len(data.y)])
        own = Standardised.of(data)
        weights = _ranking_weights(models, own, data, rng)
        parts = [model.gp.posterior(points) for model in (*models, own)]
        mean = sum(weight * one for weight, (one, _) in zip(weights, parts, strict=True))
        variance = sum(weight**2 * sd**2 for weight, (_, sd) in zip(weights, parts, strict=True))
        return own.centre + own.spread * mean, own.spread * np.sqrt(variance)

    return method


def _ranking_weights(
    models: Sequence[Standardised], own: Standardised, data: Data, rng: np.random.Generator
) -> np.ndarray:
    n = len(data.y)
    losses = []
    for model in models:
        mean, covariance = model.gp.joint(data.X)
        draws = rng.multivariate_normal(mean, covariance + 1e-8 * np.eye(n), N_DRAWS, method="cholesky")
        losses.append(_misranked(draws, data.y))
    losses.append(_misranked(_left_out(own.gp, rng), data.y))
    loss = np.array(losses)
    # a source whose losses are worse than most of the target's own would only dilute
    loss[:-1][np.median(loss[:-1], axis=1) > np.quantile(loss[-1], DILUTION)] = np.inf
    best = loss == loss.min(axis=0)
    best[:-1] &= ~best[-1]  # ties go to the target
    return (best / best.sum(axis=0)).mean(axis=1)


def _misranked(draws: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the number of pairs in the wrong order in each draw."""
    above = y[:, None] < y[None]
    return np.array([((one[:, None] < one[None]) != above).sum() for one in draws], dtype=float)


def _left_out(gp: GP, rng: np.random.Generator) -> np.ndarray:
    precision = np.linalg.inv(gp.kernel(gp.X, gp.X) + np.diag(gp.noise))
    mean = gp.y - (precision @ (gp.y - gp.mean)) / np.diag(precision)
    return mean + np.diag(precision) ** -0.5 * rng.normal(size=(N_DRAWS, len(gp.y)))


METHODS: dict[str, Callable[[Sequence[Data], int], Method]] = {
    "cold": cold,
    "mixture": mixture,
    "rgpe": rgpe,
    "multitask": multitask,
    "baybe": baybe,
}
