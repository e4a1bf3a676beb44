from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from surrogate.xrd import calibration
from surrogate.xrd.calibration import (
    BANDS,
    MISFITS,
    USUAL,
    USUAL_MISFIT,
    Calibration,
    Case,
    Sets,
    fitted,
    fitted_missing,
    missing_features,
    phase_probabilities,
    set_features,
    shipped,
)
from surrogate.xrd.residual import FEATURES

MIDDLES = (BANDS[0] / 2.0, (BANDS[0] + BANDS[1]) / 2.0, BANDS[1] * 2.0)
N_WEIGHTS = len(USUAL)


def sigmoid(z):
    return 1.0 / (1.0 + np.exp(-z))


def sets(log_evidence, n_phases=None, bending=None, **left):
    n = len(log_evidence)
    return Sets(
        **{name: np.array(value, dtype=float) for name, value in left.items()},
        log_evidence=np.array(log_evidence, dtype=float),
        n_phases=np.ones(n) if n_phases is None else np.array(n_phases, dtype=float),
        bending=np.zeros(n) if bending is None else np.array(bending, dtype=float),
    )


def case(difference, is_first, *, signal_to_noise=MIDDLES[1], misfit=1.0, has_unknown=False, **facts):
    """Return a choice between two phases, as evidence and as it is."""
    return Case(
        sets=sets([difference + 1e4, 1e4], **facts),
        members=np.array([[True, False], [False, True]]),
        truth=np.array([is_first, not is_first]),
        signal_to_noise=signal_to_noise,
        misfit=misfit,
        has_unknown=has_unknown,
    )


def overconfident(rng, n, factor, **facts):
    """Return cases whose evidence is too large by a factor."""
    logit = rng.normal(0.0, 3.0, n)
    misfit = max(1.0, facts.get("misfit", 1.0))
    return [case(factor * misfit * z, bool(rng.random() < sigmoid(z)), **facts) for z in logit]


def rooted(rng, n, weight, **facts):
    """Return cases whose logit grows as the root of what evidence says."""
    logit = rng.normal(0.0, 2.0, n)
    return [case(np.sign(z) * (z / weight) ** 2, bool(rng.random() < sigmoid(z)), **facts) for z in logit]


def plain(temperatures=(2.0, 4.0, 8.0), weights=(-1.0, 2.0), set_weights=(0.5, 0.4, 0.3, 0.0, 1.5, 0.5, 1.0, 0.0)):
    """Return a calibration for which a missing phase's odds are a constant and one feature of what is left."""
    return Calibration(
        temperatures=temperatures,
        set_weights=set_weights,
        complete_weights=set_weights,
        missing_weights=(*set_weights, *weights, 0.0),
        made_by={},
    )


def lone(left, **facts):
    """Return one set that leaves something."""
    return sets([0.0], wild_gain=[0.0], left=[[left]], **facts)


@pytest.mark.parametrize("factor", [3.0, 12.0, 40.0])
def test_a_known_overconfidence_is_recovered(factor):
    found = fitted(overconfident(np.random.default_rng(1), 500, factor))[0]
    assert found[1] == pytest.approx(factor, rel=0.35)


def test_evidence_that_is_right_is_left_as_it_is():
    assert fitted(overconfident(np.random.default_rng(2), 500, 1.0))[0][1] < 1.4


def test_misfit_is_taken_off_before():
    found = fitted(overconfident(np.random.default_rng(3), 500, 5.0, misfit=4.0))[0]
    assert found[1] == pytest.approx(5.0, rel=0.35)


def test_each_band_has_its_own_temperature():
    rng = np.random.default_rng(4)
    cases = [
        one
        for signal_to_noise, factor in zip(MIDDLES, (2.0, 8.0, 30.0), strict=True)
        for one in overconfident(rng, 300, factor, signal_to_noise=signal_to_noise)
    ]
    assert fitted(cases)[0] == pytest.approx((2.0, 8.0, 30.0), rel=0.45)


def test_a_band_of_few_cases_takes_the_temperature_of_all():
    rng = np.random.default_rng(5)
    many = overconfident(rng, 300, 10.0)
    few = overconfident(rng, 5, 1.0, signal_to_noise=MIDDLES[2])
    found = fitted(many + few)[0]
    assert found[2] == pytest.approx(10.0, rel=0.4)


@pytest.mark.parametrize("weight", [0.2, 1.0])
def test_the_weight_of_the_root_is_recovered(weight):
    found = fitted(rooted(np.random.default_rng(11), 1500, weight))[1]
    assert found[1] == pytest.approx(weight, rel=0.15)
    assert (found[0], found[2]) == pytest.approx((USUAL[0], USUAL[2])), "no pattern told anything about these bands"


