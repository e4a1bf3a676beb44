import asyncio

import pytest

from drivers.errors import DeviceFault, NotSent, OutOfLimits, Rejected, Unreadable
from drivers.instruments.laser_annealer import LaserAnnealerDriver
from drivers.links.framing import SealedLine

RECIPE = {"peak_temperature_c": 937.5, "dwell_us": 1000.0}


def seal(text):
    return SealedLine().wrap(text)


@pytest.fixture
def laser(lab):
    return lab.driver(LaserAnnealerDriver, "laser")


def shots(lab):
    return [lab.state.get(key) for key in lab.state.keys("shot/")]


def test_it_says_who_it_is(lab, laser):
    async def main():
        assert (await laser.connect()).model == "LSA-120"

    lab.run(main)


def test_a_shot_is_fired_once_waited_for_and_reported(lab, laser):
    async def main():
        await laser.connect()
        assert await laser.last_shot() is None
        assert not await laser.has_fired(**RECIPE, tag="t1")
        await laser.anneal(**RECIPE, tag="t1")
        # 2 s to charge, 5 mm at 88.2 mm/s, 1 s to cool, then the next 50 ms
        assert lab.clock.now_s() == pytest.approx(3.1)
        assert await laser.has_fired(**RECIPE, tag="t1")
        shot = await laser.last_shot()
        assert (shot.tag, shot.peak_temperature_c, shot.dwell_us) == ("t1", 937.5, 1000.0)
        assert 0.9 < shot.energy_fraction < 1.1

    lab.run(main)
    (shot,) = shots(lab)
    assert (shot["tag"], shot["x_um"], shot["y_um"], shot["time_s"]) == ("t1", 0, 0, 2.0)
    assert (shot["peak_temperature_c"], shot["dwell_us"]) == (937.5, 1000.0)


def test_a_tag_is_never_fired_twice(lab, laser):
    async def main():
        await laser.connect()
        await laser.anneal(**RECIPE, tag="t1")
        ended_s = lab.clock.now_s()
        await laser.anneal(**RECIPE, tag="t1")
        assert lab.clock.now_s() == ended_s

    lab.run(main)
    assert len(shots(lab)) == 1


@pytest.mark.parametrize("after_s", [0.5, 2.5], ids=["charging", "cooling"])
def test_a_shot_that_is_under_way_is_joined(lab, laser, after_s):
    async def main():
        await laser.connect()
        first = asyncio.ensure_future(laser.anneal(**RECIPE, tag="t1"))
        await lab.clock.sleep(after_s)
        await laser.anneal(**RECIPE, tag="t1")
        assert lab.clock.now_s() == pytest.approx(3.1)
        await first

    lab.run(main)
    assert len(shots(lab)) == 1


def test_the_read_back_waits_for_a_shot_under_way(lab, laser):
    async def main():
        await laser.connect()
        first = asyncio.ensure_future(laser.anneal(**RECIPE, tag="t1"))
        await lab.clock.sleep(0.5)
        assert not await laser.has_fired(**RECIPE, tag="another")
        assert lab.clock.now_s() == 0.5
        assert await laser.has_fired(**RECIPE, tag="t1")
        await first

    lab.run(main)


def test_another_shot_is_refused_while_one_is_under_way(lab, laser):
    async def main():
        await laser.connect()
        first = asyncio.ensure_future(laser.anneal(**RECIPE, tag="t1"))
        await lab.clock.sleep(0.5)
        with pytest.raises(Rejected, match="'t1' is in progress for another 2.6 s"):
            await laser.anneal(**RECIPE, tag="t2")
        await first

    lab.run(main)
    assert [shot["tag"] for shot in shots(lab)] == ["t1"]


def test_a_stop_while_charging_means_no_shot(lab, laser):
    async def main():
        await laser.connect()
        first = asyncio.ensure_future(laser.anneal(**RECIPE, tag="t1"))
        await lab.clock.sleep(1.0)
        await laser.stop()
        with pytest.raises(DeviceFault, match="stopped before it fired"):
            await first
        assert not await laser.has_fired(**RECIPE, tag="t1")
        await laser.stop()
        assert shots(lab) == []
        await laser.anneal(**RECIPE, tag="t1")

    lab.run(main)
    assert len(shots(lab)) == 1


