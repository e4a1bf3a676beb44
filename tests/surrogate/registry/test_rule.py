import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from surrogate.registry.rule import COLD, GAIN, LOST, Scored, after, interval_of_sum, judged, standing
from surrogate.registry.scores import log_score, pit

N_CAMPAIGNS, N_RESULTS = 200, 40


def scored(differences, *, pits=None, is_replayed=False):
    """Return results by which a challenger is so many nats ahead of the cold model."""
    spread = np.linspace(0.05, 0.95, len(differences)) if pits is None else pits
    return [
        Scored(
            trial=number,
            target="y",
            scores={COLD: -1.0, "transfer": -1.0 + float(one)},
            pits={COLD: float(at), "transfer": float(at)},
            is_replayed=is_replayed,
        )
        for number, (one, at) in enumerate(zip(differences, spread, strict=True), start=1)
    ]


def foretold(rng, n, *, bias=0.0, sd=1.0):
    """Return results of a challenger with some bias and spread, where the truth is the cold model's standard normal."""
    found = []
    for number, value in enumerate(rng.standard_normal(n), start=1):
        told = {COLD: (0.0, 1.0), "transfer": (bias, sd)}
        found.append(
            Scored(
                trial=number,
                target="y",
                scores={name: log_score(*one, float(value)) for name, one in told.items()},
                pits={name: pit(*one, float(value)) for name, one in told.items()},
            )
        )
    return found


def test_a_challenger_that_is_ahead_in_all_takes_over_at_the_8th_result():
    found = standing(scored([0.3] * 8), COLD)
    assert found.champion == "transfer" and found.changes[0].after == 8
    assert "transfer is +2.4 nats from cold over 8 results" in found.changes[0].why
    assert standing(scored([0.3] * 7), COLD).champion == COLD


@pytest.mark.parametrize(
    ("results", "why"),
    [
        (scored([0.1] * 8), "more than 1 nat is needed"),
        (scored([-3.0, 4.0] * 4), "is not above 0"),
        (scored([0.3] * 8, pits=[0.001, 0.999, 0.002, 0.4, 0.5, 0.6, 0.45, 0.3]), "90 % intervals held 62%"),
        (scored([0.3] * 8, pits=[0.9] * 8), "unevenly"),
    ],
    ids=["gain", "interval", "coverage", "PIT"],
)
def test_each_condition_alone_keeps_a_challenger_back(results, why):
    verdict = judged(results, "transfer", COLD)
    assert verdict is not None and not verdict.is_promoted and why in verdict.reason
    assert standing(results, COLD).champion == COLD


def test_a_champion_gives_way_at_once_when_it_has_lost_4_nats():
    results = scored([-2.1, -2.0])
    found = standing(results, "transfer")
    assert found.champion == COLD and found.changes[0].after == 2 and "lost 4.1 nats" in found.changes[0].why
    assert standing(scored([-2.0, -2.0]), "transfer").champion == "transfer"


def test_what_was_won_before_does_not_pay_for_what_is_lost_now():
    found = standing(scored([5.0, 5.0, -2.5, -2.5]), "transfer")
    assert found.champion == COLD


def test_who_was_demoted_needs_8_new_results():
    pits = [0.5] * 11 + list(np.linspace(0.05, 0.95, 8))
    results = scored([1.0] * 10 + [-5.0] + [0.5] * 8, pits=pits)
    found = standing(results[:-1], "transfer")
    assert found.champion == COLD and len(found.changes) == 1
    assert standing(results, "transfer").champion == "transfer"


def test_replayed_results_stand_in_for_the_first_8_only_and_never_demote():
    replayed = scored([0.5] * 6, is_replayed=True)
    verdict = judged([*replayed, *scored([0.5] * 3)], "transfer", COLD)
    assert verdict is not None and verdict.is_replayed and verdict.is_promoted and "(replayed)" in verdict.reason
    verdict = judged([*replayed, *scored([0.0] * 8)], "transfer", COLD)
    assert verdict is not None and not verdict.is_replayed and verdict.gain == 0.0
    assert standing(scored([-9.0] * 5, is_replayed=True), "transfer").champion == "transfer"


