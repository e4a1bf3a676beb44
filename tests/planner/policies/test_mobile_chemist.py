from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from planner import BadObservation, BadOption, Continuous, Objective, Observation, Planner, Proposal, SearchSpace
from planner.controls import times_of, watch
from planner.policies.base import PlannerData
from planner.policies.mobile_chemist import MobileChemist

CONTROL = {"x": 0.25, "z": 0.5}
MAXIMIZE = [Objective("y", "maximize")]


def box() -> SearchSpace:
    return SearchSpace([Continuous("x", 0.0, 1.0), Continuous("z", 0.0, 1.0)])


def truth(point: Any) -> float:
    return float(5.0 * np.exp(-8.0 * (point["x"] - 0.7) ** 2 - 4.0 * (point["z"] - 0.3) ** 2) + 1.0)


def run(planner: Planner, factors: list[float], *, controls: int = 2, **told: Any) -> list[list[str]]:
    """Run one batch for each factor; return the reasons of its proposals."""
    rng, reasons = np.random.default_rng(7), []
    for number, factor in enumerate(factors, 1):
        proposals = planner.ask(5)
        reasons.append([proposal.reason for proposal in proposals])
        context = {"batch": number} if told.get("context") else {}
        points = [(proposal.parameters, proposal.id) for proposal in proposals] + [(CONTROL, None)] * controls
        planner.tell(
            [
                Observation(
                    parameters=point,
                    values={"y": factor * truth(point) * (1.0 + 0.05 * rng.standard_normal())},
                    context=context,
                    proposal_id=name,
                )
                for point, name in points
            ]
        )
    return reasons


@pytest.mark.parametrize(
    "options",
    [{}, {"controls": [CONTROL]}, {"controls": [CONTROL], "time": "batch"}],
    ids=["found by itself", "named", "named and dated"],
)
def test_a_lamp_that_fades_is_told_and_corrected(options: dict[str, Any]) -> None:
    planner = Planner(box(), MAXIMIZE, seed=0, policy="mobile_chemist", options=options)
    reasons = run(planner, [1.0] * 5 + [0.7] * 3, context="time" in options)
    assert not any("look for the cause" in reason for batch in reasons[:6] for reason in batch)
    last = planner.ask(1)[0].reason
    assert "y is 0." in last and "look for the cause" in last
    plain = Planner(box(), MAXIMIZE, seed=0, policy="logei")
    plain.tell([Observation(parameters=one.parameters, values=one.values) for one in planner.observations])
    at = [CONTROL]
    assert planner.predict(at)["y"].mean[0] == pytest.approx(truth(CONTROL), rel=0.08)
    assert plain.predict(at)["y"].mean[0] < planner.predict(at)["y"].mean[0]


def test_where_nothing_drifts_it_finds_the_optimum_and_keeps_quiet() -> None:
    planner = Planner(box(), MAXIMIZE, seed=1, policy="mobile_chemist", options={"controls": [CONTROL]})
    reasons = run(planner, [1.0] * 6)
    assert not any("look for the cause" in reason for batch in reasons for reason in batch)
    assert max(truth(one.parameters) for one in planner.observations) > 5.9


def data_of(observations: list[Observation]) -> PlannerData:
    return PlannerData(space=box(), objectives=tuple(MAXIMIZE), observations=tuple(observations))


def value(point: Any, y: float, **context: Any) -> Observation:
    return Observation(parameters=point, values={"y": y}, context=context)


@pytest.mark.parametrize(
    "observations",
    [
        [],
        [value(CONTROL, 1.0)],
        [Observation(parameters=CONTROL, failure="cap leak") for _ in range(12)],
        [value(CONTROL, 2.0) for _ in range(12)],
    ],
    ids=["nothing yet", "one control", "all controls failed", "one batch"],
)
def test_too_little_to_tell_is_no_drift(observations: list[Observation]) -> None:
    assert watch(data_of(observations), "y", controls=[CONTROL]) is None
    policy = MobileChemist(box(), MAXIMIZE, {"controls": [CONTROL]})
    assert policy.alarms(data_of(observations)) == []
    assert len(policy.propose(data_of(observations), 3, np.random.default_rng(0))) == 3


@pytest.mark.parametrize("y", [0.0, 3.0, -2.0, 1e12], ids=str)
def test_values_that_are_all_equal_do_not_drift(y: float) -> None:
    observations = [value({"x": 0.1 * k, "z": 0.5}, y, batch=batch) for batch in range(4) for k in range(3)]
    drift = watch(data_of(observations), "y", time="batch")
    assert drift is not None and drift.alarm is None
    assert np.allclose(drift.mean, 0.0, atol=1e-6)


