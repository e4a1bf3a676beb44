import json
from dataclasses import dataclass
from typing import Any

import pytest

from simulators.materials.perovskite import PARAMETERS, SprayPlasma, recipe_of
from simulators.perovskite import CELL_S, PLACES, SPRAY_S, SWEEP_S, PerovskiteLab
from simulators.world import WorldFile


@dataclass
class Hands:
    """A clock that the test turns."""

    time_s: float = 0.0

    def now_s(self) -> float:
        return self.time_s


@pytest.fixture
def opened(tmp_path):
    files = []

    def build(clock, *, seed=0, name="world", **options):
        files.append(WorldFile(tmp_path / f"{name}.sqlite"))
        return PerovskiteLab(state=files[-1], clock=clock, seed=seed, options=options)

    yield build
    for file in files:
        file.close()


def ask(lab: PerovskiteLab, **request: Any) -> dict[str, Any]:
    robot: Any = lab.instruments["robot"]
    received: list[bytes] = []
    robot.send = received.append
    robot.receive(json.dumps(request).encode() + b"\n")
    return json.loads(b"".join(received))


def best(process: int) -> dict[str, float]:
    return recipe_of(SprayPlasma.of(process).best)


def burnt(process: int) -> dict[str, float]:
    ends = {"substrate_temperature": 175.0, "plasma_gas_flow": 35.0, "plasma_duty": 100.0}
    return {**{name: low for name, (low, _) in PARAMETERS.items()}, **ends}


def made(lab: PerovskiteLab, clock: Hands, recipe: dict[str, float], tag: str) -> dict[str, Any]:
    started = ask(lab, do="start", tag=tag, parameters=recipe)
    assert started["ok"], started
    clock.time_s += started["ready_s"]
    return ask(lab, do="result", tag=tag)


def test_a_good_film_becomes_a_cell_and_is_measured(opened) -> None:
    clock = Hands()
    lab = opened(clock, process=3)
    result = made(lab, clock, best(3), "a")
    assert result["state"] == "done"
    assert result["values"]["efficiency"] == pytest.approx(18.5, abs=3.0)
    assert clock.time_s == SPRAY_S + CELL_S + SWEEP_S


def test_a_bad_film_fails_at_once_with_what_was_seen(opened) -> None:
    clock = Hands()
    lab = opened(clock)
    result = made(lab, clock, burnt(0), "a")
    assert (result["state"], result["reason"], result["values"]) == ("failed", "the film is burnt", {})
    assert clock.time_s == SPRAY_S


def test_chance_depends_on_seed_and_tag_alone(opened) -> None:
    values = []
    for name, seed, tag in (("a", 0, "x"), ("b", 0, "x"), ("c", 1, "x"), ("d", 0, "y")):
        clock = Hands()
        values.append(made(opened(clock, seed=seed, name=name), clock, best(0), tag)["values"]["efficiency"])
    assert values[0] == values[1]
    assert len(set(values)) == 3


def test_a_round_fills_the_machine(opened) -> None:
    lab = opened(Hands())
    for number in range(PLACES):
        assert ask(lab, do="start", tag=f"t{number}", parameters=best(0))["ok"]
    assert ask(lab, do="start", tag="more", parameters=best(0))["error"].startswith("busy")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"speed": 99.0}, "speed = 99.0 is outside the machine's range, 10 to 30"),
        ({"speed": "fast"}, "speed = 'fast' is outside"),
        ({"colour": 1.0}, "unknown setting 'colour'"),
    ],
    ids=["too fast", "no number", "unknown"],
)
def test_what_the_machine_cannot_do_is_refused(opened, change: dict[str, Any], message: str) -> None:
    assert message in ask(opened(Hands()), do="start", tag="a", parameters={**best(0), **change})["error"]


def test_a_setting_that_is_missing_is_named(opened) -> None:
    recipe = {name: value for name, value in best(0).items() if name != "speed"}
    assert "no value is given for speed" in ask(opened(Hands()), do="start", tag="a", parameters=recipe)["error"]


@pytest.mark.parametrize("options", [{"process": -1}, {"process": 1.5}, {"process": True}, {"proces": 1}], ids=str)
def test_bad_options_are_told(opened, options: dict[str, Any]) -> None:
    assert PerovskiteLab.check(options)
    with pytest.raises(ValueError, match="process"):
        opened(Hands(), **options)
