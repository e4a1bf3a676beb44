"""Devices of ophyd-async as drivers: what a user writes."""

from functools import cached_property

from drivers.adapters.ophyd_async import Connection, Move, Reading, adapted
from drivers.manifest import Manifest


def _manifest(model):
    return Manifest(
        maker="ophyd-async",
        model=model,
        wires=("ca",),
        manual="ophyd-async 0.21.3, ophyd_async.epics.motor",
        if_host_dies="Finishes its move and holds its position.",
    )


def _move(*, high=75, **how):
    position = Reading(name="read_position", unit="mm", low=-1000, high=1000, tolerance=0.01, **how)
    return Move(
        argument="position_mm", low=-25, high=high, tolerance=0.01, example=5.0, read_back=position, within_s=30.0
    )


MOVE = _move()

MockMotor = adapted(
    "ophyd_async.epics.motor:Motor",
    manifest=_manifest("mock motor"),
    readings=[MOVE.read_back],
    move=MOVE,
    connection=Connection(mock=True),
)


def _slow_motor(prefix):
    from ophyd_async.sim import SimMotor

    return SimMotor(instant=False)


SoftMotor = adapted(
    _slow_motor,
    manifest=_manifest("soft motor"),
    readings=[
        MOVE.read_back,
        Reading(name="read_in_inches", unit="[in_i]", low=-10, high=10),
        Reading(name="read_nothing", key="nothing", unit="mm", low=0, high=1),
    ],
    move=MOVE,
    connection=Connection(is_soft=True),
)

EpicsMotor = adapted("ophyd_async.epics.motor:Motor", manifest=_manifest("motor record"), move=MOVE)


def _stage(prefix):
    from ophyd_async.core import MovableLogic, StandardMovable, StandardReadable, wait_for_value
    from ophyd_async.epics.core import epics_signal_r, epics_signal_rw, epics_signal_w

    class Logic(MovableLogic[float]):
        def __init__(self, stage):
            super().__init__(setpoint=stage.setpoint, readback=stage.readback)
            self.stage = stage

        async def stop(self):
            await self.stage.halt.set(1)

        async def move(self, new_position, timeout):
            await self.setpoint.set(new_position)
            await wait_for_value(self.stage.done, 1, timeout=timeout())

    class Stage(StandardReadable, StandardMovable[float]):
        def __init__(self, prefix):
            with self.add_children_as_readables():
                self.readback = epics_signal_r(float, f"{prefix}RBV")
            self.setpoint = epics_signal_rw(float, f"{prefix}VAL")
            self.done = epics_signal_r(int, f"{prefix}DMOV")
            self.halt = epics_signal_w(int, f"{prefix}STOP", wait=False)
            super().__init__()

        @cached_property
        def movable_logic(self):
            return Logic(self)

    return Stage(prefix)


# the records of the simulated IOC say their unit in a channel of their own, and end at 75 mm
IOC_MOVE = _move(high=200, device_unit="")

IocStage = adapted(_stage, manifest=_manifest("stage"), readings=[IOC_MOVE.read_back], move=IOC_MOVE)
