from typing import Any

import numpy as np
import pytest

from planner import (
    BadOption,
    Categorical,
    Continuous,
    Objective,
    Observation,
    Planner,
    SearchSpace,
)

MAXIMIZE = [Objective("y", "maximize", unit="g")]
NAMES = ("a", "b")
PLACES = [dict(zip(NAMES, row, strict=True)) for row in np.random.default_rng(0).random((40, 2)).tolist()]


def bump(point: Any, centre: float = 0.7) -> float:
    return float(np.exp(-sum((point[name] - centre) ** 2 for name in NAMES) / 0.05))


def source(name: str = "May", centre: float = 0.66, sign: float = 1.0, **more: Any) -> dict[str, Any]:
    return {"name": name, "points": PLACES, "values": [5.0 + sign * bump(point, centre) for point in PLACES], **more}


def planner_of(*sources: dict[str, Any], seed: int = 0, objectives: Any = MAXIMIZE, **options: Any) -> Planner:
    space = SearchSpace([Continuous(name, 0.0, 1.0) for name in NAMES])
    return Planner(space, objectives, seed=seed, policy="transfer", options={"sources": list(sources), **options})


def told(planner: Planner, n: int, sign: float = 1.0) -> list[float]:
    """Return the true values of n trials, one after the other."""
    found = []
    for _ in range(n):
        proposal = planner.ask()[0]
        found.append(bump(proposal.parameters))
        planner.tell(
            [Observation(parameters=proposal.parameters, proposal_id=proposal.id, values={"y": sign * found[-1]})]
        )
    return found


def test_the_first_trial_is_where_the_source_was_best() -> None:
    planner = planner_of(source())
    proposal = planner.ask()[0]
    assert bump(proposal.parameters, 0.66) > 0.8
    assert "takes from 'May'" in proposal.reason
    assert proposal.predictions["y"].mean > 5.0


@pytest.mark.parametrize("sign", [1.0, -1.0], ids=["alike", "upside down"])
def test_a_source_saves_trials(sign: float) -> None:
    cold, warm = [], []
    for seed in range(3):
        warm.append(max(told(planner_of(source(sign=sign), seed=seed), 5)))
        space = SearchSpace([Continuous(name, 0.0, 1.0) for name in NAMES])
        cold.append(max(told(Planner(space, MAXIMIZE, seed=seed), 5)))
    assert np.median(warm) > 0.8
    assert np.median(warm) > np.median(cold) + 0.2


def test_less_is_better_where_that_is_asked_for() -> None:
    objectives = [Objective("y", "minimize", unit="g")]
    planner = planner_of(source(sign=-1.0), objectives=objectives)
    assert max(told(planner, 4, sign=-1.0)) > 0.8


def test_a_source_that_misleads_does_not_hide_the_optimum() -> None:
    planner = planner_of(source(centre=0.2))
    assert max(told(planner, 20)) > 0.9


def test_a_source_that_tells_nothing_is_left_alone() -> None:
    """What is measured hangs on b, what the source has on a; then the planner is as one without sources."""
    table = {"name": "May", "points": PLACES, "values": [np.sin(6.0 * point["a"]) for point in PLACES]}
    space = SearchSpace([Continuous(name, 0.0, 1.0) for name in NAMES])
    cold = Planner(space, MAXIMIZE, policy="logei")
    warm = planner_of(table)
    results = [Observation(parameters=point, values={"y": 3.0 * np.cos(7.0 * point["b"])}) for point in PLACES[:16]]
    for planner in (cold, warm):
        planner.tell(results)
    assert "none 9" in warm.ask()[0].reason or "none 100%" in warm.ask()[0].reason
    assert np.array_equal(warm.predict(PLACES[20:])["y"].mean, cold.predict(PLACES[20:])["y"].mean)


def test_where_a_source_is_doubted_early_the_space_is_filled() -> None:
    planner = planner_of({"name": "May", "points": PLACES, "values": [10.0 * point["a"] for point in PLACES]})
    reasons = []
    for _ in range(4):
        proposal = planner.ask()[0]
        reasons.append(proposal.reason)
        value = 10.0 * (float(proposal.parameters["a"]) - 0.5) ** 2 + 30.0 * float(proposal.parameters["b"])
        planner.tell([Observation(parameters=proposal.parameters, proposal_id=proposal.id, values={"y": value})])
    assert not reasons[0].startswith("fills the space")
    assert any(one.startswith("fills the space") for one in reasons[1:]), reasons


