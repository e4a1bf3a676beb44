"""The problems against what is known about them, and against formulas written a second time."""

import numpy as np
import pytest
from planner_problems import ACKLEY5_MIXED, BRANIN, CLOSED_FORMS, HARTMANN6, HIDDEN_FAILURE, TERNARY
from planner_references import find, load
from planner_tables import ORDER, PHOTOCATALYSIS, TABLES

from simulators.materials.photocatalysis import INGREDIENTS

HALF = {"branin", "ternary", "hidden_failure", "crossed_barrel", "hplc"}
HARTMANN_BEST = (0.20169, 0.150011, 0.476874, 0.275332, 0.311652, 0.6573)
KNOWN = [
    (BRANIN, {"x": np.pi, "y": 2.275}, 0.397887),
    (BRANIN, {"x": -np.pi, "y": 12.275}, 0.397887),
    (HARTMANN6, dict(zip(HARTMANN6.space.names, HARTMANN_BEST, strict=True)), -3.32237),
    (ACKLEY5_MIXED, {"x1": 0.9, "x2": -1.3, "x3": 2.1, "k": 3, "c": "C"}, 0.0),
]


@pytest.mark.parametrize(("problem", "at", "least"), KNOWN, ids=[problem.name for problem, _, _ in KNOWN])
def test_least_values_are_those_of_the_literature(problem, at, least):
    assert problem.truth(at) == pytest.approx(least, abs=1e-5)
    others = problem.evaluate(problem.space.sample(2000, np.random.default_rng(1)))
    assert np.min(others) > least


@pytest.mark.parametrize(
    ("u", "fails"),
    [
        ((0.62, 0.55, 0.65, 0.35), False),
        ((0.7, 0.55, 0.65, 0.35), True),
        ((0.5, 0.5, 0.5, 0.7), False),
        ((0.5, 0.5, 0.5, 0.72), True),
        ((0.1, 0.2, 0.9, 0.0), True),
        ((0.1, 0.2, 0.59, 0.0), False),
        ((0.1, 0.51, 0.9, 0.0), False),
    ],
    ids=str,
)
def test_the_hidden_region_fails_and_nothing_else(u, fails):
    raw = np.array(u) * [600, 23.5, 1.5, 1] + [300, 0.5, 0.5, 0]
    point = dict(zip(("temperature", "time", "ratio", "flux"), raw, strict=True))
    value = HIDDEN_FAILURE.truth(point)
    assert (value is None) == fails
    if not fails:
        a, b, c, d = u
        high = np.exp(-(((a - 0.62) / 0.22) ** 2 + ((b - 0.55) / 0.3) ** 2 + ((c - 0.65) / 0.25) ** 2))
        high *= np.exp(-(((d - 0.35) / 0.35) ** 2))
        low = 0.5 * np.exp(-(((a - 0.2) / 0.25) ** 2 + ((b - 0.8) / 0.3) ** 2 + ((c - 0.2) / 0.3) ** 2))
        assert value == pytest.approx(-(high + low + 0.3 * a))


def test_the_ternary_has_its_constraints_and_two_peaks():
    assert TERNARY.truth({"a": 0.5, "b": 0.3, "c": 0.2}) == pytest.approx(-1.14, abs=1e-3)
    assert TERNARY.space.violations({"a": 0.5, "b": 0.3, "c": 0.2})  # 0.5 + 0.15 > 0.6
    assert TERNARY.space.violations({"a": 0.4, "b": 0.3, "c": 0.2})
    assert TERNARY.space.violations({"a": 0.4, "b": 0.3, "c": 0.3}) == []
    assert TERNARY.truth({"a": 0.12, "b": 0.7, "c": 0.18}) == pytest.approx(-0.66, abs=1e-3)


def test_a_vial_of_the_photocatalysis_holds_5_ml():
    recipe = dict.fromkeys(INGREDIENTS, 0.0) | {"p10": 5.0, "cysteine": 2.0, "naoh": 1.75, "silicate": 1.25}
    assert PHOTOCATALYSIS.truth(recipe) == pytest.approx(-21.3, abs=0.1)
    assert PHOTOCATALYSIS.space.violations(recipe) == []
    assert PHOTOCATALYSIS.space.violations({**recipe, "nacl": 0.01})


def test_half_of_the_problems_may_be_tuned_on():
    found = {problem.name: problem.half for problem in (*CLOSED_FORMS, PHOTOCATALYSIS, *TABLES)}
    assert {name for name, half in found.items() if half == "tune"} == HALF
    assert sorted(found) == sorted(ORDER)


@pytest.mark.parametrize("problem", CLOSED_FORMS, ids=lambda problem: problem.name)
def test_first_points_and_noise_are_alike_for_all_and_differ_by_seed(problem):
    first = problem.initial(3)
    assert first == problem.initial(3) != problem.initial(4)
    assert len(first) == problem.n_initial
    assert all(problem.space.violations(point) == [] for point in first)
    noise = [problem.observed(0.0, 3, i) for i in range(400)]
    assert noise == [problem.observed(0.0, 3, i) for i in range(400)]
    assert np.std(noise) == pytest.approx(problem.noise_sd(0.0), rel=0.1)
    assert len({problem.observed(0.0, seed, i) for seed in range(5) for i in range(5)}) == 25


def test_kept_references_are_what_a_search_finds():
    kept = load()
    assert list(kept) == list(ORDER)
    found = find(BRANIN)
    assert found.optimum == pytest.approx(0.397887, abs=1e-6)
    assert found.top == pytest.approx(kept["branin"].top)
    assert kept["branin"].optimum == pytest.approx(found.optimum, abs=1e-6)


@pytest.mark.parametrize("problem", [*CLOSED_FORMS, PHOTOCATALYSIS], ids=lambda problem: problem.name)
def test_kept_references_hold(problem):
    kept = load()[problem.name]
    assert problem.truth(kept.at) == pytest.approx(kept.optimum)
    assert problem.space.violations(kept.at) == []
    values = problem.evaluate(problem.space.sample(20_000, np.random.default_rng(5)))
    known = values[np.isfinite(values)]
    assert np.mean(known < kept.top) == pytest.approx(0.01, abs=0.0025)
    assert np.mean(~np.isfinite(values)) == pytest.approx(kept.fails, abs=0.015)
    assert np.min(known) >= kept.optimum
