"""The fit against BoTorch's model of the same priors, which is slower and finds the same."""

import numpy as np
import pytest
import torch
from botorch.fit import fit_gpytorch_mll
from botorch.models import SingleTaskGP
from gpytorch.constraints import GreaterThan
from gpytorch.kernels import MaternKernel, ScaleKernel
from gpytorch.likelihoods import GaussianLikelihood
from gpytorch.mlls import ExactMarginalLogLikelihood
from gpytorch.priors import GammaPrior, LogNormalPrior

from surrogate import matern_gp_fit as module
from surrogate.length_priors import HEAVY, LIGHT, LengthPrior
from surrogate.matern_gp import GP, Kernel
from surrogate.matern_gp_fit import NOISE_PRIOR, SCALE_PRIOR, LogPosterior, most_probable

CASES = [pytest.param(n, d, known, id=f"{n} points, {d} columns, {'known' if known else 'unknown'} noise")
         for n, d in ((6, 1), (20, 3), (60, 6)) for known in (True, False)]  # fmt: skip
PRIORS = [pytest.param(LIGHT, id="light"), pytest.param(HEAVY, id="heavy")]


def data(n: int, d: int, known: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    rng = np.random.default_rng([n, d])
    X = rng.random((n, d))
    y = np.sin(5 * X[:, 0]) + 0.5 * np.cos(4 * X[:, -1]) + 0.1 * rng.standard_normal(n)
    return X, (y - y.mean()) / y.std(), rng.uniform(0.005, 0.05, n) if known else None


def reference(X: np.ndarray, y: np.ndarray, noise: np.ndarray | None, prior: LengthPrior) -> SingleTaskGP:
    d = X.shape[1]

    def positive(start: float) -> GreaterThan:
        return GreaterThan(1e-6, transform=torch.exp, inv_transform=torch.log, initial_value=start)  # type: ignore[arg-type]

    base = MaternKernel(
        nu=2.5,
        ard_num_dims=d,
        lengthscale_prior=GammaPrior(LIGHT.shape, LIGHT.rate(d))
        if prior is LIGHT
        else LogNormalPrior(HEAVY.centre(d), HEAVY.spread),
        lengthscale_constraint=positive(1.0),
    )
    kernel = ScaleKernel(base, outputscale_prior=GammaPrior(*SCALE_PRIOR), outputscale_constraint=positive(1.0))
    likelihood = GaussianLikelihood(noise_prior=LogNormalPrior(*NOISE_PRIOR), noise_constraint=positive(0.02))
    return SingleTaskGP(
        torch.as_tensor(X),
        torch.as_tensor(y)[:, None],
        None if noise is None else torch.as_tensor(noise)[:, None],
        likelihood=likelihood if noise is None else None,
        covar_module=kernel,
        outcome_transform=None,
    )


def log_posterior(model: SingleTaskGP) -> float:
    model.train()
    mll = ExactMarginalLogLikelihood(model.likelihood, model)
    with torch.no_grad():
        return float(mll(model(*model.train_inputs), model.train_targets)) * len(model.train_targets)  # type: ignore[misc,arg-type]


@pytest.mark.parametrize("prior", PRIORS)
@pytest.mark.parametrize(("n", "d", "known"), CASES)
def test_the_optimum_is_that_of_botorch(n: int, d: int, known: bool, prior: LengthPrior) -> None:
    X, y, noise = data(n, d, known)
    torch.manual_seed(0)
    model = reference(X, y, noise, prior)
    fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
    base = model.covar_module.base_kernel  # type: ignore[union-attr]
    theirs = [*base.lengthscale.detach().numpy().ravel(), model.covar_module.outputscale.item()]  # type: ignore[union-attr,arg-type]
    theirs += [] if known else [model.likelihood.noise.item()]
    found = most_probable(X, y, noise, prior=prior)
    assert found is not None
    assert found.log_posterior >= LogPosterior(X, y, noise, prior=prior)(np.log(theirs))[0] - 1e-6


@pytest.mark.parametrize("prior", PRIORS)
@pytest.mark.parametrize(("n", "d", "known"), CASES)
def test_the_posterior_is_that_of_gpytorch(n: int, d: int, known: bool, prior: LengthPrior) -> None:
    X, y, noise = data(n, d, known)
    first, second = (np.random.default_rng(seed).uniform(-1.0, 1.0, d + 2) for seed in (1, 2))
    differences = []
    for theta in (first, second):
        model = reference(X, y, noise, prior)
        model.covar_module.base_kernel.lengthscale = torch.as_tensor(np.exp(theta[:d]))  # type: ignore[union-attr]
        model.covar_module.outputscale = torch.tensor(np.exp(theta[d]))  # type: ignore[union-attr]
        if not known:
            model.likelihood.noise = torch.tensor(np.exp(theta[d + 1]))
        ours = LogPosterior(X, y, noise, prior=prior)
        mean = ours.mean(theta[: ours.size])
        model.mean_module.initialize(constant=mean)
        differences.append(log_posterior(model) - ours(theta[: ours.size])[0])
        gp = GP(
            kernel=Kernel(np.exp(theta[:d]), float(np.exp(theta[d]))),
            mean=mean,
            X=X,
            y=y,
            noise=np.full(n, np.exp(theta[d + 1])) if noise is None else noise,
        )
        new = np.random.default_rng(3).random((50, d))
        model.eval()
        with torch.no_grad():
            theirs = model.posterior(torch.as_tensor(new))
        assert gp.posterior(new)[0] == pytest.approx(theirs.mean.numpy().ravel(), abs=1e-6)
        assert gp.posterior(new)[1] == pytest.approx(theirs.variance.sqrt().numpy().ravel(), abs=1e-6)
    assert differences[0] == pytest.approx(differences[1], abs=1e-6), "equal up to the priors' constants"


@pytest.mark.parametrize("prior", PRIORS)
@pytest.mark.parametrize(("n", "d", "known"), CASES)
def test_slopes_are_derivatives(n: int, d: int, known: bool, prior: LengthPrior) -> None:
    objective = LogPosterior(*data(n, d, known), prior=prior)
    theta = np.random.default_rng(4).uniform(-1.0, 1.0, objective.size)
    numeric = [(objective(theta + 1e-5 * e)[0] - objective(theta - 1e-5 * e)[0]) / 2e-5 for e in np.eye(len(theta))]
    assert objective(theta)[1] == pytest.approx(np.array(numeric), abs=1e-5, rel=1e-5)


@pytest.mark.parametrize("known", [True, False])
def test_distances_that_are_too_many_to_be_kept_are_made_anew(known: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    theta = np.random.default_rng(5).uniform(-1.0, 1.0, 5 - known)
    value, slopes = LogPosterior(*data(20, 3, known))(theta)
    monkeypatch.setattr(module, "_MOST_STORED", 0)
    again = LogPosterior(*data(20, 3, known))
    assert again(theta)[0] == pytest.approx(value, rel=1e-10)
    assert again(theta)[1] == pytest.approx(slopes, rel=1e-8, abs=1e-8)


def test_a_search_from_what_is_known_ends_sooner_and_as_high(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y, _ = data(60, 6, False)
    evaluations, values = [], []
    find = module.minimum

    def counted(*given, **more):
        found = find(*given, **more)
        evaluations.append(found.evaluations)
        values.append(found.value)
        return found

    monkeypatch.setattr(module, "minimum", counted)
    first = most_probable(X, y, None)
    assert first is not None and len(evaluations) == 2, "from two usual places"
    assert 1e-3 < values[1] - values[0] < 0.5, "the second one ends beside the first one's optimum, not in it"
    again = most_probable(X[:-1], y[:-1], None, like=first)
    fresh = most_probable(X[:-1], y[:-1], None)
    assert again is not None and fresh is not None
    assert again.log_posterior == pytest.approx(fresh.log_posterior, abs=1e-4)
    assert evaluations[2] < min(evaluations[0], evaluations[3])


def test_many_points_are_fitted_as_well_as_from_every_usual_start() -> None:
    X, y, _ = data(200, 4, False)
    found = most_probable(X, y, None)
    usual = most_probable(X[:120], y[:120], None)
    assert found is not None
    assert usual is not None
    again = most_probable(X, y, None, like=usual)
    assert again is not None
    assert found.log_posterior == pytest.approx(again.log_posterior, abs=1e-2)


@pytest.mark.parametrize("y", [np.zeros(5), np.array([1e6, -1e6, 0.0, 0.0, 0.0])], ids=["all equal", "far out"])
def test_strange_data_are_survived(y: np.ndarray) -> None:
    found = most_probable(np.linspace(0, 1, 5)[:, None], y, None)
    assert found is None or np.isfinite([*found.lengths, found.scale, found.mean, found.noise]).all()


def test_repeated_points_are_survived() -> None:
    found = most_probable(np.full((8, 2), 0.3), np.array([1.0, -1.0] * 4), None)
    assert found is not None
    assert found.noise > 0.1
