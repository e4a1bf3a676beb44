"""The benchmark of transfer in a short form, and its tasks."""

import numpy as np
import pytest
import transfer
from transfer import Job, _done
from transfer_cost import calls, seconds
from transfer_families import FAMILIES, tasks


def ratio(scenario, method="mixture"):
    """Return errors at 5, 10 and 20 values over the cold start's."""
    mine, cold = (_done(Job("regression", one, "flow", scenario, 3000)) for one in (method, "cold"))
    return np.divide(mine["rmse"], cold["rmse"])


def test_related_and_negated_sources_help_and_far_ones_do_little_harm():
    assert (ratio("related") < 0.8).all() and (ratio("negated") < 0.9).all()
    assert (ratio("far") < 1.3).all()


def test_regret_never_rises_and_begins_alike_for_all_methods():
    found = [
        _done(Job("optimisation", method, "annealing", "related", 3001))["regret"] for method in ("mixture", "rgpe")
    ]
    assert found[0][:2] == found[1][:2]
    assert all((np.diff(one) <= 0).all() and one[-1] >= 0 for one in found)


@pytest.mark.parametrize("family", FAMILIES, ids=[one.name for one in FAMILIES])
def test_scenarios_are_what_they_are_called(family):
    X = np.random.default_rng(0).random((400, family.d))
    (target, related), (same, negated), (_, far) = (tasks(family, one, 1) for one in ("related", "negated", "far"))
    assert (target(X) == same(X)).all() and np.isfinite(target(X)).all()
    for one, other, moved in zip(related, negated, far, strict=True):
        assert np.corrcoef(one(X), other(X))[0, 1] == pytest.approx(-1.0)
        assert np.corrcoef(one(X), target(X))[0, 1] > np.corrcoef(moved(X), target(X))[0, 1]


def test_what_an_update_costs_can_be_measured():
    found = {name: seconds(call, 1) for name, call in calls(0, 30).items()}
    assert set(found) == {"BoTorch, SingleTaskGP", "the planner's process", "mixture, four sources"}
    assert all(one > 0.0 for one in found.values())


def test_rows_of_other_benchmarks_beside_are_left_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(transfer, "RESULTS", tmp_path)
    (tmp_path / "tables.jsonl").write_text('{"target": "buchwald_a"}\n')
    (tmp_path / "regression.jsonl").write_text('{"kind": "regression", "seed": 3}\n')
    assert list(transfer._rows()) == [{"kind": "regression", "seed": 3}]
