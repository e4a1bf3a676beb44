"""What `test_binding` leaves open: how long the guard may take, and names that nothing stands behind."""

import pytest

from orchestrator.errors import InputError
from orchestrator.guard.binding import rules_of
from tests.orchestrator.guard.rig import SAFE, WATCHED, Bench, HandDevice, players, rules, settings_of

READINGS = {"box-1.read_temperature": {"every": "2 s", "stale": "10 s"}, "door-1.door_state": WATCHED}
HOT = {"when": "box-1.read_temperature > 1150 degC", "stop": ["box-1"]}
SHUT = {"needs": "door-1.door_state == closed"}


@pytest.mark.parametrize(("longer_than", "readings"), [("0 s", 1), ("30 s", 2)])
def test_the_longest_time_from_a_crossed_bound_to_the_stop_is_period_plus_deadline(longer_than, readings):
    bound = rules(readings=READINGS, devices={"box-1": SAFE}, trips={"hot": HOT | {"longer_than": longer_than}})
    watch = bound.watches["box-1.read_temperature"]
    longer_s = bound.trips["hot"].longer_s
    assert bound.reaction_s(bound.trips["hot"]) == readings * (watch.every_s + watch.deadline_s) + longer_s
    assert watch.deadline_s <= 5.0


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"interlocks": {"box-1.read_setpoint": SHUT}}, "never refused: it only reads"),
        ({"interlocks": {"arm-9.*": SHUT}}, "no device 'arm-9'"),
        ({"command_rates": {"arm-2.transfers": {"times": 3, "within": "1 h"}}}, "did you mean 'transfer'"),
        ({"trips": {"x": HOT | {"when": "box-1.read_temperature == hot"}}}, "cannot be compared with 'hot'"),
        ({"trips": {"x": HOT | {"when": "door-1.door_state.left"}}}, "answers no object with fields"),
        ({"trips": {"x": HOT | {"when": "not (door-1.door_state == 3 or box-1.read_temperature > 1 K)"}}}, "is a word"),
    ],
)
def test_what_nothing_stands_behind_is_refused(sections, message):
    settings = settings_of(**{"readings": READINGS, "devices": {"box-1": SAFE}, **sections})
    with pytest.raises(InputError, match=message):
        rules_of(settings, players())


def test_an_interlock_of_every_command_of_a_device_is_allowed_to_be_written():
    bound = rules(readings=READINGS, interlocks={"arm-2.*": SHUT | {"why": "it would meet the door"}})
    assert bound.needs["arm-2.*"].why == "it would meet the door"


@pytest.mark.parametrize("phase_s", [0.0, 0.001, 0.7, 1.0, 1.999])
@pytest.mark.parametrize("longer_s", [0, 5])
def test_a_prompt_device_is_stopped_within_one_period_and_what_it_must_last(virtually, phase_s, longer_s):
    """Whenever the bound is crossed between two readings; the promise leaves the deadline of the readings besides."""
    every_s = 2.0

    async def use(clock):
        hot = HOT | {"longer_than": f"{longer_s} s"}
        bound = rules(
            readings={"box-1.read_temperature": {"every": f"{every_s} s", "stale": "10 s"}},
            devices={"box-1": SAFE},
            trips={"hot": hot},
        )
        box = HandDevice(answers={"read_temperature": 1100.0})
        async with Bench(clock, bound, {"box-1": box}).guard.running():
            await clock.sleep(10 + phase_s)
            crossed_s, box.answers["read_temperature"] = clock.now_s(), 1151.0
            await clock.sleep(30)
        took_s = box.stopped_at[0] - crossed_s
        assert longer_s <= took_s <= every_s + longer_s + every_s * bool(longer_s)
        assert took_s <= bound.reaction_s(bound.trips["hot"])

    virtually(use)
