from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from surrogate.xrd.atlas import make_atlas
from surrogate.xrd.hypothesis import Hypothesis, SearchSettings, probabilities
from surrogate.xrd.pattern import make_pattern
from surrogate.xrd.search import Searcher, _Search
from tests.surrogate.xrd.mixtures import NAMES, phase_of, scan_of, simulated_scan

MIXTURES = [
    ("L0", {"corundum": 0.5, "zincite": 0.3, "calcite": 0.2}, 1),
    ("L0", {"rutile": 0.9, "anatase": 0.1}, 2),
    ("L1", {"silicon": 1.0}, 3),
    ("L1", {"rutile": 0.55, "anatase": 0.45}, 4),
    ("L1", {"baddeleyite": 0.5, "quartz": 0.3, "halite": 0.2}, 5),
    ("L1", {"periclase": 0.3, "halite": 0.3, "zincite": 0.2, "quartz": 0.2}, 6),
]


def named(hypothesis, atlas):
    return {atlas.phases[one].name for one in hypothesis.phases}


def background_pattern(seed=0):
    counts = np.random.default_rng(seed).poisson(100.0, 2500).astype(float)
    return make_pattern(scan_of(np.asarray(20.0 + 0.02 * np.arange(2500), dtype=np.float64), counts))


@pytest.mark.parametrize(("level", "parts", "seed"), MIXTURES, ids=[f"{m[0]}-{'+'.join(m[1])}" for m in MIXTURES])
def test_mixtures_are_found(atlas, lone_atlas, level, parts, seed):
    used = lone_atlas if level == "L0" else atlas
    found = Searcher(used).search(make_pattern(simulated_scan(level, parts, seed)))
    assert named(found[0], atlas) == set(parts)


def test_all_sets_that_were_tried_are_told_the_best_first(searcher):
    found = searcher.search(make_pattern(simulated_scan("L1", {"rutile": 0.55, "anatase": 0.45}, 4)))
    assert () in [one.phases for one in found] and len({one.phases for one in found}) == len(found) > 2
    evidence = [one.log_evidence for one in found]
    assert evidence == sorted(evidence, reverse=True)
    assert all(one.phases == tuple(sorted(one.phases)) for one in found)
    assert all(one.fitted is None or (one.fitted.scales > 0.0).all() for one in found)


def test_a_search_gives_the_same_twice(searcher):
    pattern = make_pattern(simulated_scan("L1", {"silicon": 1.0}, 3))
    one, other = searcher.search(pattern), searcher.search(pattern)
    assert [(h.phases, h.log_evidence) for h in one] == [(h.phases, h.log_evidence) for h in other]


def test_an_empty_library_finds_nothing():
    searcher = Searcher(make_atlas([]))
    pattern = make_pattern(simulated_scan("L1", {"silicon": 1.0}, 3))
    (only,) = searcher.search(pattern)
    assert only.phases == () and np.isfinite(only.log_evidence)
    model, background = searcher.model(pattern, only)
    assert model == pytest.approx(background) and np.isfinite(model).all()
    with pytest.raises(ValueError, match="library is empty"):
        _ = searcher.screen


def test_one_candidate_is_taken_where_it_is_there_and_left_where_nothing_is():
    searcher = Searcher(make_atlas([phase_of("silicon")], highest_deg=80.0))
    assert searcher.search(make_pattern(simulated_scan("L1", {"silicon": 1.0}, 3)))[0].phases == (0,)
    assert searcher.search(background_pattern())[0].phases == ()


@pytest.mark.parametrize("seed", range(3))
def test_background_alone_holds_no_phase(searcher, seed):
    assert searcher.search(background_pattern(seed))[0].phases == ()


def test_no_more_phases_are_taken_than_allowed(atlas):
    parts = {"periclase": 0.3, "halite": 0.3, "zincite": 0.2, "quartz": 0.2}
    pattern = make_pattern(simulated_scan("L1", parts, 6))
    for most in (0, 1, 2):
        found = Searcher(atlas, settings=SearchSettings(max_phases=most)).search(pattern)
        assert max(len(one.phases) for one in found) == most
        assert named(found[0], atlas) <= set(parts)


def test_prior_odds_speak_against_a_phase(atlas):
    pattern = make_pattern(simulated_scan("L1", {"silicon": 1.0}, 3))
    odds = np.full(len(NAMES), -3.0)
    odds[NAMES.index("silicon")] = -1e6
    found = Searcher(atlas, log_odds=odds).search(pattern)
    assert "silicon" not in named(found[0], atlas)


def test_the_model_is_background_and_scaled_profiles(atlas, searcher):
    pattern = make_pattern(simulated_scan("L1", {"rutile": 0.55, "anatase": 0.45}, 4))
    best = searcher.search(pattern)[0]
    model, background = searcher.model(pattern, best)
    assert (model >= background - 1e-9).all()
    close = np.abs(model - pattern.intensity) < 0.1
    assert close.mean() > 0.98


def test_an_empty_hypothesis_has_no_peaks(searcher):
    pattern = background_pattern()
    nothing = next(one for one in searcher.search(pattern) if not one.phases)
    model, background = searcher.model(pattern, nothing)
    assert np.array_equal(model, background)


def test_probabilities_add_up_and_follow_the_evidence():
    sets = [
        Hypothesis(phases=(i,), log_evidence=e, chi_squared=0.0, fitted=None) for i, e in enumerate((3.0, 1.0, -2e5))
    ]
    sharp, mild = probabilities(sets), probabilities(sets, temperature=10.0)
    assert sharp.sum() == pytest.approx(1.0) and mild.sum() == pytest.approx(1.0)
    assert sharp[0] / sharp[1] == pytest.approx(np.exp(2.0)) and mild[0] / mild[1] == pytest.approx(np.exp(0.2))
    assert sharp[2] == 0.0


def test_a_search_that_leaves_much_begins_again_from_other_phases(atlas):
    pattern = make_pattern(simulated_scan("L1", {"periclase": 0.3, "halite": 0.3, "zincite": 0.2, "silicon": 0.2}, 1))
    narrow = {"n_screened": 1, "n_later": 1, "max_phases": 2, "margin": 1e9}
    settings = (SearchSettings(**narrow, poor_misfit=1e9), SearchSettings(**narrow))
    once, again = ({one.phases for one in Searcher(atlas, settings=one).search(pattern)} for one in settings)
    assert once < again


def test_what_is_bent_counts_against_a_set(searcher):
    found = searcher.search(make_pattern(simulated_scan("L2", {"rutile": 0.6, "corundum": 0.4}, 1)))
    assert found[-1].phases != () or found[-1].bending == 0.0
    assert all(one.bending > 0.0 for one in found if one.phases)


def test_the_best_candidate_is_refined_though_roughly_it_only_made_things_worse(searcher):
    pattern = make_pattern(simulated_scan("L1", {"silicon": 1.0}, 3))
    search = _Search(searcher, pattern, ())
    parent: Any = SimpleNamespace(fitted=SimpleNamespace(objective=torch.tensor([0.0])))
    rough: Any = SimpleNamespace(objective=torch.tensor([900.0, 400.0, 401.0]))
    assert search._promising(parent, rough, [1, 2, 0]) == [1]
    better: Any = SimpleNamespace(objective=torch.tensor([-10.0, -400.0, -390.0]))
    assert search._promising(parent, better, [1, 2, 0]) == [1, 2]