def test_the_controls_of_some_batches_may_fail() -> None:
    rng, observations = np.random.default_rng(0), []
    for batch in range(6):
        light = 1.0 if batch < 4 else 0.6
        for _ in range(6):
            point = {"x": rng.random(), "z": rng.random()}
            observations.append(value(point, light * truth(point) * (1 + 0.03 * rng.standard_normal()), batch=batch))
        if batch % 2:
            observations.append(value(CONTROL, light * truth(CONTROL), batch=batch))
        else:
            observations.append(Observation(parameters=CONTROL, failure="cap leak", context={"batch": batch}))
    drift = watch(data_of(observations), "y", controls=[CONTROL], time="batch")
    assert drift is not None and drift.alarm is not None
    assert drift.alarm.since == 4.0


def test_a_batch_is_an_ask_and_controls_belong_to_the_newest() -> None:
    planner = Planner(box(), MAXIMIZE, seed=0, policy="mobile_chemist")
    run(planner, [1.0, 1.0, 1.0], controls=1)
    assert times_of(planner._data(), None).tolist() == [0.0] * 6 + [1.0] * 6 + [2.0] * 6


def test_a_result_that_is_late_belongs_to_its_own_batch() -> None:
    planner = Planner(box(), MAXIMIZE, seed=0, policy="mobile_chemist")
    first, second = planner.ask(1)[0], planner.ask(1)[0]
    planner.tell([Observation(parameters=second.parameters, values={"y": 1.0}, proposal_id=second.id)])
    planner.tell([Observation(parameters=first.parameters, values={"y": 1.0})])
    assert times_of(planner._data(), None).tolist() == [1.0, 0.0]


def test_repeats_belong_to_their_own_batches_whether_or_not_they_say_which() -> None:
    again = [Proposal(id=f"{ask}-0", parameters=CONTROL) for ask in (0, 2, 4)]
    told = [replace(value(CONTROL, 1.0), proposal_id=name) for name in ("0-0", None, "4-0", None)]
    data = replace(data_of(told), finished=tuple(again))
    assert times_of(data, None).tolist() == [0.0, 2.0, 4.0, 4.0]  # the last is a control after the newest batch


def test_a_result_without_its_time_is_refused_with_what_to_do() -> None:
    with pytest.raises(BadObservation, match=r"observation 1 has nan for 'batch' .* leave the option out"):
        times_of(data_of([value(CONTROL, 1.0, batch=1), value(CONTROL, 1.0, batch=float("nan"))]), "batch")
    with pytest.raises(BadObservation, match="has None for 'hour'"):
        times_of(data_of([value(CONTROL, 1.0, batch=1)]), "hour")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"controls": CONTROL}, "takes a list of points"),
        ({"controls": ["x"]}, "control 0 .* mapping"),
        ({"controls": [{"x": 0.5}]}, "'z' is missing"),
        ({"controls": [{**CONTROL, "w": 1.0}]}, "no parameter is called 'w'"),
        ({"controls": [{"x": float("nan"), "z": 0.5}]}, "control 0"),
        ({"time": 3}, "'time' names an entry"),
        ({"drift": "slope"}, "'drift' .* 'factor', 'offset'"),
        ({"false_alarms": 2}, "'false_alarms'"),
        ({"cautoin": 1}, "did you mean 'caution'"),
    ],
)
def test_bad_options_are_told(options: dict[str, Any], message: str) -> None:
    with pytest.raises(BadOption, match=message):
        Planner(box(), MAXIMIZE, policy="mobile_chemist", options=options)


def test_known_noise_grows_by_the_doubt_of_the_drift() -> None:
    planner = Planner(box(), MAXIMIZE, seed=0, policy="mobile_chemist", options={"controls": [CONTROL]})
    rng = np.random.default_rng(0)
    for factor in [1.0, 1.0, 1.0, 0.8]:
        proposals = planner.ask(4)
        told = [(one.parameters, one.id) for one in proposals] + [(CONTROL, None)] * 2
        planner.tell(
            [
                Observation(
                    parameters=point,
                    values={"y": factor * truth(point) + 0.1 * rng.standard_normal()},
                    noise={"y": 0.1},
                    proposal_id=name,
                )
                for point, name in told
            ]
        )
    policy = MobileChemist(planner.space, MAXIMIZE, {"controls": [CONTROL]})
    steadied = policy.steadied(planner._data()).observations
    assert steadied[0].noise["y"] == pytest.approx(0.1)
    assert steadied[-1].noise["y"] > 0.1
    assert steadied[-1].values["y"] > planner.observations[-1].values["y"]


def test_a_planner_that_was_rebuilt_goes_on_alike(tmp_path: Any) -> None:
    planner = Planner(box(), MAXIMIZE, seed=0, policy="mobile_chemist", options={"controls": [CONTROL]})
    run(planner, [1.0, 1.0, 0.8, 0.8])
    planner.save(tmp_path / "planner.json")
    assert Planner.load(tmp_path / "planner.json").ask(3) == planner.ask(3)