def test_a_stop_after_the_shot_is_too_late(lab, laser):
    async def main():
        await laser.connect()
        first = asyncio.ensure_future(laser.anneal(**RECIPE, tag="t1"))
        await lab.clock.sleep(2.5)
        await laser.stop()
        await first

    lab.run(main)
    assert len(shots(lab)) == 1


def test_a_closed_shutter_holds_the_laser_back(lab, laser):
    async def main():
        await laser.connect()
        await laser.close_shutter()
        with pytest.raises(Rejected, match="the shutter is closed"):
            await laser.anneal(**RECIPE, tag="t1")
        await laser.open_shutter()
        await laser.anneal(**RECIPE, tag="t1")

    lab.run(main)
    assert len(shots(lab)) == 1


@pytest.mark.parametrize(
    "wrong", [{"peak_temperature_c": 1400.1}, {"dwell_us": 99.9}, {"dwell_us": float("nan")}, {"dwell_us": 20_000.1}]
)
def test_limits_are_kept_before_the_wire(lab, laser, wrong):
    async def main():
        await laser.connect()
        with pytest.raises(OutOfLimits):
            await laser.anneal(**{**RECIPE, **wrong}, tag="t1")

    lab.run(main)
    assert lab.state.get("laser") is None


def test_a_tag_that_would_break_the_line_is_refused(lab, laser):
    async def main():
        await laser.connect()
        with pytest.raises(Rejected, match="is no tag"):
            await laser.anneal(**RECIPE, tag="t1,STOP")

    lab.run(main)


def test_a_misfire_is_reported_and_no_error(lab_kind):
    lab = lab_kind(options={"misfires": True})
    laser = lab.driver(LaserAnnealerDriver, "laser")

    async def main():
        await laser.connect()
        for number in range(400):
            await laser.anneal(**RECIPE, tag=f"t{number}")
            shot = await laser.last_shot()
            truth = shots(lab)[-1]["truth"]
            assert (shot.energy_fraction == 0.0) == (truth["event"] == "misfire")
            if shot.energy_fraction == 0.0:
                return
        pytest.fail("400 shots without a misfire")

    lab.run(main)


@pytest.mark.parametrize(
    ("reply", "error", "match"),
    [
        (b"STAT,READY,0.0,-,OPEN,-*00\r\n", Unreadable, "checksum"),
        (seal(b"SHOT,0"), Unreadable, "no answer to STAT"),
        (seal(b"STAT,READY,0.0,-"), Unreadable, "no answer to STAT"),
        (seal(b"STAT,READY,nan,-,OPEN,-"), Unreadable, "is no status"),
        (seal(b"STAT,READY,-1.0,-,OPEN,-"), Unreadable, "is no status"),
        (seal(b"ERR,CHECKSUM,the line was damaged"), NotSent, "did nothing"),
        (seal(b"ERR,OVERHEAT,tube at 90 C"), DeviceFault, "OVERHEAT"),
        (seal(b"ERR"), DeviceFault, "answers STAT"),
    ],
)
def test_replies_that_are_none(lab, device_kind, reply, error, match):
    lab.wrap = lambda instrument: device_kind(lambda line: [(0.0, reply)])
    laser = lab.driver(LaserAnnealerDriver, "laser")

    async def main():
        await laser._link.open()
        with pytest.raises(error, match=match):
            await laser.anneal(**RECIPE, tag="t1")

    lab.run(main)


def test_an_echo_that_differs_is_not_taken_for_the_setting(lab, device_kind):
    def answer(line):
        is_status = line.startswith(b"STAT?")
        return [(0.0, seal(b"STAT,READY,0.0,-,OPEN,-" if is_status else b"SET,93.75,1000.0"))]

    device = device_kind(answer)
    lab.wrap = lambda instrument: device
    laser = lab.driver(LaserAnnealerDriver, "laser")

    async def main():
        await laser._link.open()
        with pytest.raises(Exception, match="was set to"):
            await laser.anneal(**RECIPE, tag="t1")

    lab.run(main)
    assert not any(line.startswith(b"FIRE") for line in device.asked)
