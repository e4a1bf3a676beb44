import pytest
from pydantic import ValidationError

from orchestrator.errors import InputError
from orchestrator.guard.binding import problems, rules_of
from orchestrator.guard.predicate import Compare
from orchestrator.units import Measure
from tests.orchestrator.guard.rig import SAFE, WATCHED, players, rules, settings_of

READINGS = dict.fromkeys(
    ("box-1.read_temperature", "box-1.read_alarms", "door-1.door_state", "arm-2.is_holding", "gas.read_flow"), WATCHED
)


def found(**sections):
    return problems(settings_of(**{"readings": READINGS, "devices": {"box-1": SAFE}, **sections}), players())


def test_values_come_in_the_drivers_unit():
    bound = rules(
        readings=READINGS,
        devices={"box-1": SAFE | {"proof": {"falls": "box-1.read_temperature", "by": "5 K", "or_below": "333.15 K",
                                            "within": "5 min"}}},
        trips={"hot": {"when": "box-1.read_temperature > 1423.15 K", "stop": ["box-1"]}},
        reading_rates={"box-1.read_temperature": {"at_most": "30 K/min", "over": "30 s", "stop": ["box-1"]}},
        setpoint_rates={"box-1.set_temperature.target_c": {"at_most": "600 K/h"}},
        command_rates={"box-1.set_temperature": {"times": 4, "within": "1 min"}},
    )  # fmt: skip
    when, proof = bound.trips["hot"].when, bound.safety["box-1"].proof
    assert isinstance(when, Compare)
    assert proof is not None
    assert when.value == Measure(1150.0, "degC")
    assert next(iter(bound.rates.values())).per_s == 0.5
    assert bound.steps[0].per_s == pytest.approx(600 / 3600)
    assert (bound.counts["box-1.set_temperature"].times, proof.or_below) == (4, 60.0)
    assert bound.devices() == ("box-1", "door-1", "arm-2", "gas")


@pytest.mark.parametrize(
    ("sections", "path", "message"),
    [
        (
            {"readings": {"bx-1.read_temperature": WATCHED}},
            ("readings", "bx-1.read_temperature"),
            "did you mean 'box-1'",
        ),
        ({"readings": {"box-1.read_temp": WATCHED}}, ("readings", "box-1.read_temp"), "has no command 'read_temp'"),
        ({"readings": {"box-1.stop": WATCHED}}, ("readings", "box-1.stop"), "watches what only reads"),
        ({"readings": {"arm-2.is_at": WATCHED}}, ("readings", "arm-2.is_at"), "needs position"),
        (
            {"interlocks": {"arm-2.transfr": {"needs": "door-1.door_state == closed"}}},
            ("interlocks", "arm-2.transfr"),
            "did you mean 'transfer'",
        ),
        (
            {"interlocks": {"box-1.stop": {"needs": "door-1.door_state == closed"}}},
            ("interlocks", "box-1.stop"),
            "is never refused: it stops",
        ),
        (
            {"interlocks": {"arm-2.transfer": {"needs": "door-1.door_state > closed"}}},
            ("interlocks", "arm-2.transfer", "needs"),
            "has no order",
        ),
        (
            {"interlocks": {"arm-2.transfer": {"needs": "door-1.door_state == 3"}}},
            ("interlocks", "arm-2.transfer", "needs"),
            "is a word, which cannot be compared with 3",
        ),
        (
            {"interlocks": {"arm-2.transfer": {"needs": "box-1.read_setpoint < 5 degC"}}},
            ("interlocks", "arm-2.transfer", "needs"),
            "is not among guard.readings",
        ),
        (
            {"interlocks": {"arm-2.transfer": {"needs": "box-1.read_temperature < 5 mm"}}},
            ("interlocks", "arm-2.transfer", "needs"),
            "'5 mm' is a length",
        ),
        (
            {"interlocks": {"arm-2.transfer": {"needs": "box-1.read_temperature < 60"}}},
            ("interlocks", "arm-2.transfer", "needs"),
            "60 needs a unit, such as '60 degC'",
        ),
        (
            {"interlocks": {"arm-2.transfer": {"needs": "box-1.read_alarms"}}},
            ("interlocks", "arm-2.transfer", "needs"),
            r"an object \(over_temperature, sensor_break",
        ),
        (
            {"interlocks": {"arm-2.transfer": {"needs": "box-1.read_alarms.overtemperature"}}},
            ("interlocks", "arm-2.transfer", "needs"),
            "did you mean 'over_temperature'",
        ),
        (
            {"trips": {"x": {"when": "box-1.read_temperature > 1 K", "stop": ["box-2"]}}},
            ("trips", "x", "stop", 0),
            "what safe means for 'box-2'; did you mean 'box-1'",
        ),
        (
            {"reading_rates": {"door-1.door_state": {"at_most": "3", "over": "10 s", "stop": ["box-1"]}}},
            ("reading_rates", "door-1.door_state"),
            "a word, which cannot rise or fall",
        ),
        (
            {"reading_rates": {"gas.read_flow": {"at_most": "3 K/min", "over": "10 s", "stop": ["box-1"]}}},
            ("reading_rates", "gas.read_flow"),
            "is needed here",
        ),
        (
            {"reading_rates": {"box-1.read_temperature": {"at_most": "3 K/min", "over": "1 s", "stop": ["box-1"]}}},
            ("reading_rates", "box-1.read_temperature", "over"),
            "at least twice that",
        ),
        (
            {"setpoint_rates": {"box-1.set_temperature.target": {"at_most": "3 K/min"}}},
            ("setpoint_rates", "box-1.set_temperature.target"),
            "did you mean 'target_c'",
        ),
        (
            {"devices": {"box-1": SAFE | {"otherwise": ["arm-2.transfer"]}}},
            ("devices", "box-1", "otherwise", 0),
            "needs source, destination, tag",
        ),
        (
            {
                "devices": {
                    "box-1": SAFE | {"proof": {"falls": "box-1.read_temperature", "by": "5 mm", "within": "1 min"}}
                }
            },
            ("devices", "box-1", "proof"),
            "'5 mm' is a length",
        ),
        ({"devices": {"oven": SAFE}}, ("devices", "oven"), "the lab has no device 'oven'"),
    ],
)  # fmt: skip
def test_what_does_not_fit_the_lab_is_told_with_its_place(sections, path, message):
    import re

    mistakes = found(**sections)
    assert any(where == path and re.search(message, text) for where, text in mistakes), mistakes


