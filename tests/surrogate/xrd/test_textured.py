from dataclasses import replace

import numpy as np
import pytest
import torch

from surrogate.xrd.fit import fit
from surrogate.xrd.hypothesis import SearchSettings
from surrogate.xrd.model import profiles, texture_log_factor
from surrogate.xrd.pattern import make_pattern
from surrogate.xrd.priors import bends
from surrogate.xrd.search import Searcher
from surrogate.xrd.textured import log_prior_of_kinds, textured
from tests.surrogate.xrd.mixtures import NAMES, mixed_with, simulated_scan
from tests.surrogate.xrd.test_fit import (
    ANATASE,
    CORUNDUM,
    RUTILE,
    ZINCITE,
    data_of,
    expected,
    fitted_to,
    task_of,
    truth,
)


def kind_of(atlas, phase, axis, r):
    kinds = atlas.kinds(phase)
    found = [n for n, one in enumerate(kinds.axis) if one == axis]
    return min(found, key=lambda n: abs(float(kinds.log_r[n]) - np.log(r)))


def evidence(atlas, fitted):
    return float(fitted.log_evidence) + log_prior_of_kinds(atlas, fitted.parameters)


@pytest.mark.parametrize(
    ("phase", "axis", "r"), [(RUTILE, (1, 1, 0), 0.42), (ZINCITE, (0, 0, 1), 0.42), (ANATASE, (1, 0, 1), 0.58)]
)
def test_a_strong_distribution_is_found_and_explains_more_than_harmonics(atlas, phase, axis, r):
    plain = truth(atlas, [phase], seed=1)
    true = plain.with_(texture=torch.zeros_like(plain.texture), kind=torch.tensor([kind_of(atlas, phase, axis, r)]))
    data = data_of(expected(atlas, true, [0.2]), counts=2e4, rng=np.random.default_rng(0))
    rough = fitted_to(atlas, data, [phase])
    tried = textured(atlas, rough.one(0))
    refined = [fit(atlas, task_of(data), one, steps=15) for one in tried]
    best = max(refined, key=lambda one: evidence(atlas, one))
    assert best.parameters.kind.tolist() == true.kind.tolist()
    assert evidence(atlas, best) > evidence(atlas, rough) + 3.0
    assert float(best.chi_squared) < float(rough.chi_squared)
    assert float(best.scales) == pytest.approx(0.2, rel=0.03)


def test_crystallites_at_random_are_not_taken_for_a_distribution(atlas):
    plain = truth(atlas, [RUTILE, CORUNDUM], seed=2)
    data = data_of(
        expected(atlas, plain.with_(texture=torch.zeros_like(plain.texture)), [0.1, 0.1]),
        counts=2e4,
        rng=np.random.default_rng(1),
    )
    rough = fitted_to(atlas, data, [RUTILE, CORUNDUM])
    refined = [fit(atlas, task_of(data), one, steps=15) for one in textured(atlas, rough.one(0))]
    assert all(evidence(atlas, one) < evidence(atlas, rough) for one in refined)


def test_a_distribution_counts_as_bending(atlas):
    plain = truth(atlas, [RUTILE])
    kind = kind_of(atlas, RUTILE, (1, 1, 0), 0.42)
    bent = plain.with_(kind=torch.tensor([kind]))
    assert float((bends(atlas, bent)[1] ** 2).sum()) > float((bends(atlas, plain)[1] ** 2).sum()) + 2.0


def test_the_strength_of_a_texture_counts_harmonics_and_distribution(atlas):
    two = truth(atlas, [RUTILE, CORUNDUM])
    kind = kind_of(atlas, CORUNDUM, (0, 0, 1), 0.42)
    bent = two.with_(kind=torch.tensor([0, kind]))
    factors = torch.tensor(atlas.kinds(CORUNDUM).log_factor[kind])
    gained = texture_log_factor(atlas, bent, 1) - texture_log_factor(atlas, two, 1)
    assert torch.allclose(gained, factors) and float(factors.max() - factors.min()) > 2.0
    assert torch.equal(texture_log_factor(atlas, bent, 0), texture_log_factor(atlas, two, 0))


def test_factors_of_each_entry_are_its_own(atlas):
    """Whatever stands before and after it, and for both lines of the tube."""
    three = truth(atlas, [RUTILE, CORUNDUM, ZINCITE])
    kinds = [0, kind_of(atlas, CORUNDUM, (0, 0, 1), 0.42), 5]
    together = profiles(atlas, data_of(expected(atlas, three, [1.0] * 3)).grid, three.with_(kind=torch.tensor(kinds)))
    for entry, (phase, kind) in enumerate(zip((RUTILE, CORUNDUM, ZINCITE), kinds, strict=True)):
        own = {name: getattr(three, name)[entry : entry + 1] for name in ("strain", "texture", "log_size_nm")}
        alone = truth(atlas, [phase]).with_(shared=three.shared, kind=torch.tensor([kind]), **own)
        alone = alone.with_(log_microstrain=three.log_microstrain[entry : entry + 1])
        lone = profiles(atlas, data_of(expected(atlas, three, [1.0] * 3)).grid, alone)
        torch.testing.assert_close(lone.profile[0], together.profile[entry], rtol=1e-9, atol=1e-12)


def test_a_search_only_gains_by_them(atlas):
    strong = mixed_with({"rutile": 0.6, "corundum": 0.4}, seed=3, texture=(0.4, 0.45))
    for scan in (strong, simulated_scan("L1", {"rutile": 0.55, "anatase": 0.45}, 4)):
        pattern = make_pattern(scan)
        without = Searcher(atlas, settings=replace(SearchSettings(), n_textured=0)).search(pattern)
        found = {one.phases: one.log_evidence for one in Searcher(atlas).search(pattern)}
        assert all(found[one.phases] >= one.log_evidence - 1e-9 for one in without)
    names = {NAMES[one] for one in max(found, key=lambda phases: found[phases])}
    assert names == {"rutile", "anatase"}
