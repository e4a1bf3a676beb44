"""The report's arithmetic on made-up runs whose answers can be told by hand."""

import math

import numpy as np
import pytest
from planner_plot import draw
from planner_references import Reference
from planner_report import Findings, best_overall, page, row
from planner_statistics import Comparison, experiments, reached, regrets
from planner_store import Run

from planner.comparison import geometric_mean, quartiles

REFERENCE = Reference(optimum=1.0, at={"x": 0.0}, top=2.0, fails=0.0, noise_sd=0.1, half="tune", revision=1)


def a_run(true, observed=None, **changes):
    told = {"planner": "p", "version": "1", "problem": "q", "revision": 1, "seed": 0, "n_initial": 2}
    n_asked = len(true) - 2
    told |= {"observed": observed or true, "true": true, "points": [[0.0]] * n_asked, "cpu_s": [0.5] * n_asked}
    return Run(**{**told, **changes})


def test_regret_is_that_of_the_point_that_looked_best():
    run = a_run([5.0, 4.0, None, 1.5, 3.0], [5.1, 4.2, None, 4.9, 2.0])
    assert regrets(run, 1.0, 7).tolist() == [4.0, 3.0, 3.0, 3.0, 2.0, 2.0, 2.0]


def test_regret_is_infinite_before_anything_was_measured():
    assert regrets(a_run([None, None, 3.0]), 1.0, 3).tolist() == [math.inf, math.inf, 2.0]


@pytest.mark.parametrize(
    ("true", "budget", "first", "counted"),
    [([3.0, 1.9, 1.0], 60, 2, 2), ([3.0, 2.0, None], 60, None, 60), ([3.0, 3.0, 1.0], 2, None, 2)],
    ids=["reached", "never", "after the budget"],
)
def test_experiments_are_counted_from_one_by_the_true_value(true, budget, first, counted):
    assert reached(a_run(true), 2.0, budget) == first
    assert experiments(a_run(true), 2.0, budget) == counted


def test_quartiles_take_infinite_values():
    assert quartiles([1, 2, 3, 4, 5]) == (3, 2, 4)
    assert quartiles([1, 2, 3, math.inf, math.inf]) == (3, 2, math.inf)
    assert quartiles([math.inf] * 3) == (math.inf,) * 3
    assert geometric_mean([1, 4]) == pytest.approx(2)


COUNTS = {
    "one": {"ours": {0: 10, 1: 10, 2: 10}, "fast": {0: 20, 1: 20, 2: 20}, "slow": {0: 40, 1: 40, 2: 40}},
    "two": {"ours": {0: 10, 1: 20, 2: 30}, "fast": {0: 30, 1: 60, 2: 60}, "slow": {0: 10, 1: 20, 2: 30}},
}


def test_the_best_peer_is_chosen_on_each_problem_or_once_for_all():
    whole = Comparison(counts=COUNTS)
    assert whole.ratio("one", "fast") == 2
    assert whole.ratio("two", "fast") == 3
    assert whole.best_of_each(["one", "two"]).value == pytest.approx(math.sqrt(2 * 1))
    assert whole.peer_overall(["one", "two"], "slow").value == pytest.approx(math.sqrt(4 * 1))
    assert whole.peer_overall(["one", "two"], "fast").value == pytest.approx(math.sqrt(2 * 3))
    assert best_overall(whole).startswith("slow, 2.00 [2.00, 2.00]")


def test_the_bootstrap_draws_seeds_of_all_planners_together():
    paired = {"two": {"ours": {i: 10 * i + 10 for i in range(9)}, "peer": {i: 20 * i + 20 for i in range(9)}}}
    found = Comparison(counts=paired).peer_overall(["two"], "peer")
    assert (found.value, found.low, found.high) == (2, 2, 2)
    unlike = {"two": {"ours": dict.fromkeys(range(9), 10), "peer": {i: 10 * i + 10 for i in range(9)}}}
    spread = Comparison(counts=unlike).peer_overall(["two"], "peer")
    assert spread.value == pytest.approx(5)
    assert spread.low < 4 < 6 < spread.high


def test_a_peer_with_fewer_seeds_is_compared_on_those_it_has():
    counts = {"one": {"ours": {0: 10, 1: 50}, "peer": {0: 20}}}
    assert Comparison(counts=counts).ratio("one", "peer") == 2
    assert Comparison(counts=counts).ratio("one", "peer", [1, 1]) is None


def findings(**planners):
    return Findings(runs={"q": planners}, references={"q": REFERENCE}, halves={"q": "tune"}, budget=6)


def test_a_row_says_what_happened():
    runs = [
        a_run([5.0, 4.0, None, 1.5, 3.0, 1.2], duplicates=1),
        a_run([5.0, 4.0, None], seed=1, violations=2, stopped="time"),
    ]
    cells = row("p", runs, REFERENCE, 6)
    assert cells[:2] == ["p 1", "2"]
    assert cells[5:10] == ["5 [4.5, 5.5]", "1 of 2", "1", "0.5", "2"]
    assert cells[10:] == ["0.5", "seed 1 at 3: time"]


def test_a_planner_that_cannot_is_shown_and_never_arrives():
    cannot = a_run([5.0, 4.0], planner="bofire", stopped="unsupported: no mixtures")
    found = findings(ours=[a_run([5.0, 4.0, 1.5])], bofire=[cannot])
    assert found.counts()["q"] == {"ours": {0: 3}, "bofire": {0: 6}}
    text = "\n".join(page(found))
    assert "| bofire | - |" in text
    assert "unsupported: no mixtures" in text
    assert "best peer bofire, ratio 2.00" in text


def test_a_variant_is_its_original_where_nothing_fails():
    found = findings(ours=[a_run([5.0, 4.0, 1.5])], ax=[a_run([5.0, 1.0], planner="ax")])
    assert found.counts()["q"]["ax_abandon"] == {0: 2}
    assert "baybe_impute" not in found.counts()["q"]


def test_the_plot_has_a_panel_for_each_problem_and_a_line_for_each_planner():
    runs = {name: {"ours": [a_run([5.0, 4.0, 1.5])], "random": [a_run([5.0, 4.0, 3.0])]} for name in "abcd"}
    figure = draw(runs, dict.fromkeys("abcd", 1.0), 3)
    shown = [panel for panel in figure.axes if panel.lines]
    assert [len(panel.lines) for panel in shown] == [2] * 4
    assert np.allclose(shown[0].lines[0].get_ydata(), [4.0, 3.0, 0.5])
