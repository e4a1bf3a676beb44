import numpy as np
import pytest
from capitalist import Capitalist
from mobile_chemist import TARGET, alarms, batches_to, campaign, quartiles, robot_space
from perovskite import PLANNERS, earlier
from perovskite import campaign as films

from planner import Observation


def test_the_capitalist_keeps_to_the_vial_and_never_repeats() -> None:
    space = robot_space()
    capitalist, rng, seen = Capitalist(space, TARGET, 0), np.random.default_rng(0), set()
    for _ in range(3):
        points = capitalist.ask(4)
        assert not any(space.violations(point) for point in points)
        seen.update(space.keys(space.rows(points)))
        told = [Observation(parameters=point, values={TARGET: float(rng.random())}) for point in points]
        capitalist.tell([*told, Observation(parameters=points[0], failure="cap leak")])
    assert len(seen) == 12
    assert not space.violations(capitalist.believed())


def test_the_capitalist_climbs_where_it_believes() -> None:
    space = robot_space()
    capitalist = Capitalist(space, TARGET, 1)
    found = []
    for _ in range(5):
        points = capitalist.ask(10)
        capitalist.tell([Observation(parameters=one, values={TARGET: float(one["cysteine"])}) for one in points])
        found.append(np.mean([float(one["cysteine"]) for one in points]))
    assert found[-1] > found[0] + 0.5


def test_a_campaign_counts_what_it_should() -> None:
    run = campaign("ours", 100, 2, decays=True)
    assert len(run["tried"]) == len(run["believed"]) == 2
    assert run["tried"] == sorted(run["tried"])
    assert 5 <= run["fades_at"] <= 10
    assert (run["violations"], run["duplicates"], run["alarm_at"]) == (0, 0, None)


def test_alarms_before_the_decay_are_false_ones() -> None:
    runs = [
        {"fades_at": 7, "alarm_at": 6, "factors": [1.0]},
        {"fades_at": 7, "alarm_at": 8, "factors": [0.85]},
        {"fades_at": 7, "alarm_at": None, "factors": [0.9]},
    ]
    said = alarms(runs)
    assert said.startswith("false alarms: 1 of 3 runs")
    assert "within 3 in 1 of 2" in said


def test_what_was_never_reached_is_infinite() -> None:
    assert batches_to([1.0, 5.0, 20.0], 10.0) == 3.0
    assert batches_to([1.0], 10.0) == np.inf
    assert quartiles([1.0, np.inf, 2.0]) == "2 [1, inf]"


@pytest.mark.parametrize("way", ["random", "Latin hypercube"])
def test_films_are_counted_by_round(way: str) -> None:
    run = films(way, 100, 2)
    assert len(run["truth"]) == len(run["failed"]) == 40
    assert 0.15 < np.mean(run["failed"]) < 0.6
    assert all(value == 0.0 for value, failed in zip(run["truth"], run["failed"], strict=True) if failed)
    assert (run["violations"], run["duplicates"]) == (0, 0)
    assert len(run["believed"]) == 2


def test_ours_is_told_of_the_earlier_process_of_the_same_seed() -> None:
    assert PLANNERS["ours"][1](3)["earlier"] == [earlier(3)]
    assert earlier(3)["points"] != earlier(4)["points"]