def test_phases_and_bending_that_evidence_holds_against_a_set_too_little():
    rng = np.random.default_rng(12)
    cases = []
    for _ in range(4000):
        n, bending = rng.integers(1, 5, 2), rng.uniform(0.0, 30.0, 2)
        misfit = float(rng.choice([0.6 * USUAL_MISFIT, 3.0 * USUAL_MISFIT]))
        by_phase = 0.8 + 0.6 * np.log(misfit / USUAL_MISFIT)
        by_bending = 0.9 - 0.5 * np.log(misfit / USUAL_MISFIT)
        logit = -by_phase * (n[0] - n[1]) - by_bending * (np.sqrt(bending[0]) - np.sqrt(bending[1]))
        first = bool(rng.random() < sigmoid(logit))
        cases.append(case(0.0, first, n_phases=n, bending=bending, misfit=misfit))
    assert fitted(cases)[1][-4:] == pytest.approx((0.8, 0.6, 0.9, -0.5), rel=0.25)


@pytest.mark.parametrize("worse", [1.0, 3.0])
def test_evidence_counts_otherwise_where_the_model_fits_badly(worse):
    # chi squared that is smaller than one divides nothing
    logits = np.random.default_rng(14).normal(0.0, 2.0, 1500)
    misfit, weight = USUAL_MISFIT * worse, 0.5 - 0.1 * np.log(worse)
    behind = np.sign(logits) * (logits / weight) ** 2 * max(1.0, misfit)
    rng = np.random.default_rng(15)
    cases = [case(far, bool(rng.random() < sigmoid(z)), misfit=misfit) for far, z in zip(behind, logits, strict=True)]
    found = fitted(cases)[1]
    assert found[1] + found[3] * np.log(worse) == pytest.approx(weight, rel=0.15)


def test_evidence_is_never_turned_round_by_a_few_that_fit_badly():
    rng = np.random.default_rng(16)
    many = rooted(rng, 600, 0.6, misfit=USUAL_MISFIT)
    odd = [replace(one, truth=~one.truth) for one in rooted(rng, 40, 0.6, misfit=2.0)]
    found = plain(set_weights=fitted([*many, *odd])[1])
    for misfit in MISFITS:
        assert found.set_probabilities(sets([0.0, -9.0]), MIDDLES[1], misfit)[1] < 0.45


def test_cases_count_as_much_as_they_are_important():
    rng = np.random.default_rng(13)
    some, others = rooted(rng, 400, 0.3), rooted(rng, 400, 1.0)
    alike, apart = (fitted([*some, *(replace(one, importance=by) for one in others)])[1][1] for by in (1.0, 30.0))
    assert alike < apart
    assert apart == pytest.approx(fitted(others)[1][1], rel=0.1)


def test_calibrated_probabilities_are_met_as_often_as_they_say():
    cases = rooted(np.random.default_rng(6), 1000, 0.5)
    found = plain(set_weights=fitted(cases)[1])
    said = np.array([phase_probabilities(one, found)[0] for one in cases])
    held = np.array([one.truth[0] for one in cases])
    for low, high in ((0.1, 0.4), (0.4, 0.6), (0.6, 0.9)):
        some = (said > low) & (said < high)
        assert held[some].mean() == pytest.approx(said[some].mean(), abs=0.12)


def test_phases_of_several_sets_add_up():
    one = Case(
        sets=sets([0.0, 0.0, -1e5], n_phases=[1, 1, 1]),
        members=np.array([[True, True, False], [True, False, False], [False, False, True]]),
        truth=np.array([True, False, False]),
        signal_to_noise=50.0,
        misfit=1.0,
        has_unknown=False,
    )
    assert phase_probabilities(one, plain()) == pytest.approx([1.0, 0.5, 0.0])


def test_a_set_s_features_are_those_of_its_band():
    two = sets([10.0, 1.0], n_phases=[3, 1], bending=[16.0, 0.0])
    for band, middle in enumerate(MIDDLES):
        features = set_features(two, middle, USUAL_MISFIT)
        assert features.shape == (2, N_WEIGHTS)
        expected = np.zeros((2, N_WEIGHTS))
        expected[1, band] = -3.0
        expected[:, -4:] = [[-3.0, 0.0, -4.0, 0.0], [-1.0, 0.0, 0.0, 0.0]]
        np.testing.assert_allclose(features, expected)
    assert set_features(two, MIDDLES[0], 9.0)[1, 0] == pytest.approx(-1.0), "misfit is taken off before"
    assert set_features(two, MIDDLES[0], np.e * USUAL_MISFIT)[:, -3] == pytest.approx([-3.0, -1.0])
    assert np.isfinite(set_features(two, MIDDLES[0], 0.0)).all(), "nothing was measured"


def test_more_phases_and_more_bending_are_less_probable_at_equal_evidence():
    chance = plain().set_probabilities(sets([5.0, 5.0, 5.0], [1, 2, 1], [0.0, 0.0, 30.0]), 50.0, 1.0)
    assert chance.sum() == pytest.approx(1.0)
    assert chance[0] > chance[1] and chance[0] > chance[2]


def test_the_temperature_follows_the_band_and_grows_with_misfit():
    for middle, temperature in zip(MIDDLES, (2.0, 4.0, 8.0), strict=True):
        assert plain().temperature(middle, 0.5) == temperature
        assert plain().temperature(middle, 3.0) == pytest.approx(3.0 * temperature)
    assert plain().temperature(0.0, 1.0) == 2.0 and plain().temperature(1e9, 1.0) == 8.0


