import numpy as np
import pytest

from surrogate.fidelity_fit import LikenessPosterior, likeness


def told(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = rng.random((n, 2))
    return X, np.sin(5 * X[:, 0]) * np.cos(3 * X[:, 1])


@pytest.mark.parametrize("noise", [None, 0.01], ids=["inferred", "known"])
def test_the_gradient_is_that_of_the_value(noise: float | None) -> None:
    X, known = told(9, 0)
    unknown = 0.05 * np.exp(-np.sum((X[:, None] - X[None]) ** 2, axis=2))
    y = 2.0 * known + X[:, 1]
    given = None if noise is None else np.full(9, noise)
    posterior = LikenessPosterior(X, y, given, known, unknown, np.array([0.5, 0.8]))
    theta = np.array([1.3, np.log(0.4), np.log(0.9), np.log(0.2), np.log(0.03)])[: posterior.size]
    slopes = posterior(theta)[1]
    for i in range(posterior.size):
        step = np.zeros_like(theta)
        step[i] = 1e-6
        numeric = (posterior(theta + step)[0] - posterior(theta - step)[0]) / 2e-6
        assert slopes[i] == pytest.approx(numeric, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("factor", [-1.2, 0.8])
def test_finds_a_factor_of_either_sign(factor: float) -> None:
    X, known = told(12, 1)
    found = likeness(X, factor * known + 0.3, None, known, np.zeros((12, 12)), np.array([0.5, 0.5]))
    assert found is not None
    assert found.factor == pytest.approx(factor, abs=0.1)


def test_evidence_is_greater_for_what_resembles() -> None:
    X, known = told(12, 2)
    other = np.random.default_rng(3).standard_normal(12)
    lengths, nothing = np.array([0.5, 0.5]), np.zeros((12, 12))
    alike = likeness(X, known, None, known, nothing, lengths)
    alone = likeness(X, known, None, 0.0 * known, nothing, lengths)
    useless = likeness(X, known, None, other, nothing, lengths)
    assert alike is not None and alone is not None and useless is not None
    assert alike.evidence > alone.evidence + 3.0
    assert useless.evidence < alone.evidence + np.log(19.0), "what tells nothing is not trusted"