def test_several_at_once_are_different_and_know_of_each_other() -> None:
    planner = planner_of(source(), source("June", centre=0.72))
    points = [proposal.parameters for proposal in planner.ask(4)] + [one.parameters for one in planner.ask(2)]
    rows = np.array([[point[name] for name in NAMES] for point in points])
    apart = np.linalg.norm(rows[:, None] - rows[None], axis=2)[np.triu_indices(6, 1)]
    assert apart.min() > 0.01


def test_predictions_need_no_value_yet() -> None:
    found = planner_of(source()).predict([{"a": 0.66, "b": 0.66}, {"a": 0.0, "b": 0.0}])["y"]
    assert found.mean[0] > found.mean[1] and (found.sd > 0).all()


def test_a_proposal_is_explained_before_and_after_something_was_measured() -> None:
    planner = planner_of(source())
    first = planner.ask()[0]
    said = planner.explain(first)
    assert said.predictions["y"].mean > 5.0 and not said.gains
    assert "takes from 'May'" in str(said)
    planner.tell([Observation(parameters=first.parameters, proposal_id=first.id, values={"y": 1.0})])
    assert planner.explain(planner.ask()[0]).gains["y"] > 0.0


def test_a_planner_that_was_loaded_goes_on_alike(tmp_path) -> None:
    planner = planner_of(source(), source("June", centre=0.2))
    told(planner, 3)
    planner.save(tmp_path / "planner.json")
    again = Planner.load(tmp_path / "planner.json")
    assert [one.parameters for one in again.ask(2)] == [one.parameters for one in planner.ask(2)]


def test_a_source_in_other_units_is_not_used_and_the_reason_says_so() -> None:
    planner = planner_of(source(), source("in kg", unit="kg"))
    assert "source 'in kg' is not used: its values are in kg" in planner.ask()[0].reason


def test_without_a_source_that_can_be_used_it_is_as_without_any() -> None:
    lone = planner_of(source("flat") | {"values": [5.0] * len(PLACES)}, seed=3)
    space = SearchSpace([Continuous(name, 0.0, 1.0) for name in NAMES])
    cold = Planner(space, MAXIMIZE, seed=3, policy="logei")
    assert told(lone, 6) == told(cold, 6)
    assert "source 'flat' is not used: its values are constant" in lone.ask()[0].reason
    points = [{"a": 0.5, "b": 0.5}]
    assert lone.predict(points)["y"].mean == cold.predict(points)["y"].mean


def test_failures_and_replicates_are_learnt_from() -> None:
    planner = planner_of(source())
    point = planner.ask()[0]
    planner.tell([Observation(parameters=point.parameters, proposal_id=point.id, failure="cracked")])
    again = planner.ask()[0]
    planner.tell(
        [Observation(parameters=again.parameters, proposal_id=again.id, values={"y": value}) for value in (1.0, 1.1)]
    )
    assert len(told(planner, 3)) == 3


def test_words_and_a_pool() -> None:
    space = SearchSpace(
        [Continuous("a", 0.0, 1.0), Categorical("solvent", ["water", "ethanol"])],
        candidates={"a": [0.1, 0.4, 0.7, 0.9, 0.7], "solvent": ["water", "water", "water", "ethanol", "ethanol"]},
    )
    points = [{"a": float(a), "solvent": word} for a in np.linspace(0, 1, 9) for word in ("water", "ethanol")]
    values = [np.exp(-((one["a"] - 0.7) ** 2) / 0.05) + (one["solvent"] == "ethanol") for one in points]
    table = {"name": "old", "points": points, "values": values}
    planner = Planner(space, MAXIMIZE, policy="transfer", options={"sources": [table]})
    assert planner.ask()[0].parameters == {"a": 0.7, "solvent": "ethanol"}
    with pytest.raises(BadOption, match="acetone"):
        wrong = {"name": "new", "points": [{"a": 0.5, "solvent": "acetone"}], "values": [1.0]}
        Planner(space, MAXIMIZE, policy="transfer", options={"sources": [wrong]})


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        ([], "needs option 'sources'"),
        ("old.csv", "takes a list of tables"),
        ([3], "must be a mapping"),
        ([{"name": "x", "points": PLACES}], "lacks 'values'"),
        ([source() | {"vlaues": []}], "has no 'vlaues'"),
        ([source() | {"values": [1.0]}], "40 points and 1 values"),
        ([source() | {"values": [float("nan")] * 40}], "must be a finite number"),
        ([source(), source()], "two tables of option 'sources' are called 'May'"),
        ([source(name="")], "name must be text"),
        ([source(unit=3)], "unit must be text"),
        ([source(noise=[0.1])], "1 standard deviations and 40 values"),
        ([source(noise=-1.0)], "noise is a standard deviation"),
        ([source() | {"points": [{"a": 0.5}] * 40}], "'b'"),
        ([source() | {"points": [{"a": 0.5, "b": 0.5, "c": 1.0}] * 40}], "'c', which is no parameter"),
    ],
)
def test_what_is_no_source_is_told(sources: Any, message: str) -> None:
    with pytest.raises(BadOption, match=message):
        Planner(
            SearchSpace([Continuous(name, 0.0, 1.0) for name in NAMES]),
            MAXIMIZE,
            policy="transfer",
            options={"sources": sources},
        )


