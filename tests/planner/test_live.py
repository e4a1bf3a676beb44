"""Forecasts of all live models, and models that are kept and made again."""

from typing import Any

import numpy as np
import pytest

from planner import BadOption, Categorical, Continuous, Objective, Observation, Planner, SearchSpace
from planner.errors import BadSave
from planner.live import code_version, made_again

NAMES = ("a", "b")
RNG = np.random.default_rng(0)
PLACES: list[Any] = [dict(zip(NAMES, row, strict=True)) for row in RNG.random((30, 2)).tolist()]
SPACE = SearchSpace([Continuous("a", 0.0, 1.0, unit="g"), Continuous("b", 0.0, 1.0)])


def height(point, centre=0.7):
    return float(np.exp(-sum((point[name] - centre) ** 2 for name in NAMES) / 0.1))


def results(n, *, noise=0.05, offset=2.0, first=0):
    rng = np.random.default_rng(first)
    return [
        Observation(parameters=point, values={"y": offset + height(point) + noise * rng.standard_normal()})
        for point in PLACES[first : first + n]
    ]


def source(name="May", centre=0.66):
    return {"name": name, "points": PLACES, "values": [5.0 + height(point, centre) for point in PLACES]}


def planner_of(policy="transfer", *, objectives=None, space=SPACE, **options):
    options = {"sources": [source(), source("June", 0.2)], **options} if policy == "transfer" else options
    given = [Objective("y", "maximize")] if objectives is None else objectives
    return Planner(space, given, seed=3, policy=policy, options=options)


def test_before_anything_was_measured_only_sources_tell():
    found = planner_of().forecasts(PLACES[:4])
    assert list(found) == ["transfer"] and found["transfer"]["y"].mean.shape == (4,)
    assert planner_of("logei").forecasts(PLACES[:4]) == {} and planner_of("logei").live_models() == {}


def test_a_forecast_holds_the_noise_beside_what_is_believed_of_the_function():
    planner = planner_of()
    planner.tell(results(12, noise=0.3))
    found, believed = planner.forecasts(PLACES[20:]), planner.predict(PLACES[20:])["y"]
    for model in ("cold", "transfer"):
        assert (found[model]["y"].sd > 0.1).all()
    assert (found["transfer"]["y"].sd > believed.sd).all()
    assert found["transfer"]["y"].mean == pytest.approx(believed.mean)


@pytest.mark.parametrize("scale", [1.0, 1000.0], ids=["even", "skewed"])
def test_forecasts_hold_as_many_values_as_they_should(scale):
    """Of functions that the default process is made for, and of values whose logarithm is, 90 % intervals hold 90 %."""
    inside = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        points: list[Any] = [dict(zip(NAMES, row, strict=True)) for row in rng.random((40, 2)).tolist()]
        values = [3.0 * np.sin(4.0 * p["a"] + seed) * p["b"] + 0.2 * rng.standard_normal() for p in points]
        values = values if scale == 1.0 else [float(np.exp(value)) for value in values]
        planner = planner_of("logei")
        planner.tell([Observation(parameters=p, values={"y": v}) for p, v in zip(points[:25], values, strict=False)])
        found = planner.forecasts(points[25:])["cold"]["y"]
        inside.extend(np.abs(np.array(values[25:]) - found.mean) <= 1.645 * found.sd)
    assert 0.82 < np.mean(inside) < 0.99


@pytest.mark.parametrize(
    ("policy", "objectives"),
    [
        ("auto", [Objective("y", "maximize")]),
        ("auto", [Objective("y", "learn")]),
        ("logei", [Objective("y", "maximize"), Objective("z", "minimize")]),
        ("uncertainty", [Objective("y", "learn")]),
        ("integrated_variance", [Objective("y", "learn")]),
    ],
)
def test_policies_that_learn_have_a_cold_model_of_every_target(policy, objectives):
    planner = planner_of(policy, objectives=objectives)
    told = [
        Observation(parameters=one.parameters, values={o.name: one.values["y"] for o in objectives})
        for one in results(6)
    ]
    planner.tell(told)
    found = planner.forecasts(PLACES[20:23])
    assert list(found) == ["cold"] and list(found["cold"]) == [objective.name for objective in objectives]


@pytest.mark.parametrize("policy", ["random", "sobol", "grid"])
def test_policies_without_a_model_foretell_nothing(policy):
    planner = planner_of(policy)
    planner.tell(results(6))
    assert (
        planner.forecasts(PLACES[:2]) == {} and planner.live_models() == {} and planner.replayed(9)[0].forecasts == {}
    )


def test_what_is_classified_foretells_nothing():
    objectives = [Objective("phases", "classify")]
    space = SearchSpace([Continuous(name, 0.0, 1.0, step=0.25) for name in NAMES])
    planner = Planner(space, objectives, policy="cameo")
    assert planner.forecasts(PLACES[:2]) == {} and planner.live_models() == {}


def test_forecasts_change_no_proposal():
    asked, quiet = planner_of(), planner_of()
    for planner in (asked, quiet):
        planner.tell(results(5))
    asked.forecasts(PLACES[:3])
    asked.live_models()
    asked.replayed(4)
    assert [one.parameters for one in asked.ask(3)] == [one.parameters for one in quiet.ask(3)]


def test_a_replay_is_what_was_foretold_then():
    planner, then = planner_of(), []
    for observation in results(6):
        then.append(planner.forecasts([observation.parameters]))
        planner.tell([observation])
    found = planner.replayed(4)
    assert [one.number for one in found] == [2, 3, 4, 5]
    for one, before in zip(found, then[2:], strict=True):
        assert one.forecasts.keys() == before.keys() == {"cold", "transfer"}
        for model, targets in before.items():
            assert one.forecasts[model]["y"].mean[0] == targets["y"].mean[0]
            assert one.forecasts[model]["y"].sd[0] == targets["y"].sd[0]


