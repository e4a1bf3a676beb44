import pytest

from drivers.capabilities import CAPABILITIES, Device, Movable, capabilities_of, missing_methods
from drivers.command import Effect, command_specs
from drivers.registry import driver_class, driver_names


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("laser-annealer", ["Device", "Stoppable", "LaserAnnealer"]),
        ("xy-stage", ["Device", "Stoppable", "Movable", "Homeable"]),
        ("reflectance-spectrometer", ["Device", "Spectrometer"]),
        ("camera", ["Device", "Camera"]),
        ("bench", ["Device", "Bench"]),
    ],
)
def test_installed_drivers_have_their_capabilities(name, expected):
    assert capabilities_of(driver_class(name)) == expected


def test_what_is_no_driver_has_none():
    assert capabilities_of(str) == []
    assert missing_methods(str, "Movable") == ["locate", "move", "stop"]


def test_a_plain_function_is_no_substitute_for_a_missing_method():
    class Half:
        move = 3

        async def stop(self) -> None: ...

    assert capabilities_of(Half) == ["Stoppable"]


def test_protocols_are_checked_at_run_time_too():
    stage = driver_class("xy-stage")(None, None)
    assert isinstance(stage, Device) and isinstance(stage, Movable)


@pytest.mark.parametrize("name", driver_names())
def test_commands_of_capabilities_are_declared(name):
    driver = driver_class(name)
    declared = command_specs(driver)
    acting = {"move", "stop", "anneal", "last_shot", "locate", "acquire", "capture", "start", "result"}
    needed = {m for c in capabilities_of(driver) for m in dir(CAPABILITIES[c]) if m in acting}
    assert needed <= set(declared)
    for spec in declared.values():
        assert spec.summary.endswith("."), spec.name
        assert spec.timeout_s > 0.0


def test_effects_are_as_recovery_needs_them():
    specs = {name: command_specs(driver_class(name)) for name in driver_names()}
    assert specs["xy-stage"]["move"].verify == "is_at"
    assert specs["laser-annealer"]["anneal"].verify == "has_fired"
    assert specs["bench"]["start"].verify == "has_started"
    assert specs["reflectance-spectrometer"]["acquire"].effect is Effect.READ
    assert specs["camera"]["capture"].effect is Effect.READ
    assert specs["bench"]["collect"].effect is Effect.READ
    for name in ("xy-stage", "laser-annealer"):
        assert specs[name]["stop"].effect is Effect.IDEMPOTENT
    for declared in specs.values():
        for spec in declared.values():
            if spec.verify is not None:
                assert declared[spec.verify].arguments == spec.arguments