def test_only_the_last_40_results_count():
    pits = [0.5] * 60 + list(np.linspace(0.05, 0.95, 40))
    verdict = judged(scored([9.0] * 60 + [0.1] * 40, pits=pits), "transfer", COLD)
    assert verdict is not None and verdict.n == 40 and verdict.gain == pytest.approx(4.0)


def test_results_that_one_of_them_did_not_foretell_count_for_nothing():
    alone = [Scored(trial=n, target="y", scores={"transfer": 9.0}, pits={"transfer": 0.5}) for n in range(20)]
    assert judged(alone, "transfer", COLD) is None
    assert standing(alone, "transfer").champion == "transfer"


@given(st.lists(st.floats(-6, 6), max_size=30), st.sampled_from([COLD, "transfer"]))
@settings(max_examples=60, deadline=None)
def test_folding_at_once_or_step_by_step_is_the_same_and_changes_are_what_they_say(differences, first):
    results = scored(differences) if differences else []
    whole = standing(results, first)
    stepwise = standing([], first)
    for one in results:
        stepwise = after(stepwise, one)
    assert stepwise == whole
    leads = first
    for change in whole.changes:
        assert change.before == leads and change.model != leads
        leads = change.model
    assert leads == whole.champion and whole.cusum <= LOST


@given(st.lists(st.floats(-3, 3), min_size=8, max_size=40))
@settings(max_examples=50, deadline=None)
def test_the_interval_of_a_sum_holds_it_and_grows_with_the_differences(differences):
    array = np.array(differences)
    low, high = interval_of_sum(array)
    assert low <= high
    doubled = interval_of_sum(2.0 * array)
    assert doubled == pytest.approx((2.0 * low, 2.0 * high), abs=1e-9)
    if np.ptp(array) == 0.0:
        assert low == pytest.approx(array.sum()) and high == pytest.approx(array.sum())


@pytest.mark.parametrize(
    ("model", "once", "ever"),
    [
        ({"bias": 0.3}, 0.12, 0.25),
        ({"bias": 0.5}, 0.1, 0.18),
        ({"bias": 1.0}, 0.03, 0.04),
        ({"sd": 1.5}, 0.05, 0.12),
        ({"sd": 0.6}, 0.06, 0.14),
    ],
    ids=["a little biased", "biased", "very biased", "too wide", "too narrow"],
)
def test_a_model_that_is_worse_in_expectation_is_rarely_promoted(model, once, ever):
    """One look is at most as often wrong as an 80 % interval on one side; 33 looks at growing results more often."""
    rng = np.random.default_rng(5)
    campaigns = [foretold(rng, N_RESULTS, **model) for _ in range(N_CAMPAIGNS)]
    for n in (8, 20, N_RESULTS):
        verdicts = [judged(results[:n], "transfer", COLD) for results in campaigns]
        assert np.mean([one is not None and one.is_promoted for one in verdicts]) <= once, n
    found = [standing(results, COLD) for results in campaigns]
    assert np.mean([bool(one.changes) for one in found]) <= ever
    assert np.mean([one.champion == "transfer" for one in found]) <= 0.6 * ever


def test_a_model_that_is_better_is_promoted():
    rng = np.random.default_rng(6)
    found = []
    for _ in range(50):
        values = 0.4 * rng.standard_normal(N_RESULTS)
        results = [
            Scored(
                trial=n,
                target="y",
                scores={COLD: log_score(0.0, 1.0, v), "transfer": log_score(0.0, 0.4, v)},
                pits={COLD: pit(0.0, 1.0, v), "transfer": pit(0.0, 0.4, v)},
            )
            for n, v in enumerate(map(float, values), start=1)
        ]
        found.append(standing(results, COLD).champion)
    assert found.count("transfer") >= 48


def test_the_gain_that_is_needed_is_more_than_one_nat():
    verdict = judged(scored([GAIN / 8.0] * 8), "transfer", COLD)
    assert verdict is not None and not verdict.is_promoted
