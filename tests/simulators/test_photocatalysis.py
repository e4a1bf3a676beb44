import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from drivers.clock import VirtualClock, VirtualLoop, run_virtual
from drivers.errors import Rejected
from drivers.instruments.bench import BenchDriver
from drivers.links.memory import MemoryLink
from simulators.materials.photocatalysis import CONTROL, INGREDIENTS, RELATIVE_NOISE, hydrogen_umol
from simulators.photocatalysis import (
    GC_S,
    ILLUMINATION_S,
    LOSSES,
    PURGE_S,
    VIALS,
    PhotocatalysisBench,
    PhotocatalysisLab,
    PhotocatalysisOptions,
    amount_problem,
)
from simulators.world import WorldFile

BEST = {**dict.fromkeys(INGREDIENTS, 0.0), "p10": 5.0, "cysteine": 2.0, "naoh": 1.75, "silicate": 1.25}


@dataclass
class Hands:
    """A clock that the test turns."""

    time_s: float = 0.0

    def now_s(self) -> float:
        return self.time_s


@pytest.fixture
def opened(tmp_path) -> Iterator[Any]:
    files = []

    def build(clock=None, *, seed=0, name="world", **options):
        files.append(WorldFile(tmp_path / f"{name}.sqlite"))
        return PhotocatalysisLab(state=files[-1], clock=clock or Hands(), seed=seed, options=options)

    yield build
    for file in files:
        file.close()


def ask(lab: PhotocatalysisLab, **request: Any) -> dict[str, Any]:
    robot = lab.instruments["robot"]
    received = []
    robot.send = received.append
    robot.receive(json.dumps(request).encode() + b"\n")
    return json.loads(b"".join(received))


def batch(lab: PhotocatalysisLab, clock: Hands, recipes: list[Any], name: str = "b") -> list[dict[str, Any]]:
    """Run one batch and return what came of each vial."""
    starts = [ask(lab, do="start", tag=f"{name}{i}", parameters=recipe) for i, recipe in enumerate(recipes)]
    assert all(start["ok"] for start in starts), starts
    clock.time_s += max(start["ready_s"] for start in starts)
    return [ask(lab, do="result", tag=f"{name}{i}") for i in range(len(recipes))]


def test_a_batch_takes_purge_light_and_one_chromatogram_after_another(opened):
    lab = opened()
    ready = [ask(lab, do="start", tag=f"v{i}", parameters=dict(CONTROL))["ready_s"] for i in range(VIALS)]
    assert ready == [PURGE_S + ILLUMINATION_S + (i + 1) * GC_S for i in range(VIALS)]
    assert ready[-1] / 3600 == pytest.approx(3.7, abs=0.05)
    full = ask(lab, do="start", tag="v16", parameters=dict(CONTROL))
    assert full["error"].startswith("busy: all 16 places are taken")


def test_a_vial_gives_the_closed_form_with_its_noise(opened):
    clock = Hands()
    lab = opened(clock, failures=False)
    results = [batch(lab, clock, [BEST] * VIALS, name=f"b{n}-") for n in range(30)]
    values = np.array([result["values"]["hydrogen"] for some in results for result in some])
    truth = hydrogen_umol(BEST)
    assert truth == pytest.approx(21.3, abs=0.05)
    assert values.mean() == pytest.approx(truth, rel=4 * RELATIVE_NOISE / np.sqrt(len(values)))
    assert values.std() == pytest.approx(RELATIVE_NOISE * truth, rel=0.15)


def test_a_hopeless_recipe_never_measures_below_zero(opened):
    clock = Hands()
    hopeless = {
        **BEST,
        "methylene_blue": 0.0,
        "sds": 0.0,
        "rhodamine_b": 5.0,
        "cysteine": 0.0,
        "naoh": 0.0,
        "silicate": 0.0,
    }
    values = [
        result["values"]["hydrogen"] for result in batch(opened(clock, failures=False), clock, [hopeless] * VIALS)
    ]
    assert min(values) == 0.0
    assert max(values) > 0.0


