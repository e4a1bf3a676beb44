from itertools import product
from typing import Any

import numpy as np
import pytest

from planner import BadObservation, BadOption, Continuous, Objective, Observation, Planner, SearchSpace

MAXIMIZE = [Objective("y", "maximize")]
RNG = np.random.default_rng(0)
PLACES = [dict(zip(("a", "b", "c"), row, strict=True)) for row in RNG.random((60, 3)).tolist()]


def box() -> SearchSpace:
    return SearchSpace([Continuous(name, 0.0, 1.0) for name in ("a", "b", "c")])


def bump(point: Any, centre: float = 0.7) -> float:
    return float(np.exp(-sum((point[name] - centre) ** 2 for name in ("a", "b", "c")) / 0.05))


EARLIER = {"points": PLACES, "values": [bump(point, 0.65) for point in PLACES], "threshold": 0.1}


def planner_of(seed: int = 0, **options: Any) -> Planner:
    return Planner(box(), MAXIMIZE, seed=seed, policy="soft_constraints", options=options)


def batch(planner: Planner, n: int = 8, **context: Any) -> list[Any]:
    points = [proposal.parameters for proposal in planner.ask(n)]
    planner.tell([Observation(parameters=point, values={"y": bump(point)}, context=context) for point in points])
    return points


def test_what_was_learnt_earlier_shows_in_the_first_batch() -> None:
    reached = {}
    for name, options in {"with": {"earlier": [EARLIER]}, "without": {}}.items():
        found = []
        for seed in range(32):
            found.append(max(bump(point) for point in batch(planner_of(seed, **options))))
        reached[name] = np.median(found)
    assert reached["with"] > reached["without"] + 0.1


def test_a_misleading_earlier_campaign_does_not_hide_the_optimum() -> None:
    wrong = {**EARLIER, "values": [bump(point, 0.2) for point in PLACES]}
    planner = planner_of(earlier=[wrong])
    best = max(bump(point) for _ in range(5) for point in batch(planner))
    assert best > 0.8


def test_forbidding_everything_still_proposes() -> None:
    planner = planner_of(earlier=[{**EARLIER, "threshold": 1e9, "lo": 0}])
    assert len(batch(planner)) == len(batch(planner)) == 8


def test_an_empty_list_is_no_constraint() -> None:
    assert [one.parameters for one in planner_of(earlier=[]).ask(3)] == [one.parameters for one in planner_of().ask(3)]


def test_people_who_do_not_like_a_sample_are_heard() -> None:
    """Samples beyond a = 0.5 look bad, whatever they measure."""
    shares: dict[str | None, list[bool]] = {None: [], "film": []}
    for inspection, seed in product(shares, range(4)):
        planner = planner_of(seed, **({} if inspection is None else {"inspection": inspection, "inspection_lo": 0.0}))
        for _ in range(3):
            told = [
                Observation(
                    parameters=one.parameters,
                    values={"y": bump(one.parameters, 0.5)},
                    context={"film": "pass" if float(one.parameters["a"]) < 0.5 else "fail"},
                )
                for one in planner.ask(8)
            ]
            planner.tell(told)
        shares[inspection] += [float(one.parameters["a"]) < 0.5 for one in planner.ask(8)]
    assert np.mean(shares["film"]) > np.mean(shares[None]) + 0.15


@pytest.mark.parametrize("judgement", [0.0, 1.0, 0.7, 1, "pass"], ids=str)
def test_judgements_that_are_all_alike_change_nothing(judgement: Any) -> None:
    judged, plain = planner_of(inspection="film"), planner_of()
    for planner in (judged, plain):
        batch(planner, 5, film=judgement)
        batch(planner, 5, film=judgement)
    assert judged.ask(2)[0].parameters == plain.ask(2)[0].parameters


def test_a_failure_that_nobody_judged_counts_as_bad() -> None:
    planner = planner_of(inspection="film")
    for proposal in planner.ask(10):
        failed = float(proposal.parameters["b"]) > 0.6
        planner.tell(
            [
                Observation(parameters=proposal.parameters, failure="no film")
                if failed
                else Observation(parameters=proposal.parameters, values={"y": 1.0}, context={"film": 1})
            ]
        )
    assert np.mean([float(one.parameters["b"]) > 0.6 for one in planner.ask(10)]) < 0.3


@pytest.mark.parametrize("judgement", ["good", 2.0, float("nan")], ids=str)
def test_what_is_no_judgement_is_refused(judgement: Any) -> None:
    planner = planner_of(inspection="film")
    batch(planner, 10, film=judgement)
    with pytest.raises(BadObservation, match="tell 'pass', 'fail', or a number from 0 to 1"):
        planner.ask(1)


def test_local_exploration_stays_about_the_best() -> None:
    near, far = planner_of(local_from=12, reach=0.05), planner_of()
    distances = {}
    for name, planner in {"near": near, "far": far}.items():
        batch(planner, 12)
        best = planner.best()
        assert best is not None
        points = planner.space.encode([one.parameters for one in planner.ask(8)])
        distances[name] = np.median(np.abs(points - planner.space.encode([best.parameters])))
    assert distances["near"] < 0.1 < distances["far"]


def test_where_no_improvement_could_be_seen_it_tries_what_may_be_the_best() -> None:
    planner, noise = planner_of(local_from=12), np.random.default_rng(0)
    for _ in range(4):
        told = [
            Observation(parameters=one.parameters, values={"y": bump(one.parameters) + 0.1 * noise.standard_normal()})
            for one in planner.ask(10)
        ]
        planner.tell(told)
    proposals = planner.ask(10)
    draws = [one for one in proposals if "the best by one draw" in one.reason]
    assert 1 <= len(draws) < 10
    assert not any("whole space" in one.reason for one in proposals)
    assert np.median([bump(one.parameters) for one in draws]) > 0.6


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"earlier": [{**EARLIER, "points": PLACES[:2]}]}, "2 points and 60 values"),
        ({"inspection": 1}, "'inspection' names an entry"),
        ({"inspection_lo": -1}, "'inspection_lo'"),
        ({"local_from": 0}, "'local_from'"),
        ({"controls": 3}, "'controls' takes a list"),
        ({"erlier": []}, "no option 'erlier'"),
    ],
)
def test_bad_options_are_told(options: dict[str, Any], message: str) -> None:
    with pytest.raises(BadOption, match=message):
        planner_of(**options)


def test_a_planner_that_was_saved_goes_on_alike(tmp_path: Any) -> None:
    planner = planner_of(earlier=[EARLIER], inspection="film")
    batch(planner, 10, film=1)
    planner.save(tmp_path / "planner.json")
    assert Planner.load(tmp_path / "planner.json").ask(3) == planner.ask(3)
