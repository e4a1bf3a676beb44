from pathlib import Path
from typing import Any

import numpy as np
import pytest

from planner import BadOption, Continuous, Objective, Observation, Planner, SearchSpace

CONTROL = {"x": 0.25, "z": 0.5}
MOST = Objective("y", "maximize")
MIXED = ["x + z <= 1.4"]


def space() -> SearchSpace:
    return SearchSpace([Continuous("x", 0.0, 1.0), Continuous("z", 0.0, 1.0)], MIXED)


def truth(point: Any) -> float:
    return float(5.0 * np.exp(-8.0 * (point["x"] - 0.7) ** 2 - 4.0 * (point["z"] - 0.3) ** 2) + 1.0)


def run(planner: Planner, state: list[float], *, adds: bool = False, seed: int = 7) -> None:
    """Run a batch of four and two controls for each state of a world that decays."""
    rng = np.random.default_rng(seed)
    for number, now in enumerate(state, 1):
        points = [(one.parameters, one.id) for one in planner.ask(4)] + [(CONTROL, None)] * 2
        told = [(point, truth(point) * (1.0 + 0.04 * rng.standard_normal()), name) for point, name in points]
        planner.tell(
            [
                Observation(
                    parameters=point,
                    values={"y": y + now if adds else y * now},
                    context={"batch": number},
                    proposal_id=name,
                )
                for point, y, name in told
            ]
        )


FADING = [1.0] * 4 + [0.65] * 3


@pytest.mark.parametrize(
    ("policy", "objective"),
    [("auto", MOST), ("logei", MOST), ("auto", Objective("y", "learn")), ("uncertainty", Objective("y", "learn"))],
    ids=["auto", "logei", "auto learns", "uncertainty"],
)
def test_a_world_that_decays_is_told_and_taken_out_of_what_is_learnt(policy: str, objective: Objective) -> None:
    planner = Planner(space(), [objective], seed=0, policy=policy, options={"drift": "factor"})
    run(planner, FADING)
    blind = Planner(space(), [objective], seed=0, policy=policy)
    blind.tell([Observation(parameters=one.parameters, values=one.values) for one in planner.observations])
    (alarm,) = planner.diagnostics()["alarms"]
    assert alarm.startswith("y is 0.") and "before ask 4" in alarm and alarm.endswith("look for the cause")
    assert all(alarm in one.reason for one in planner.ask(2))
    assert planner.predict([CONTROL])["y"].mean[0] == pytest.approx(truth(CONTROL), rel=0.1)
    assert blind.predict([CONTROL])["y"].mean[0] < 0.9 * truth(CONTROL)


def test_an_offset_is_taken_out_too_by_the_time_that_the_context_says() -> None:
    planner = Planner(space(), [MOST], seed=0, options={"drift": "offset", "time": "batch", "controls": [CONTROL]})
    run(planner, [0.0] * 4 + [-1.5] * 3, adds=True)
    assert "y is shifted by -1." in planner.ask(1)[0].reason
    assert planner.predict([CONTROL])["y"].mean[0] == pytest.approx(truth(CONTROL), abs=0.4)


def test_where_nothing_drifts_it_keeps_quiet_and_finds_the_optimum() -> None:
    planner = Planner(space(), [MOST], seed=1, options={"drift": "factor"})
    run(planner, [1.0] * 6)
    assert "alarms" not in planner.diagnostics()
    assert max(truth(one.parameters) for one in planner.observations) > 5.8


def test_what_is_still_to_be_had_is_judged_without_the_drift() -> None:
    planner = Planner(space(), [MOST], seed=0, options={"drift": "factor"})
    run(planner, FADING)
    blind = Planner(space(), [MOST], seed=0)
    blind.tell([Observation(parameters=one.parameters, values=one.values) for one in planner.observations])
    assert planner.prospect(by=0.5).probability < blind.prospect(by=0.5).probability


def test_limits_are_kept_by_what_they_were_before_the_drift() -> None:
    objectives = [MOST, Objective("w", "at_most", limit=0.5)]
    planner = Planner(space(), objectives, seed=0, options={"drift": "factor", "controls": [CONTROL]})
    rng = np.random.default_rng(0)
    for now in FADING:
        points = [(one.parameters, one.id) for one in planner.ask(4)] + [(CONTROL, None)] * 2
        planner.tell(
            [
                Observation(
                    parameters=point,
                    values={
                        "y": truth(point) * (1 + 0.03 * rng.standard_normal()),
                        "w": now * (0.2 + 0.5 * float(point["x"])) * (1 + 0.03 * rng.standard_normal()),
                    },
                    proposal_id=name,
                )
                for point, name in points
            ]
        )
    alarms = planner.diagnostics()["alarms"]
    assert len(alarms) == 1 and alarms[0].startswith("w is 0.")
    assert planner.predict([{"x": 0.9, "z": 0.5}])["w"].mean[0] > 0.55


def test_it_is_what_the_mobile_chemist_does() -> None:
    ours = Planner(space(), [MOST], seed=3, options={"drift": "factor"})
    theirs = Planner(space(), [MOST], seed=3, policy="mobile_chemist")
    run(ours, FADING[2:])
    run(theirs, FADING[2:])
    assert ours.ask(3) == theirs.ask(3)


def test_a_planner_that_was_loaded_goes_on_alike(tmp_path: Path) -> None:
    planner = Planner(space(), [MOST], seed=0, options={"drift": "factor", "controls": [CONTROL]})
    run(planner, FADING[1:5])
    planner.save(tmp_path / "planner.json")
    assert Planner.load(tmp_path / "planner.json").ask(3) == planner.ask(3)


@pytest.mark.parametrize(
    ("policy", "options", "message"),
    [
        ("auto", {"drift": "slope"}, "'drift' of policy 'logei' must be one of 'off', 'factor', 'offset'"),
        ("auto", {"controls": [CONTROL]}, "'controls' .* give option 'drift' besides"),
        ("logei", {"time": "batch"}, "'time' .* give option 'drift' besides"),
        ("logei", {"drift": "factor", "time": 3}, "'time' names an entry"),
        ("mobile_chemist", {"drift": "off", "false_alarms": 0.01}, "'false_alarms' .* give option 'drift' besides"),
        ("transfer", {"drift": "factor"}, "'transfer' has no option 'drift'"),
    ],
)
def test_bad_options_are_told(policy: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(BadOption, match=message):
        Planner(space(), [MOST], policy=policy, options=options)


def test_results_without_their_time_are_told_at_the_ask_and_end_no_diagnosis() -> None:
    planner = Planner(space(), [MOST], seed=0, options={"drift": "factor", "time": "batch"})
    points = np.random.default_rng(0).random((9, 2)) / 2
    planner.tell([Observation(parameters={"x": x, "z": z}, values={"y": x}) for x, z in points.tolist()])
    assert "alarms" not in planner.diagnostics()
    with pytest.raises(ValueError, match="has None for 'batch'"):
        planner.ask(1)
