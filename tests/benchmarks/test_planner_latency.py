"""The clockwork of `planner_latency.py`; figures are measured by hand."""

import sys
from pathlib import Path

import pytest
from planner_latency import Timed, _cell, cycles, table
from planner_problems import HARTMANN6, TERNARY
from planner_runs import Environments

PYTHON = Path(sys.executable)


@pytest.mark.parametrize("problem", [HARTMANN6, TERNARY], ids=lambda problem: problem.name)
def test_cycles_after_the_first_are_timed(problem):
    found = cycles("ours", PYTHON, problem, 12, 4, 2)
    assert (len(found.cpu_s), found.stopped) == (2, "")
    assert all(one > 0.0 for one in found.cpu_s)


def test_a_peer_without_an_environment_is_left_out(monkeypatch):
    monkeypatch.setattr("planner_latency.PROBLEMS", (TERNARY,))
    monkeypatch.setattr("planner_latency.SETTINGS", ((12, 1),))
    head, _, row = table(Environments(None), ["ours", "random", "ax"], 1)
    assert "ax" not in head
    assert row.startswith("| ternary | 12 | 1 | ")
    assert row.count(" x ") == 1, "random is held against ours"


def test_a_planner_that_was_stopped_says_so():
    ours = Timed(planner="ours", cpu_s=[0.01, 0.03, 0.02])
    assert _cell(Timed(planner="ax", cpu_s=[0.2], stopped="time"), ours) == "0.200 [0.200, 0.200], 10 x (time)"
    assert _cell(Timed(planner="ax", cpu_s=[], stopped="unsupported: mixtures"), ours) == "unsupported: mixtures"
    assert _cell(ours, ours) == "0.020 [0.010, 0.030]"
