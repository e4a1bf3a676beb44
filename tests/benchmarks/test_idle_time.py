import json
from dataclasses import replace

import idle_time
import pytest
from idle_lab import POLICIES

COSTS = {name: idle_time.assumed_costs(trace) for name, trace in idle_time.TRACES.items()}
SHORT = replace(idle_time.TRACES["a"], runs=60)


def lives(trace, policies=POLICIES, seed=0):
    return {policy: idle_time.virtual(trace, policy, seed, COSTS[trace.name]) for policy in policies}


@pytest.mark.parametrize("name", ["a", "b"])
def test_deadlines_keep_the_instruments_busy(name):
    trace = idle_time.TRACES[name]
    found = lives(trace)
    rows = [idle_time.row_of(trace, policy, 0, life, COSTS[name]) for policy, life in found.items()]
    assert idle_time.missed(rows) == []
    assert found["block"].efficiency < 0.95 and found["block"].metrics.hidden < 0.05
    assert found["edf"].metrics.mean_staleness < found["async"].metrics.mean_staleness + 1e-9
    assert all(life.efficiency <= 1.0 for life in found.values())
    assert "| edf+spec |" in idle_time.table(rows) and json.dumps(rows)


def test_speculation_makes_plans_fresher():
    found = lives(SHORT, ("edf", "edf+spec"))
    assert found["edf+spec"].metrics.mean_staleness < 0.3 * found["edf"].metrics.mean_staleness


def test_equal_seeds_give_equal_lives_and_others_do_not():
    first, again, other = lives(SHORT, ("edf",)), lives(SHORT, ("edf",)), lives(SHORT, ("edf",), seed=1)
    assert first == again != other


def test_what_misses_a_target_is_named():
    row = {"trace": "a", "policy": "edf", "idle": 0.02, "hidden": 0.9, "efficiency": 0.99}
    assert [one.split()[2] for one in idle_time.missed([row])] == ["idle", "hidden"]


def test_a_short_soak_is_lived_again_in_virtual_time(tmp_path, monkeypatch):
    monkeypatch.setattr(idle_time, "RESULTS", tmp_path)
    monkeypatch.setattr(idle_time, "SOAKS", idle_time.SOAKS[-1:])
    (row,) = idle_time.soak(0.01)
    assert row["policy"] == "edf" and row["virtual_s"] > 0
    assert abs(row["off"]) < 0.5  # three runs, on a machine that tests share
    assert row["ended"]["done"] >= 3 and set(row["failures"]) <= {"timeout"}  # of plans that the ladder stopped
    assert (tmp_path / "soak_costs.json").exists()
