import numpy as np
import pytest
from hints import PROBLEMS, WIDTH, box, run
from level_set import PROBLEMS as LEVELS
from level_set import table


@pytest.mark.parametrize("name", PROBLEMS)
def test_the_optimum_is_one_and_right_hints_hold_it(name: str) -> None:
    problem = PROBLEMS[name]
    best = dict(zip(problem.space.names, problem.optimum, strict=True))
    assert problem.function.truth(best) == pytest.approx(problem.least, abs=1e-4)
    rows = problem.space.points(problem.space.sample_rows(5000, np.random.default_rng(0)))
    assert np.nanmin(problem.function.evaluate(rows)) >= problem.least - 1e-4
    for seed in range(5):
        right, wrong = (box(problem, seed, right=one)["box"] for one in (True, False))
        assert all(low <= best[axis] <= high for axis, (low, high) in right.items())
        assert not all(low <= best[axis] <= high for axis, (low, high) in wrong.items())
        spans = dict(zip(problem.space.names, problem.space.region.span, strict=True))
        assert all(high - low == pytest.approx(WIDTH * spans[axis]) for axis, (low, high) in wrong.items())


def test_runs_are_the_same_again() -> None:
    assert run("hidden_failure", "random", 3) == run("hidden_failure", "random", 3)


def test_levels_split_their_spaces_and_tables_show_medians() -> None:
    for problem in LEVELS.values():
        above = problem.truth(problem.space.sample_rows(4000, np.random.default_rng(0))) > problem.level
        assert 0.3 < above.mean() < 0.7
    text = table({"branin": {"random": [[0.1, 0.1, 0.1, 0.1], [0.2, 0.2, 0.2, 0.2], [0.3, 0.3, 0.3, 0.3]]}})
    assert "| random | 20.0 [15.0, 25.0] |" in text