def test_a_device_that_cannot_stop_is_in_no_trip():
    lab = players({"scale": "balance"})
    settings = settings_of(
        readings={"scale.weigh": WATCHED},
        devices={"scale": SAFE},
        trips={"heavy": {"when": "scale.weigh > 5 kg", "stop": ["scale"]}},
    )
    assert [text for _, text in problems(settings, lab)] == [
        "BalanceDriver has no stop command, so 'scale' cannot be stopped"
    ]


def test_all_mistakes_come_in_one_error():
    settings = settings_of(readings={"a.b": WATCHED, "c.d": WATCHED})
    with pytest.raises(InputError) as caught:
        rules_of(settings, players())
    assert len(caught.value.problems) == 2
    assert caught.value.problems[0].startswith("guard.readings.a.b: the lab has no device 'a'")


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"readings": {"box-1": WATCHED}}, "must be written as 'device.command'"),
        ({"readings": {"a.b": {"every": "5 s", "stale": "5 s"}}}, "only more than that can be stale"),
        ({"trips": {"x": {"when": "a.b >", "stop": ["a"]}}}, "expected a value"),
        ({"trips": {"x": {"when": "a.b", "stop": []}}}, "at least 1 item"),
        ({"watchdog": {"controller": "0 s"}}, "must be more than 0 s"),
        ({"interlock": {}}, "Extra inputs"),
    ],
)
def test_a_section_that_is_wrong_in_itself_is_refused(sections, message):
    with pytest.raises(ValidationError, match=message):
        settings_of(**sections)


def test_settings_survive_json():
    settings = settings_of(
        readings=READINGS,
        interlocks={"arm-2.transfer": {"needs": "door-1.door_state == closed or not arm-2.is_holding"}},
        devices={"box-1": SAFE | {"proof": {"holds": "arm-2.is_holding == false", "within": "3 s"}}},
    )
    assert type(settings).model_validate(settings.model_dump(mode="json", exclude_none=True)) == settings
    assert "properties" in type(settings).model_json_schema()
