import numpy as np
import pytest

from surrogate.transfer.components import TRUSTED_SD, components
from surrogate.transfer.sources import prepare
from tests.surrogate.transfer.worlds import bump, source_of


def sources(n):
    return prepare([source_of(bump, name=str(i), seed=i) for i in range(n)], d=2)[0]


@pytest.mark.parametrize("own_lengths", [None, np.array([0.1, 3.0])])
@pytest.mark.parametrize("n", [1, 2, 5])
def test_priors_sum_to_one(n, own_lengths):
    found = components(sources(n), own_lengths, 9)
    assert np.exp([one.log_prior for one in found]).sum() == pytest.approx(1.0)
    assert len({(c.take, c.which, c.lengths, c.own_sd, c.noise) for c in found}) == len(found)


def test_what_is_taken():
    means = np.random.default_rng(0).normal(size=(7, 3))
    by_take = {(one.take, one.which): one for one in components(sources(3))}
    nothing, trusted = by_take["nothing", 0], by_take["trusted", 1]
    assert not nothing.offset(means).any() and nothing.features(means, 2.0).tolist() == [[2.0]] * 7
    assert trusted.offset(means) == pytest.approx(means[:, 1])
    assert trusted.features(means, 1.0)[:, 1] == pytest.approx(TRUSTED_SD * means[:, 1])
    assert by_take["average", 0].offset(means) == pytest.approx(means.mean(axis=1))
    assert not by_take["signed", 2].offset(means).any()
    assert by_take["signed", 2].features(means, 1.0)[:, 1] == pytest.approx(means[:, 2])
    assert by_take["all signed", 0].features(means, 1.0).shape == (7, 4)
    assert by_take["average", 0].shares(3) == pytest.approx([1 / 9] * 3)
    assert trusted.shares(3).tolist() == [0.0, 1.0, 0.0]