def test_of_one_set_a_missing_phase_s_probability_is_a_logistic_function():
    for left, p in ((0.5, 0.5), (1.0, sigmoid(1.0)), (1e9, 1.0), (-1e9, 0.0)):
        assert plain().unknown_probability(lone(left), 50.0, 1.0) == pytest.approx(p, abs=1e-12)


def test_a_set_that_bends_has_a_rival_in_one_that_leaves_peaks_to_a_missing_phase():
    """Two phases, the second bent far, against the first alone with free peaks in its place."""
    facts = {"n_phases": [2.0, 1.0], "bending": [100.0, 0.0], "left": [[0.0], [0.0]]}
    without = plain().unknown_probability(sets([0.0, -300.0], wild_gain=[0.0, 0.0], **facts), 50.0, 1.0)
    beside = plain().unknown_probability(sets([0.0, -300.0], wild_gain=[0.0, 290.0], **facts), 50.0, 1.0)
    assert without < 0.3 < 0.9 < beside


def test_what_free_peaks_add_counts_with_evidence_and_for_itself():
    two = sets([10.0, 1.0], n_phases=[3, 1], bending=[16.0, 0.0], wild_gain=[0.0, 18.0], left=[[7.0], [8.0]])
    features = missing_features(two, MIDDLES[0], 4.0)
    beside = sets([10.0, 19.0], n_phases=[3, 1], bending=[16.0, 0.0])
    np.testing.assert_allclose(features[:, :N_WEIGHTS], set_features(beside, MIDDLES[0], 4.0))
    np.testing.assert_allclose(features[:, N_WEIGHTS:], [[1.0, 7.0, 1.5], [1.0, 8.0, 1.5]])


def test_sets_of_which_nothing_is_known_are_refused():
    with pytest.raises(ValueError, match="at least one set"):
        plain().unknown_probability(sets([0.0]), 50.0, 1.0)


def missing(rng, n, facts):
    """Return cases of two sets whose first leaves a figure that tells with what odds a phase is missing."""
    found = []
    for _ in range(n):
        left = rng.normal(0.0, 2.0, 2)
        is_there = bool(rng.random() < sigmoid(-1.0 + 1.5 * left[0]))
        two = sets([0.0, -1e4], wild_gain=[0.0, 0.0], left=[[one, rng.normal()] for one in left])
        found.append(replace(case(0.0, True, has_unknown=is_there, **facts), sets=two))
    return found


def test_weights_of_what_is_left_are_recovered():
    complete, beside = fitted_missing(missing(np.random.default_rng(7), 800, {}), USUAL)
    assert len(complete) == N_WEIGHTS
    constant, first, second, rise = beside[N_WEIGHTS:]
    assert (constant, first, second) == pytest.approx((-1.0, 1.5, 0.0), abs=0.4)
    assert rise == pytest.approx(0.0, abs=1e-6), "free peaks never added to the best evidence"


def test_features_that_tell_all_do_not_run_away():
    x = np.linspace(-1.0, 1.0, 40)
    cases = [replace(case(0.0, True, has_unknown=one > 0), sets=lone(one)) for one in x]
    complete, beside = fitted_missing(cases, USUAL)
    found = replace(plain(), complete_weights=complete, missing_weights=beside)
    assert np.isfinite(beside).all() and found.unknown_probability(lone(1.0), MIDDLES[1], 1.0) > 0.95


def test_patterns_with_an_unknown_phase_tell_nothing_about_sets():
    rng = np.random.default_rng(8)
    known = rooted(rng, 200, 0.5)
    assert fitted(known + rooted(rng, 200, 5.0, has_unknown=True)) == fitted(known)


def test_the_shipped_calibration_fits_the_features():
    found = shipped()
    assert len(found.temperatures) == len(BANDS) + 1 and min(found.temperatures) >= 1.0
    assert len(found.set_weights) == N_WEIGHTS and np.isfinite(found.set_weights).all()
    for misfit, signal in product(MISFITS, MIDDLES):  # evidence and bending count everywhere, and the right way round
        for two in (sets([0.0, -9.0]), sets([0.0, 0.0], bending=[0.0, 9.0]), sets([0.0, 0.0], n_phases=[1, 2])):
            assert found.set_probabilities(two, signal, misfit)[1] < 0.45
    assert len(found.complete_weights) == N_WEIGHTS and np.isfinite(found.complete_weights).all()
    assert len(found.missing_weights) == N_WEIGHTS + len(FEATURES) + 2 and np.isfinite(found.missing_weights).all()
    nothing = sets([0.0], wild_gain=[0.0], left=[[0.0] * len(FEATURES)])
    assert found is shipped() and 0.0 <= found.unknown_probability(nothing, MIDDLES[1], USUAL_MISFIT) < 0.5
    assert found.made_by["command"].startswith("python benchmarks/") and calibration.shipped().made_by["n_patterns"] > 0