@pytest.mark.parametrize(
    "objectives",
    [
        [Objective("y", "learn")],
        [Objective("y", "maximize"), Objective("z", "minimize")],
        [Objective("y", "maximize"), Objective("z", "at_most", limit=1.0)],
        [Objective("y", "target", target=1.0)],
    ],
)
def test_other_objectives_are_refused(objectives: Any) -> None:
    with pytest.raises(BadOption):
        planner_of(source(unit="1"), objectives=objectives)


def test_a_standard_deviation_for_all_or_each() -> None:
    for noise in (0.01, [0.01] * 40):
        assert bump(planner_of(source(noise=noise)).ask()[0].parameters, 0.66) > 0.7


def test_what_is_taken_is_said_in_plain_data() -> None:
    flat = {"name": "flat", "points": PLACES[:5], "values": [1.0] * 5}
    planner = planner_of(source(), flat)
    before = planner.diagnostics()["sources"]
    assert before["standing"] == "trusted"
    assert before["weights"].keys() == {"May"}
    assert before["weights"]["May"] + before["all"] + before["nothing"] == pytest.approx(1.0)
    assert "constant" in before["refused"]["flat"]
    told(planner, 6)
    assert planner.diagnostics()["sources"]["weights"]["May"] > before["weights"]["May"]


def test_sources_that_mislead_are_said_to_be_left_alone() -> None:
    space = SearchSpace([Continuous(name, 0.0, 1.0) for name in NAMES])
    misleading = {"name": "May", "points": PLACES, "values": [np.sin(9.0 * point["a"]) for point in PLACES]}
    planner = Planner(space, MAXIMIZE, policy="transfer", options={"sources": [misleading]})
    places = np.random.default_rng(5).random((40, 2)).tolist()
    points = [dict(zip(NAMES, row, strict=True)) for row in places]
    planner.tell([Observation(parameters=one, values={"y": np.sin(4.0 * one["b"])}) for one in points])
    found = planner.diagnostics()["sources"]
    assert found["standing"] == "left alone" and found["nothing"] > 0.9


def test_other_policies_say_nothing_of_sources() -> None:
    space = SearchSpace([Continuous(name, 0.0, 1.0) for name in NAMES])
    assert "sources" not in Planner(space, MAXIMIZE).diagnostics()


def test_a_selection_is_said_in_the_reason() -> None:
    assert "'May' 60% (by 40 of its 5000 values)" in planner_of(source(of=5000)).ask()[0].reason
    with pytest.raises(BadOption, match="of must be a whole number from 40 up, not 39"):
        planner_of(source(of=39))


def test_words_with_descriptors_beyond_the_cube_lie_in_the_space() -> None:
    """Descriptors are standardised, so that each of a few words has one that lies beyond the unit interval."""
    words = [f"w{i}" for i in range(6)]
    descriptors = {word: [1.0 if i == j else 0.0 for j in range(6)] for i, word in enumerate(words)}
    space = SearchSpace([Categorical("solvent", words, descriptors=descriptors)])
    codes = space.encode([{"solvent": word} for word in words])
    assert ((codes < 0.0) | (codes > 1.0)).any(axis=1).all()
    table = {"name": "May", "points": [{"solvent": word} for word in words], "values": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]}
    Planner(space, MAXIMIZE, policy="transfer", options={"sources": [table]})
