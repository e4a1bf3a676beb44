from pathlib import Path

import numpy as np
import pytest

from orchestrator.check import check_campaign
from orchestrator.compile import Compiler
from orchestrator.foresight import HANDLING_S, TRIP_S
from orchestrator.hours.lengths import Lengths, Queue
from orchestrator.plan import Firing
from orchestrator.records import TrialRecord
from orchestrator.space import search_space

EXAMPLES = Path(__file__).parents[3] / "examples"


def lengths(example, *overrides):
    task = check_campaign(EXAMPLES / example / "campaign.yaml", None, list(overrides)).require()
    space = search_space(task.campaign)
    return Lengths(campaign=task.campaign, lab=task.lab, casting=task.casting, space=space)


def some(found, n=40):
    return found.space.sample(n, np.random.default_rng(3))


def test_a_trial_takes_what_the_nodes_of_its_plan_take():
    found = lengths("powder_lab")
    compiler = Compiler.of(found.campaign, found.casting)
    for point in some(found, 5):
        trial = TrialRecord(number=1, parameters=point, ask=0, is_control=False, proposal_id=None)
        nodes = compiler.plan(trial).nodes
        by_plan_s = sum(node.work_s + (HANDLING_S if isinstance(node, Firing) else TRIP_S) for node in nodes)
        assert found.of(point) == pytest.approx(by_plan_s)


def test_durations_that_are_a_weighted_sum_are_told_as_one():
    found = lengths("powder_lab")
    within = found.within(40_000.0, "said")
    assert within.points is None and set(within.words) == {"mixture"}
    part = found.space.within(within)
    inside = [found.of(point) for point in part.sample(60, np.random.default_rng(1))]
    assert max(inside) <= 40_000.0
    rows = found.space.sample_rows(200, np.random.default_rng(3))
    outside = found.space.points(rows[~part.region.feasible(rows)])
    assert outside and min(found.of(point) for point in outside) > 40_000.0 - 1.0


def test_the_range_is_reached():
    found = lengths("powder_lab")
    shortest = {"mixture": "stoichiometric", "temperature": 750.0, "hold": 4.0, "mixing": 2.0}
    longest = {"mixture": "calcium-doped", "temperature": 1150.0, "hold": 8.0, "mixing": 20.0}
    assert found.range_s == pytest.approx((found.of(shortest), found.of(longest)))


def test_where_durations_are_no_sum_points_are_told_that_fit_by_their_plans():
    ramp = "parameters.3={name: ramp, kind: continuous, unit: K/min, low: 2 K/min, high: 20 K/min}"
    mill = "recipe.2={mill: {station: mill, duration: 5 min, frequency: 8 Hz}}"
    found = lengths("powder_lab", ramp, mill, "recipe.3.fire.program.rate=$ramp")
    within = found.within(50_000.0, "said")
    assert within.points and all(found.of(point) <= 50_000.0 for point in within.points)
    assert found.range_s[0] < 50_000.0 < found.range_s[1]


def test_what_is_declared_comes_first():
    found = lengths("photocatalysis", "duration=2 h + 10 min * p10")
    point = some(found, 1)[0]
    assert found.of(point) == pytest.approx(7200.0 + 600.0 * point["p10"])
    assert found.range_s == pytest.approx((7800.0, 10_200.0))
    part = found.space.within(found.within(8_400.0, ""))
    assert max(one["p10"] for one in part.sample(50, np.random.default_rng(0))) <= 2.0 + 1e-9


def test_a_declared_formula_that_is_no_sum():
    found = lengths("photocatalysis", "duration=1 h * max(p10, 2)")
    assert found.range_s == pytest.approx((7200.0, 18_000.0), rel=0.02)
    assert max(found.of(point) for point in found.space.within(found.within(9_000.0, "")).sample(
        50, np.random.default_rng(0)
    )) <= 9_000.0 + 1e-3  # fmt: skip


def test_nobody_knows_how_long_a_robot_takes():
    found = lengths("photocatalysis")
    assert (found.of(some(found, 1)[0]), found.range_s) == (None, None)


def test_a_replayed_table_says_how_long():
    assert lengths("screening").range_s == (12 * 3600.0, 12 * 3600.0)


def test_what_samples_in_racks_may_wait_for():
    queues = lengths("powder_lab").queues()
    assert [queue.at_once for queue in queues] == [1, 1, 1, 4, 1, 1]
    assert queues[3].sharing_s == pytest.approx(0.25 * queues[3].longest_s)
    assert lengths("photocatalysis").queues() == []


def test_a_sample_waits_for_as_many_rounds_as_others_need():
    queue = Queue(longest_s=100.0, at_once=4, sharing_s=10.0)
    assert [queue.waits_s(others) for others in (0, 3, 4, 8)] == [0.0, 10.0, 120.0, 230.0]