def test_a_few_vials_are_lost_for_a_reason(opened):
    bench = PhotocatalysisBench(options=PhotocatalysisOptions(), seed=0, lamp_new_at_s=0.0)
    outcomes = [bench.run(CONTROL, tag=f"v{i}", started_s=0.0) for i in range(4000)]
    lost = [outcome for outcome in outcomes if outcome.state == "lost"]
    assert 0.010 < len(lost) / 4000 < 0.023, "1.6 % of the real results were missing"
    assert {outcome.reason for outcome in lost} == set(LOSSES)
    assert all(outcome.values == {} for outcome in lost)
    calm = PhotocatalysisBench(options=PhotocatalysisOptions(failures=False), seed=0, lamp_new_at_s=0.0)
    again = [calm.run(CONTROL, tag=f"v{i}", started_s=0.0) for i in range(4000)]
    assert all(outcome.state == "done" for outcome in again)
    assert all(one.values == other.values for one, other in zip(outcomes, again, strict=True) if one.state == "done")


def test_chance_depends_on_seed_and_tag_and_on_nothing_else(opened):
    recipes = [dict(CONTROL), dict(BEST)]
    clock = Hands()
    first = batch(opened(clock, name="a"), clock, recipes)
    late = Hands(time_s=1e6)
    assert batch(opened(late, name="b"), late, recipes) == first
    clock = Hands()
    assert batch(opened(clock, name="c", seed=1), clock, recipes) != first
    clock = Hands()
    assert batch(opened(clock, name="d"), clock, recipes, name="other") != first


def test_a_saturated_chromatograph_loses_the_vial(opened):
    clock = Hands()
    lab = opened(clock, failures=False, gc_full_scale_umol=10.0)
    strong, weak = batch(lab, clock, [BEST, dict(CONTROL)])
    assert (strong["state"], weak["state"]) == ("lost", "done")
    assert strong["reason"] == "the chromatograph saturated at 10 umol"


@pytest.mark.parametrize(
    ("age_s", "light"), [(0.0, 1.0), (99.0, 1.0), (100.0, 1.0), (125.0, 0.925), (150.0, 0.85), (1e9, 0.85)]
)
def test_the_lamp_fades_from_a_time_on(age_s, light):
    options = PhotocatalysisOptions(lamp_decay=0.15, lamp_decay_at_s=100.0, lamp_decay_over_s=50.0)
    assert options.light(age_s) == pytest.approx(light)


def test_a_step_of_the_lamp_is_at_once():
    options = PhotocatalysisOptions(lamp_decay=0.15, lamp_decay_at_s=100.0)
    assert (options.light(99.999), options.light(100.0)) == (1.0, 0.85)


def test_the_lamps_age_counts_from_when_the_laboratory_was_first_switched_on(tmp_path):
    options = {"failures": False, "lamp_decay": 1.0, "lamp_decay_at_s": 100.0}
    clock = Hands(time_s=5000.0)
    lab = PhotocatalysisLab.open(tmp_path / "w.sqlite", clock=clock, seed=0, options=options)
    ask(lab, do="start", tag="early", parameters=dict(CONTROL))
    lab.close()
    clock.time_s = 5099.0
    lab = PhotocatalysisLab.open(tmp_path / "w.sqlite", clock=clock, seed=0, options=options)
    ask(lab, do="start", tag="still", parameters=dict(CONTROL))
    clock.time_s = 5100.0
    ask(lab, do="start", tag="late", parameters=dict(CONTROL))
    clock.time_s = 1e6
    values = {tag: ask(lab, do="result", tag=tag)["values"]["hydrogen"] for tag in ("early", "still", "late")}
    lab.close()
    assert values["early"] > 2.0
    assert values["still"] > 2.0
    assert values["late"] < 0.3, "no light, only the noise floor"


