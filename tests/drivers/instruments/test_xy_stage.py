import asyncio

import pytest

from drivers.command import Effect
from drivers.errors import DeviceFault, OutOfLimits, Rejected, Unreadable
from drivers.instruments.xy_stage import XYStageDriver


@pytest.fixture
def stage(lab):
    return lab.driver(XYStageDriver, "stage")


def test_it_says_who_it_is(lab, stage):
    async def main():
        identity = await stage.connect()
        assert (identity.maker, identity.model, identity.serial, identity.firmware) == (
            "labpilot",
            "XY-160",
            "X0042",
            "2.1",
        )

    lab.run(main)


def test_a_move_takes_the_time_that_the_motor_needs(lab, stage):
    async def main():
        await stage.connect()
        await stage.move(x_mm=40.0, y_mm=0.0)
        # 40 mm at 40 mm/s, 0.1 s lost to the ramps, 0.08 s to settle, then the next 50 ms
        assert lab.clock.now_s() == pytest.approx(1.2)
        located = await stage.locate()
        assert (located.x_mm, located.y_mm, located.is_moving) == (40.0, 0.0, False)
        assert await stage.is_at(x_mm=40.0, y_mm=0.0)
        assert not await stage.is_at(x_mm=40.001, y_mm=0.0)

    lab.run(main)


def test_a_move_takes_few_exchanges(lab, stage):
    async def main():
        await stage.connect()
        stage._number = 0
        await stage.move(x_mm=40.0, y_mm=30.0)
        assert stage._number == 4
        await stage.move(x_mm=40.0, y_mm=30.0)
        assert stage._number == 6

    lab.run(main)


def test_the_stage_is_seen_moving(lab, stage):
    async def main():
        await stage.connect()
        async with asyncio.TaskGroup() as group:
            group.create_task(stage.move(x_mm=40.0, y_mm=0.0))
            await lab.clock.sleep(0.5)
            located = await stage.locate()
            assert located.is_moving
            assert 15.0 < located.x_mm < 20.0

    lab.run(main)


def test_a_stop_during_a_move_brakes_and_the_move_says_so(lab, stage):
    async def main():
        await stage.connect()
        move = asyncio.ensure_future(stage.move(x_mm=40.0, y_mm=0.0))
        await lab.clock.sleep(0.5)
        await stage.stop()
        stopped_s = lab.clock.now_s()
        with pytest.raises(DeviceFault, match=r"stopped at \(.*\) mm on its way to \(40, 0\) mm") as caught:
            await move
        assert caught.value.code == "stopped"
        located = await stage.locate()
        assert not located.is_moving
        assert 17.5 < located.x_mm < 21.0  # 18 mm done, 2 mm to brake
        assert stopped_s - 0.5 < 0.3
        assert not await stage.is_at(x_mm=40.0, y_mm=0.0)
        await stage.stop()
        await stage.move(x_mm=40.0, y_mm=0.0)
        assert await stage.is_at(x_mm=40.0, y_mm=0.0)

    lab.run(main)


def test_a_move_that_is_under_way_is_joined(lab, stage):
    async def main():
        await stage.connect()
        first = asyncio.ensure_future(stage.move(x_mm=40.0, y_mm=0.0))
        await lab.clock.sleep(0.5)
        motion = lab.state.get("stage")
        await stage.move(x_mm=40.0, y_mm=0.0)
        assert lab.clock.now_s() == pytest.approx(1.2)
        assert first.done()
        assert lab.state.get("stage") == motion

    lab.run(main)


def test_a_move_elsewhere_is_refused_while_one_is_under_way(lab, stage):
    async def main():
        await stage.connect()
        first = asyncio.ensure_future(stage.move(x_mm=40.0, y_mm=0.0))
        await lab.clock.sleep(0.5)
        with pytest.raises(Rejected, match=r"on its way to \(40, 0\) mm"):
            await stage.move(x_mm=0.0, y_mm=0.0)
        await first

    lab.run(main)


def test_a_cancelled_move_leaves_the_bus_usable_and_the_stage_moving(lab, stage):
    async def main():
        await stage.connect()
        move = asyncio.ensure_future(stage.move(x_mm=40.0, y_mm=0.0))
        await lab.clock.sleep(0.5)
        move.cancel()
        with pytest.raises(asyncio.CancelledError):
            await move
        assert (await stage.locate()).is_moving
        assert await stage.is_at(x_mm=40.0, y_mm=0.0)

    lab.run(main)


@pytest.mark.parametrize("x_mm", [80.001, -81.0, float("nan")])
def test_limits_are_kept_before_the_wire(lab, stage, x_mm):
    async def main():
        await stage.connect()
        with pytest.raises(OutOfLimits):
            await stage.move(x_mm=x_mm, y_mm=0.0)
        assert lab.state.get("stage") is None

    lab.run(main)


def test_the_controller_has_limits_of_its_own(lab, stage):
    async def main():
        await stage.connect()
        with pytest.raises(Rejected, match=r"outside the soft limits \(BADDATA\)"):
            await stage._start("move abs 80001 0", Effect.VERIFIABLE)

    lab.run(main)


def test_home_is_the_origin(lab, stage):
    async def main():
        await stage.connect()
        await stage.move(x_mm=-3.0, y_mm=7.0)
        await stage.home()
        assert await stage.is_at(x_mm=0.0, y_mm=0.0)

    lab.run(main)


@pytest.mark.parametrize(
    ("reply", "error", "match"),
    [
        (b"@01 0 2 OK IDLE -- 0 0 0 0 0\r\n", Unreadable, "no answer to message 1"),
        (b"@01 0 1 OK IDLE -- 0 0 0 0\r\n", Unreadable, "is no status"),
        (b"@01 0 1 OK IDLE -- 0 0 x 0 0\r\n", Unreadable, "is no status"),
        (b"\xff\xfe\r\n", Unreadable, "no text"),
        (b"@01 0 1 OK IDLE FS 0 0 0 0 0\r\n", DeviceFault, "warning FS"),
        (b"@01 0 1 RJ IDLE -- BADCOMMAND\r\n", Rejected, "does not know"),
    ],
)
def test_replies_that_are_none(lab, device_kind, reply, error, match):
    lab.wrap = lambda instrument: device_kind(lambda line: [(0.0, reply)])
    stage = lab.driver(XYStageDriver, "stage")

    async def main():
        await stage._link.open()
        with pytest.raises(error, match=match):
            await stage.locate()

    lab.run(main)
