import asyncio
import math
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.command import CommandSpec, Effect, Quantity, command, command_specs
from drivers.errors import DriverError, OutOfLimits, Rejected, Unreadable

Warm = Annotated[float, Quantity("Cel", 20.0, 1200.0)]


class Furnace:
    """A driver without a link."""

    name = "furnace"

    def __init__(self) -> None:
        self.set_to: list[float] = []

    @command(Effect.VERIFIABLE, verify="is_set", timeout_s=7.0, late_max_s=2.0)
    async def heat(self, *, target_c: Warm, ramp: Annotated[float, Quantity("K/min", 0.0)] | None = None) -> None:
        """Heat to a target.

        More words.
        """
        self.set_to.append(target_c)

    @command(Effect.READ)
    async def is_set(self, *, target_c: Warm, ramp: float | None = None) -> bool:
        return self.set_to[-1:] == [target_c]

    @command(Effect.READ)
    async def read(self) -> float:
        raise Unreadable("nonsense")

    async def helper(self) -> None:
        """Not a command."""


def test_declarations_are_read_without_an_instance():
    specs = command_specs(Furnace)
    assert sorted(specs) == ["heat", "is_set", "read"]
    assert specs["heat"] == CommandSpec(
        name="heat",
        effect=Effect.VERIFIABLE,
        timeout_s=7.0,
        verify="is_set",
        late_max_s=2.0,
        arguments={"target_c": Quantity("Cel", 20.0, 1200.0), "ramp": Quantity("K/min", 0.0)},
        summary="Heat to a target.",
    )
    assert specs["read"].effect is Effect.READ


def test_verify_belongs_to_verifiable_commands():
    with pytest.raises(TypeError, match="VERIFIABLE"):
        command(Effect.VERIFIABLE)
    with pytest.raises(TypeError, match="VERIFIABLE"):
        command(Effect.READ, verify="is_set")


def test_commands_are_async():
    with pytest.raises(TypeError, match="must be async"):

        @command(Effect.READ)
        def read(self) -> float:
            return 1.0


def test_the_read_back_must_exist():
    class Careless:
        name = "careless"

        @command(Effect.VERIFIABLE, verify="is_don")
        async def do(self) -> None: ...

        async def is_done(self) -> bool: ...

    with pytest.raises(TypeError, match="is_don"):
        command_specs(Careless)


@pytest.mark.parametrize("target_c", [19.99, 1200.01, math.nan, math.inf, -math.inf])
def test_a_driver_refuses_before_the_wire_whoever_calls_it(target_c):
    furnace = Furnace()
    with pytest.raises(OutOfLimits, match="nothing was sent") as caught:
        asyncio.run(furnace.heat(target_c=target_c))
    assert furnace.set_to == []
    assert (caught.value.device, caught.value.command, caught.value.unit) == ("furnace", "heat", "Cel")
    assert (caught.value.low, caught.value.high) == (20.0, 1200.0)


def test_what_is_no_number_is_refused():
    with pytest.raises(Rejected, match="'hot' is not a number"):
        asyncio.run(Furnace().heat(target_c="hot"))  # type: ignore[arg-type]


def test_an_optional_quantity_may_be_left_out_but_not_be_wrong():
    asyncio.run(Furnace().heat(target_c=100.0, ramp=None))
    with pytest.raises(OutOfLimits):
        asyncio.run(Furnace().heat(target_c=100.0, ramp=-1.0))


def test_errors_say_where_they_come_from():
    with pytest.raises(Unreadable, match=r"furnace\.read: nonsense"):
        asyncio.run(Furnace().read())


@given(value=st.floats(), low=st.floats(20.0, 600.0), high=st.floats(600.0, 1200.0))
def test_the_gate_admits_exactly_what_site_and_driver_admit(value, low, high):
    site = {"target_c": Quantity("Cel", low, high)}
    spec = command_specs(Furnace)["heat"]
    admissible = math.isfinite(value) and max(20.0, low) <= value <= min(1200.0, high)
    try:
        spec.check_limits({"target_c": value}, site=site, device="furnace")
    except OutOfLimits as error:
        assert not admissible
        assert (error.low, error.high) == (low, high)
    else:
        assert admissible


def test_a_site_limit_in_another_unit_is_refused():
    site = {"target_c": Quantity("K", 300.0, 900.0)}
    with pytest.raises(Rejected, match="in K, the driver's in Cel"):
        command_specs(Furnace)["heat"].check_limits({"target_c": 400.0}, site=site, device="furnace")


def test_a_site_cannot_widen_a_driver():
    site = {"target_c": Quantity("Cel", None, 5000.0)}
    with pytest.raises(OutOfLimits):
        command_specs(Furnace)["heat"].check_limits({"target_c": 1300.0}, site=site, device="furnace")


def test_quantities_print_their_limits():
    assert str(Quantity("Cel", None, 1400.0)) == "[-inf, 1400] Cel"


def test_every_error_of_a_driver_is_one_tree():
    assert issubclass(OutOfLimits, Rejected) and issubclass(Rejected, DriverError)
    assert str(DriverError("why", device="a", command="b", wire="> 'x'")) == "a.b: why [wire: > 'x']"


def test_a_sites_limits_reach_the_segments_of_a_profile():
    from drivers.capabilities import Segment
    from drivers.instruments.furnace import FurnaceDriver

    spec = command_specs(FurnaceDriver)["run_profile"]
    assert spec.inner["target_c"].unit == "Cel"
    site = {"target_c": Quantity("Cel", None, 1100.0)}
    cool, hot = (Segment(target_c=target, rate_k_per_min=5.0, hold_s=60.0) for target in (1100.0, 1100.5))
    spec.check_limits({"segments": [cool, cool], "tag": "a"}, site=site, device="furnace")
    with pytest.raises(OutOfLimits, match=r"target_c = 1100.5 is outside \[-inf, 1100\] Cel; nothing was sent"):
        spec.check_limits({"segments": [cool, hot], "tag": "a"}, site=site, device="furnace")
    as_data = [{"target_c": 1200.0, "rate_k_per_min": 5.0, "hold_s": 60.0}]
    with pytest.raises(OutOfLimits):
        spec.check_limits({"segments": as_data, "tag": "a"}, site=site, device="furnace")
