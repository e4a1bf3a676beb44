from collections.abc import Mapping

import numpy as np
import pytest

from planner import BadOption, Continuous, Fidelity, Objective, Observation, Planner, SearchSpace, Value
from planner.doubts import DoubtingModel, believed, fit_doubting
from planner.models import fit_target, target_data

SPACE = SearchSpace([Continuous("x", 0.0, 2.0), Continuous("z", 0.0, 1.0)])
WRONG = 7


def truth(point: Mapping[str, Value]) -> float:
    return float(np.sin(2 * float(point["x"])) + 0.3 * float(point["z"]))


def results(n: int = 20, wrong: float | None = None) -> list[Observation]:
    points = SPACE.sobol(n)
    values = [truth(p) for p in points]
    if wrong is not None:
        values[WRONG] = wrong
    return [Observation(parameters=p, values={"y": v}) for p, v in zip(points, values, strict=True)]


def planner(observations: list[Observation], policy: str = "auto", **options: object) -> Planner:
    found = Planner(SPACE, [Objective("y", "maximize")], policy=policy, options=options)
    found.tell(observations)
    return found


def test_a_model_is_what_it_would_be_had_nobody_told_the_wrong_result() -> None:
    data = target_data(SPACE, results(wrong=30.0), "y")
    model, without = fit_doubting(data, "y"), fit_target(data.without(np.array([WRONG])), "y")
    assert isinstance(model, DoubtingModel)
    (doubt,) = model.doubts
    assert (doubt.place, doubt.value) == (WRONG, 30.0)
    assert abs(doubt.mean) < 1.5 and 0 < doubt.sd < 1.0
    assert model.gp.evidence == without.gp.evidence
    assert believed(model, data).tolist() == [i for i in range(20) if i != WRONG]


def test_where_all_can_be_nothing_changes() -> None:
    told, codes = results(), SPACE.encode(SPACE.sobol(50))
    data = target_data(SPACE, told, "y")
    model, plain = fit_doubting(data, "y"), fit_target(data, "y")
    assert not isinstance(model, DoubtingModel)
    assert np.array_equal(model.predict(codes), plain.predict(codes))
    robust, usual = planner(told, robust=True), planner(told)
    assert [one.parameters for one in robust.ask(2)] == [one.parameters for one in usual.ask(2)]
    assert "doubted" not in robust.diagnostics()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("wrong", [1e3, 1e12, 9.9e37, 1e160, 1e279])
def test_errors_of_any_size_are_found(wrong: float) -> None:
    told = results()
    for place, value in ((WRONG, wrong), (13, -0.7 * wrong)):
        told[place] = Observation(parameters=told[place].parameters, values={"y": value})
    model = fit_doubting(target_data(SPACE, told, "y"), "y")
    assert isinstance(model, DoubtingModel) and [one.place for one in model.doubts] == [WRONG, 13]


@pytest.mark.parametrize("input_sd", [0.0, 0.002])
def test_what_is_told_to_be_rough_may_be_far_off(input_sd: float) -> None:
    space = SearchSpace([Continuous("x", 0.0, 1.0, input_sd=input_sd)])
    sharp = [Observation(parameters={"x": x}, values={"y": float(np.sin(6 * x))}, noise={"y": 0.02})
             for x in np.linspace(0.0, 1.0, 20).tolist()]  # fmt: skip
    rough, wrong = (Observation(parameters={"x": 0.33}, values={"y": -2.0}, noise={"y": sd}) for sd in (3.0, 0.02))
    assert not isinstance(fit_doubting(target_data(space, [*sharp, rough], "y"), "y"), DoubtingModel)
    model = fit_doubting(target_data(space, [*sharp, wrong], "y"), "y")
    assert isinstance(model, DoubtingModel) and [one.place for one in model.doubts] == [20]


@pytest.mark.parametrize("policy", ["logei", "auto"])
def test_people_are_told_what_is_not_believed_and_it_is_not_the_best(policy: str) -> None:
    robust, usual = (planner(results(wrong=30.0), policy, robust=on) for on in (True, False))
    wrong, best = usual.best(), robust.best()
    assert wrong is not None and wrong.values["y"] == 30.0 and not usual.doubted()
    assert best is not None and best.values["y"] < 1.4
    (proposal,) = robust.ask(1)
    assert proposal.reason.endswith("; 1 result is not believed and left out")
    (doubt,) = robust.diagnostics()["doubted"]
    assert (doubt["observation"], doubt["target"], doubt["value"]) == (WRONG, "y", 30.0)
    at = results()[WRONG].parameters
    sentence = f"y 30 at x {at['x']:.4g}, z {at['z']:.4g} is not believed: {doubt['mean']:.4g} +- "
    assert sentence in str(robust.explain(proposal))


def test_a_result_is_believed_again_once_others_bear_it_out() -> None:
    told = results(wrong=4.0)
    robust = planner(told, robust=True)
    assert [one.number for one in robust.doubted()] == [WRONG]
    at = told[WRONG].parameters
    for dx, dz in [(0.1, 0.0), (-0.1, 0.0), (0.0, 0.1), (0.0, -0.1)]:
        near = {"x": float(at["x"]) + dx, "z": float(at["z"]) + dz}
        robust.tell([Observation(parameters=near, values={"y": 3.0 + dx + dz})])
    assert robust.doubted() == ()


def test_failures_keep_the_numbers_of_results_right() -> None:
    told = results(wrong=30.0)
    told.insert(2, Observation(parameters={"x": 1.0, "z": 0.5}, failure="no film"))
    assert [one.number for one in planner(told, robust=True).doubted()] == [WRONG + 1]


def test_sources_are_weighed_without_what_is_not_believed() -> None:
    points = SPACE.sobol(40)
    source = {"name": "may", "points": points, "values": [truth(p) for p in points]}
    codes = [{"x": 1.1, "z": 0.2}]
    means = {}
    for wrong in (None, 30.0):
        for on in (True, False):
            found = planner(results(wrong=wrong), "transfer", robust=on, sources=[source])
            means[wrong, on] = float(found.predict(codes)["y"].mean[0])
    assert means[None, True] == means[None, False]
    assert abs(means[30.0, True] - truth(codes[0])) < 0.05 < abs(means[30.0, False] - truth(codes[0]))


def test_what_does_not_look_for_wrong_results_says_so() -> None:
    with pytest.raises(BadOption, match="option 'robust' of policy 'logei' must be one of False, True"):
        Planner(SPACE, [Objective("y", "maximize")], policy="logei", options={"robust": "yes"})
    levels = SearchSpace([Continuous("x", 0.0, 2.0), Fidelity("how", {"fast": 0.1, "full": 1.0})])
    with pytest.raises(BadOption, match="no option 'robust'"):
        Planner(levels, [Objective("y", "maximize")], options={"robust": True})