def kept(planner):
    return {name: (one, made_again(one.kind, one.layout, one.arrays)) for name, one in planner.live_models().items()}


@pytest.mark.parametrize("noise", [None, 0.1])
def test_a_model_that_was_kept_foretells_the_same_to_the_last_digit(noise):
    space = SearchSpace([*SPACE.parameters, Categorical("solvent", ["water", "ethanol"])])
    points = [{**point, "solvent": ("water", "ethanol")[n % 2]} for n, point in enumerate(PLACES)]
    table = {**source(), "points": points}
    planner = Planner(space, [Objective("y", "maximize")], policy="transfer", options={"sources": [table]})
    sd = {} if noise is None else {"y": noise}
    skewed = [Observation(parameters=point, values={"y": 100.0 ** height(point)}, noise=sd) for point in points[:12]]
    planner.tell(skewed)
    before = planner.forecasts(points[12:])
    for name, (live, model) in kept(planner).items():
        mean, deviation = model["y"].forecast(space.encode(points[12:]))
        assert (mean == before[name]["y"].mean).all() and (deviation == before[name]["y"].sd).all(), name
        assert live.rows == 12 and live.told == 12 and live.device == "cpu" and live.code == code_version()
        assert live.ranges["y"][:2] == [min(o.values["y"] for o in skewed), max(o.values["y"] for o in skewed)]
        assert live.ranges["a"][2] == "g" and "solvent" not in live.ranges


def test_equal_data_have_equal_hashes_and_others_have_others():
    one, same, other = planner_of(), planner_of(), planner_of()
    one.tell(results(4))
    same.tell(results(4))
    other.tell(results(4, first=1))
    hashes = [planner.live_models()["cold"].data_sha256 for planner in (one, same, other)]
    assert hashes[0] == hashes[1] != hashes[2]
    both = one.live_models()
    assert both["cold"].data_sha256 == both["transfer"].data_sha256
    assert [name for name, _ in both["transfer"].sources] == ["May", "June"] and both["cold"].sources == []


def test_what_is_no_model_is_refused():
    planner = planner_of()
    planner.tell(results(4))
    live = planner.live_models()["cold"]
    with pytest.raises(BadSave, match="no model of kind 'cold/9'"):
        made_again("cold/9", live.layout, live.arrays)
    with pytest.raises(BadSave, match="cannot be made again"):
        made_again("cold/1", live.layout, {})


def test_a_pinned_model_plans_and_the_reason_says_so(tmp_path):
    cold, free, pinned = planner_of("logei"), planner_of(), planner_of()
    for planner in (cold, free, pinned):
        planner.tell(results(10))
    assert "takes from" in free.ask()[0].reason and "as ordered" not in free.ask()[0].reason
    pinned.plan_with("cold")
    asked = pinned.ask()[0]
    assert asked.parameters == cold.ask()[0].parameters
    assert "planned with model 'cold' as ordered" in asked.reason
    pinned.save(tmp_path / "planner.json")
    again = Planner.load(tmp_path / "planner.json")
    assert again.said.model == "cold" and again.ask()[0].parameters == pinned.ask()[0].parameters
    pinned.plan_with(None)
    assert "as ordered" not in pinned.ask()[0].reason


def test_the_model_that_leads_plans_unless_another_is_pinned(tmp_path):
    cold, led, other = planner_of("logei"), planner_of(follow=True), planner_of()
    for planner in (cold, led, other):
        planner.tell(results(10))
        planner.lead("cold")
    assert "left alone" not in other.ask()[0].reason, "nobody asked it to follow"
    asked = led.ask()[0]
    assert asked.parameters == cold.ask()[0].parameters
    assert asked.reason.endswith("sources are left alone, as they have foretold results worse")
    led.save(tmp_path / "planner.json")
    assert Planner.load(tmp_path / "planner.json").said.leads == "cold"
    led.plan_with("transfer")
    assert led.ask()[0].reason.endswith("planned with model 'transfer' as ordered")
    led.plan_with(None)
    led.lead("transfer")
    assert "takes from" in led.ask()[0].reason and "left alone" not in led.ask()[0].reason
    with pytest.raises(BadOption, match="'dkl'"):
        led.lead("dkl")
    with pytest.raises(BadOption, match="'follow' .* true or false, not 'yes'"):
        planner_of(follow="yes")


def test_the_mixture_can_be_pinned_where_it_would_be_left_alone():
    table = {"name": "May", "points": PLACES, "values": [np.sin(6.0 * point["a"]) for point in PLACES]}
    planner = Planner(SPACE, [Objective("y", "maximize")], policy="transfer", options={"sources": [table]})
    told = [Observation(parameters=p, values={"y": 3.0 * np.cos(7.0 * p["b"])}) for p in PLACES[:16]]
    planner.tell(told)
    cold = planner.predict(PLACES[20:])["y"].mean
    planner.plan_with("transfer")
    mixed = planner.predict(PLACES[20:])["y"].mean
    assert not np.array_equal(cold, mixed)
    assert planner.ask()[0].reason.endswith("planned with model 'transfer' as ordered")


@pytest.mark.parametrize(
    ("policy", "says"),
    [("transfer", "it has 'transfer', 'cold'"), ("logei", "it has 'cold'"), ("random", "none to choose from")],
)
def test_a_model_that_a_policy_has_not_is_refused(policy, says):
    planner = planner_of(policy)
    with pytest.raises(BadOption, match=f"'dkl'; .*{says}"):
        planner.plan_with("dkl")
    assert planner.said.model is None
