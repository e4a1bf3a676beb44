import numpy as np
import pytest
import theory_to_robot
from theory_to_robot import ARMS, METALS, STEPS, World, grid, report, run


def test_the_grid_is_all_of_the_simplex(monkeypatch):
    monkeypatch.setattr(theory_to_robot, "STEPS", 4)
    grid.cache_clear()
    found = grid()
    grid.cache_clear()
    assert len(found) == len(np.unique(found, axis=0)) == 126  # 9 over 5
    np.testing.assert_allclose(found.sum(axis=1), 1.0)
    assert set(np.unique(found)) == {0.0, 0.25, 0.5, 0.75, 1.0}


@pytest.mark.parametrize("seed", range(3))
def test_theory_resembles_the_truth_and_is_off(seed):
    world, x = World.of(seed), theory_to_robot._simplex(np.random.default_rng(1), 4000)
    assert x.shape == (4000, len(METALS)) and np.allclose(x * STEPS, np.round(x * STEPS))
    theory, truth = world.theory_mv(x), world.true_mv(x)
    assert np.corrcoef(theory, truth)[0, 1] > 0.9
    assert 60.0 <= world.bias_mv <= 120.0
    assert np.ptp(theory) > 200.0 and np.ptp(truth) > 100.0


def test_theory_saves_experiments_also_upside_down(capsys):
    world = World.of(3)
    best = float(world.true_mv(theory_to_robot._simplex(np.random.default_rng(2), 100_000)).min())
    rows = [run((arm, 3, 25), best) for arm in ARMS]
    n = {row["arm"]: row["n"] for row in rows}
    assert n["theory"] < n["no theory"]
    assert n["theory upside down"] <= n["no theory"]
    report(rows)
    assert "| theory upside down |" in capsys.readouterr().out
