"""That they are densities is seen in `test_matern_gp_fit`, against GPyTorch's."""

import numpy as np
import pytest

from surrogate.length_priors import HEAVY, LIGHT


@pytest.mark.parametrize("d", [1, 4, 20])
def test_both_have_one_mode(d: int) -> None:
    mode = np.full(d, 2.0 / LIGHT.rate(d))
    for prior in (LIGHT, HEAVY):
        assert prior.log_density(np.log(mode))[1] == pytest.approx(np.zeros(d), abs=1e-12)


def test_a_column_that_does_nothing_costs_more_by_the_light_tail() -> None:
    near, far = np.zeros(6), np.array([0.0] * 5 + [np.log(10.0)])
    costs = [prior.log_density(near)[0] - prior.log_density(far)[0] for prior in (LIGHT, HEAVY)]
    assert costs[0] > 10.0 * costs[1] > 0.0