def test_a_world_with_other_options_is_another_world(tmp_path):
    path, clock = tmp_path / "w.sqlite", Hands()
    PhotocatalysisLab.open(path, clock=clock, seed=0, options={}).close()
    with pytest.raises(ValueError, match="belongs to a world with options"):
        PhotocatalysisLab.open(path, clock=clock, seed=0, options={"failures": False})
    with pytest.raises(ValueError, match="belongs to a world with seed 0"):
        PhotocatalysisLab.open(path, clock=clock, seed=1, options={})


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"cystein": 1.0}, "unknown ingredient 'cystein'; did you mean 'cysteine'?"),
        ({"p10": None}, "no amount is given for p10"),
        ({"p10": 5.2}, "p10 = 5.2 is no amount from 0 to 5.1 mg"),
        ({"nacl": -0.25}, "nacl = -0.25 is no amount"),
        ({"nacl": "some"}, "nacl = 'some' is no amount from 0 to 5 mL"),
        ({"nacl": 3.0}, "the liquids add up to 8 mL, and a vial holds 5 mL"),
    ],
)
def test_a_recipe_that_does_not_fit_is_refused(opened, changed, match):
    recipe = {name: amount for name, amount in {**BEST, **changed}.items() if amount is not None}
    assert match in (amount_problem(recipe) or "")
    lab = opened()
    assert match in ask(lab, do="start", tag="a", parameters=recipe)["error"]
    assert ask(lab, do="result", tag="a")["state"] == "absent"


def test_a_full_vial_is_not_too_full():
    assert amount_problem({**BEST, "nacl": 0.0, "pvp": 0.0}) is None
    assert (
        amount_problem({**dict.fromkeys(INGREDIENTS, 0.0), "p10": 1, "cysteine": 4.7, "nacl": 0.1, "pvp": 0.2}) is None
    )


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"failure": True}, "unknown option 'failure'; did you mean 'failures'?"),
        ({"failures": 1}, "must be true or false, not 1"),
        ({"lamp_decay": 1.5}, "at most 1, not 1.5"),
        ({"lamp_decay": -0.1}, "at least 0, not -0.1"),
        ({"lamp_decay_at_s": "1 d"}, "must be a number of at least 0, not '1 d'"),
        ({"lamp_decay_at_s": float("nan")}, "must be a number of at least 0, not nan"),
        ({"gc_full_scale_umol": True}, "must be a number"),
    ],
)
def test_wrong_options_are_named(opened, options, match):
    (problem,) = PhotocatalysisLab.check(options)
    assert match in problem
    with pytest.raises(ValueError, match="option"):
        opened(**options)


def test_right_options_are_right():
    assert PhotocatalysisLab.check({"failures": False, "lamp_decay": 0.15, "gc_full_scale_umol": 25}) == []
    assert PhotocatalysisLab.pool({}) is None


def test_its_provenance_goes_with_its_identity(opened):
    answer = ask(opened(), do="identify")
    assert answer["provenance"] == PhotocatalysisLab.describe({})
    assert answer["provenance"]["targets"]["hydrogen"]["rmse"] == 2.08


def test_the_real_driver_runs_a_batch_in_virtual_time(tmp_path):
    loop = VirtualLoop()
    clock = VirtualClock(loop)
    lab = PhotocatalysisLab.open(tmp_path / "w.sqlite", clock=clock, seed=0, options={"failures": False})

    async def work():
        robot = BenchDriver(MemoryLink(lab.instruments["robot"], clock, name="robot"), clock)
        await robot.connect()
        for i in range(VIALS):
            await robot.start(parameters=dict(CONTROL), tag=f"v{i}")
        with pytest.raises(Rejected, match="busy"):
            await robot.start(parameters=dict(CONTROL), tag="one-too-many")
        results = [await robot.collect(tag=f"v{i}") for i in range(VIALS)]
        await robot.close()
        return results

    results = run_virtual(work(), loop=loop)
    lab.close()
    assert all(result.state == "done" for result in results)
    assert clock.now_s() == pytest.approx(PURGE_S + ILLUMINATION_S + VIALS * GC_S, abs=0.1)
