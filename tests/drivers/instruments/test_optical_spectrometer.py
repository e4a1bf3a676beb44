import asyncio
import struct
from dataclasses import dataclass, field, replace
from typing import Any
from zlib import crc32

import numpy as np
import pytest

from drivers.capabilities import capabilities_of
from drivers.clock import VirtualClock, VirtualLoop, run_virtual
from drivers.errors import Ambiguous, DeviceFault, DriverError, NotSent, OutOfLimits, Rejected, Unreadable
from drivers.instruments.optical_spectrometer import OpticalSpectrometerDriver
from drivers.instruments.spectra import HEADER, read_frame, read_wavelengths, reflectance
from drivers.links.opening import memory_link
from drivers.links.tap import Direction, Tap
from drivers.manifest import missing_facts
from simulators.faults import Fault, FaultyWire, Strike
from simulators.instruments.optical_spectrometer import OpticalSpectrometerWorld
from simulators.world import WorldFile

SHORT = {"exposure_s": 0.05, "averages": 1, "tag": "s-1"}


@dataclass
class Bench:
    options: dict[str, Any] = field(default_factory=dict)
    state: WorldFile = field(default_factory=lambda: WorldFile(":memory:"))

    def __post_init__(self):
        self.loop = VirtualLoop()
        self.clock = VirtualClock(self.loop)
        self.world = OpticalSpectrometerWorld(state=self.state, clock=self.clock, seed=5, options=self.options)
        self.device = self.world.spectrometer
        self.wire = FaultyWire(self.device, seed=3)
        link = memory_link(self.wire, self.clock, name="sim:optical-spectrometer/spectrometer")
        link.tap = Tap(self.clock, keep=4000)
        self.spectrometer = OpticalSpectrometerDriver(link, self.clock, name="spectrometer")

    def run(self, main):
        async def whole():
            await self.spectrometer.connect()
            await main()

        run_virtual(whole(), loop=self.loop)

    def sent(self):
        return [row.data for row in self.spectrometer._link.tap if row.direction is Direction.SENT]

    def frame_of(self, counts):
        """Return the frame that counts are of, by comparing."""
        boot = self.state.get("spectrometer")["boot"]
        for number in range(1, self.device.frames.at(self.clock.now_s()).number):
            frame = self.device.frames.frame(number)
            if np.array_equal(self.device.light.counts(frame, boot), counts):
                return frame
        return None


def test_it_has_its_capabilities():
    assert {"Spectrometer", "Switchable", "Stoppable"} <= set(capabilities_of(OpticalSpectrometerDriver))
    assert missing_facts(OpticalSpectrometerDriver.manifest) == []


def test_exact_requests():
    bench = Bench()

    async def main():
        assert (await bench.spectrometer.identify()).model == "OS-1024"
        # IEEE 488.2, 7.3.3: message units are joined by ';'; SCPI-1999 vol. 1, 6.2.4: ':' goes back to the root
        await bench.spectrometer.switch_on()
        await bench.spectrometer.acquire(**SHORT)
        assert [line for line in bench.sent() if not line.startswith((b"*IDN", b"FETC", b"SENS:FRAM"))] == [
            b"OUTP:LAMP ON;:OUTP:LAMP?\n",
            b"OUTP:LAMP:STAT?\n",
            b"INP:SHUT?\n",
            b"SENS:WAV?\n",
            b"SENS:WAV?\n",
            b"SENS:SAT?\n",
            b"SENS:SAT?\n",
            b"SENS:EXP 0.05;:INIT:CONT ON;:SENS:EXP?;:INIT:CONT?;:SENS:FRAM?\n",
        ]

    bench.run(main)


def test_frames_of_the_old_exposure_are_thrown_away():
    bench = Bench()

    async def main():
        await bench.clock.sleep(1.03)
        asked_s = bench.clock.now_s()
        taken = await bench.spectrometer.acquire(exposure_s=0.4, averages=1, tag="s-1")
        frame = bench.frame_of(taken.counts)
        assert frame.exposure_s == taken.exposure_s == 0.4
        assert frame.start_s >= asked_s
        # the one in progress and the next still had 0.1 s
        assert [bench.device.frames.frame(frame.number - back).exposure_s for back in (1, 2)] == [0.1, 0.1]

    bench.run(main)


def test_a_frame_that_began_before_is_stale_even_with_the_same_exposure():
    bench = Bench()

    async def main():
        await bench.clock.sleep(1.03)
        asked_s = bench.clock.now_s()
        taken = await bench.spectrometer.acquire(exposure_s=0.1, averages=1, tag="s-1")
        assert bench.frame_of(taken.counts).start_s >= asked_s

    bench.run(main)


def test_averages_are_of_different_frames():
    bench = Bench()

    async def main():
        one = await bench.spectrometer.acquire(exposure_s=0.05, averages=1, tag="one")
        many = await bench.spectrometer.acquire(exposure_s=0.05, averages=50, tag="many")
        assert (many.averages, many.tag, many.saturation_counts) == (50, "many", 65535.0)
        smooth = bench.device.light.expected(bench.device.frames.frame(5))
        single, mean = (one.counts - smooth).std(), (many.counts - smooth).std()
        assert mean < 0.25 * single

    bench.run(main)


def test_dark_reference_and_sample_give_the_true_reflectance():
    bench = Bench()
    order = {"exposure_s": 0.1, "averages": 20}

    async def main():
        await bench.spectrometer.switch_on()
        await bench.clock.sleep(1800.0)
        dark = await bench.spectrometer.acquire_dark(**order, tag="dark")
        assert await bench.spectrometer.is_shutter_open()
        reference = await bench.spectrometer.acquire_reference(**order, tag="white")
        bench.device.place("film")
        sample = await bench.spectrometer.acquire(**order, tag="film")
        share = reflectance(sample, dark=dark, reference=reference)
        is_bright = np.abs(sample.wavelength_nm - 650.0) < 200.0
        true = bench.device.light.reflectance("film")
        assert np.abs(share - true)[is_bright].max() < 0.015

    bench.run(main)


def test_reflectance_is_nothing_where_nothing_can_be_known():
    bench = Bench()

    async def main():
        await bench.spectrometer.switch_on()
        await bench.clock.sleep(1800.0)
        taken = {}
        for exposure_s in (0.1, 1.0):
            taken["dark", exposure_s] = await bench.spectrometer.acquire_dark(
                exposure_s=exposure_s, averages=1, tag="dark"
            )
            taken["white", exposure_s] = await bench.spectrometer.acquire(
                exposure_s=exposure_s, averages=1, tag="white"
            )
        white, dark = taken["white", 1.0], taken["dark", 1.0]
        share = reflectance(white, dark=dark, reference=white)
        assert np.isnan(share[white.counts >= 65535]).all()
        assert share[white.counts < 60000] == pytest.approx(1.0)
        with pytest.raises(ValueError, match="exposures differ"):
            reflectance(white, dark=taken["dark", 0.1], reference=white)
        shifted = replace(dark, wavelength_nm=dark.wavelength_nm + 1.0)
        with pytest.raises(ValueError, match="wavelengths of dark and white differ"):
            reflectance(white, dark=shifted, reference=white)
        with pytest.raises(Rejected, match="saturated; expose less"):
            await bench.spectrometer.acquire_reference(exposure_s=1.0, averages=1, tag="white")
        unlit = reflectance(dark, dark=dark, reference=dark)
        assert np.isnan(unlit).all()

    bench.run(main)


@pytest.mark.parametrize("is_open", [True, False], ids=["open", "closed"])
def test_a_dark_spectrum_leaves_the_shutter_as_it_was(is_open):
    bench = Bench()

    async def main():
        await bench.spectrometer.switch_on()
        await bench.clock.sleep(100.0)
        await (bench.spectrometer.open_shutter() if is_open else bench.spectrometer.close_shutter())
        dark = await bench.spectrometer.acquire_dark(**SHORT)
        assert dark.counts.mean() == pytest.approx(1010.0, abs=3.0)
        assert await bench.spectrometer.is_shutter_open() is is_open

    bench.run(main)


def test_through_a_closed_shutter_nothing_is_taken():
    bench = Bench()

    async def main():
        await bench.spectrometer.close_shutter()
        with pytest.raises(Rejected, match="open_shutter"):
            await bench.spectrometer.acquire(**SHORT)
        with pytest.raises(Rejected, match="the lamp is off"):
            await bench.spectrometer.acquire_reference(**SHORT)
        await bench.spectrometer.switch_on()
        with pytest.raises(Rejected, match="shutter is closed"):
            await bench.spectrometer.acquire_reference(**SHORT)

    bench.run(main)


def test_a_shutter_that_moves_meanwhile_spoils_the_spectrum():
    bench = Bench()

    async def main():
        taking = asyncio.ensure_future(bench.spectrometer.acquire(exposure_s=1.0, averages=3, tag="s-1"))
        await bench.clock.sleep(2.0)
        bench.device.press_shutter()
        with pytest.raises(Unreadable, match="instead of 3 frames of 1 s with the shutter open"):
            await taking

    bench.run(main)


def test_a_lamp_that_goes_out_meanwhile_spoils_the_reference():
    bench = Bench()

    async def main():
        await bench.spectrometer.switch_on()
        taking = asyncio.ensure_future(bench.spectrometer.acquire_reference(exposure_s=0.1, averages=30, tag="white"))
        await bench.clock.sleep(1.0)
        bench.device.front_panel()
        with pytest.raises(Unreadable, match="and the lamp on"):
            await taking

    bench.run(main)


@pytest.mark.parametrize(
    "change", [{"exposure_s": 11.0}, {"exposure_s": 0.0}, {"averages": 0}, {"averages": 101}], ids=str
)
def test_limits_are_kept_before_the_wire(change):
    bench = Bench()

    async def main():
        sent = len(bench.sent())
        with pytest.raises(OutOfLimits):
            await bench.spectrometer.acquire(**SHORT | change)
        assert len(bench.sent()) == sent

    bench.run(main)


def test_the_lamp_is_switched():
    bench = Bench()

    async def main():
        assert not await bench.spectrometer.is_on()
        await bench.spectrometer.switch_on()
        await bench.clock.sleep(30.0)
        assert await bench.spectrometer.is_on()
        assert await bench.spectrometer.lamp_on_s() == pytest.approx(30.0)
        await bench.spectrometer.switch_off()
        assert not await bench.spectrometer.is_on()
        assert await bench.spectrometer.lamp_on_s() == 0.0

    bench.run(main)


def test_a_lamp_that_failed_needs_a_person():
    bench = Bench({"lamp_fails_after_s": 100.0})

    async def main():
        await bench.spectrometer.switch_on()
        await bench.clock.sleep(101.0)
        for command in (bench.spectrometer.is_on, bench.spectrometer.switch_on):
            with pytest.raises(DeviceFault, match="lamp has failed") as fault:
                await command()
            assert (fault.value.code, fault.value.needs_operator) == ("lamp", True)
        with pytest.raises(DeviceFault, match="lamp has failed"):
            await bench.spectrometer.acquire_reference(**SHORT)

    bench.run(main)


@pytest.mark.parametrize("name", ["acquire", "acquire_dark"])
def test_stop_ends_an_acquisition_and_leaves_the_shutter_closed(name):
    bench = Bench()

    async def main():
        taking = asyncio.ensure_future(getattr(bench.spectrometer, name)(exposure_s=2.0, averages=5, tag="s-1"))
        await bench.clock.sleep(3.0)
        began_s = bench.clock.now_s()
        await bench.spectrometer.stop()
        await bench.spectrometer.stop()
        assert bench.clock.now_s() - began_s < 0.5
        with pytest.raises(DeviceFault, match="stopped"):
            await taking
        assert not await bench.spectrometer.is_shutter_open()
        await bench.spectrometer.open_shutter()
        await bench.spectrometer.acquire(**SHORT)

    bench.run(main)


def test_a_stop_that_overtakes_an_opening_shutter_closes_it():
    bench = Bench()

    async def main():
        await bench.spectrometer.close_shutter()
        bench.wire.arm([Strike(fault=Fault.LATE, late_s=0.3)])
        reading = asyncio.ensure_future(bench.spectrometer.is_on())
        await bench.clock.sleep(0.01)
        opening = asyncio.ensure_future(bench.spectrometer.open_shutter())
        await bench.clock.sleep(0.01)
        await bench.spectrometer.stop()
        await reading
        await opening
        assert not await bench.spectrometer.is_shutter_open()

    bench.run(main)


def test_a_dark_spectrum_that_could_not_put_the_shutter_back_does_so_when_repeated():
    bench = Bench()

    async def main():
        await bench.spectrometer.acquire(**SHORT)
        fetches = len(bench.sent())
        await bench.spectrometer.acquire_dark(**SHORT)
        exchanges = len(bench.sent()) - fetches
        bench.wire.arm([None] * (exchanges - 1) + [Strike(fault=Fault.DROP_REQUEST)])
        with pytest.raises(Ambiguous):
            await bench.spectrometer.acquire_dark(**SHORT)
        assert not await bench.spectrometer.is_shutter_open()
        await bench.spectrometer.acquire_dark(**SHORT)
        assert await bench.spectrometer.is_shutter_open()

    bench.run(main)


def test_a_restart_while_acquiring_is_no_spectrum():
    bench = Bench()

    async def main():
        taking = asyncio.ensure_future(bench.spectrometer.acquire(exposure_s=1.0, averages=3, tag="s-1"))
        await bench.clock.sleep(2.0)
        bench.device.restart()
        with pytest.raises(Unreadable):
            await taking
        assert not await bench.spectrometer.is_shutter_open()

    bench.run(main)


def sealed(header, counts):
    data = header + counts
    return data + struct.pack("<I", crc32(data))


def test_a_frame_is_read_whole_or_not_at_all():
    header = HEADER.pack(7, 1 | 2, 0.5, 12.0, 25.0, 3)
    whole = sealed(header, b"\x01\x00\x02\x00\xff\xff")
    frame = read_frame(whole, 3)
    assert (frame.number, frame.is_open, frame.has_moved, frame.exposure_s) == (7, True, True, 0.5)
    assert frame.counts.tolist() == [1.0, 2.0, 65535.0]
    for cut in range(len(whole)):
        with pytest.raises(ValueError, match="bytes, this one"):
            read_frame(whole[:cut], 3)
    with pytest.raises(ValueError, match="checksum"):
        read_frame(whole[:-5] + b"\x00" + whole[-4:], 3)
    with pytest.raises(ValueError, match="3 pixels and not 2"):
        read_frame(sealed(header, b"\x01\x00\x02\x00"), 2)


@pytest.mark.parametrize(
    "data",
    [b"", b"\x00" * 7, struct.pack("<2d", 2.0, 1.0), struct.pack("<2d", 1.0, float("nan"))],
    ids=["none", "half", "descending", "nan"],
)
def test_what_are_no_wavelengths(data):
    with pytest.raises(ValueError, match="no ascending wavelengths"):
        read_wavelengths(data)


@pytest.mark.parametrize("fault", list(Fault), ids=lambda fault: fault.value)
@pytest.mark.parametrize("at", [0, 3, 5, 7])
def test_a_spectrum_is_a_true_frame_whatever_the_wire_does(at, fault):
    bench = Bench()

    async def main():
        if fault is Fault.WRONG_UNIT:
            return
        bench.wire.arm([None] * at + [Strike(fault=fault, late_s=6.0 if fault is Fault.TOO_LATE else 0.1)])
        for _ in range(5):
            try:
                taken = await bench.spectrometer.acquire(**SHORT)
                break
            except (NotSent, Unreadable, Rejected) as error:
                assert (error.device, error.command) == ("spectrometer", "acquire")
                bench.wire.revive()
                await bench.clock.sleep(6.0)
                await bench.spectrometer.close()
                await bench.spectrometer.connect()
                await bench.spectrometer.open_shutter()
        else:
            pytest.fail("it did not settle")
        assert taken.exposure_s == 0.05
        assert bench.frame_of(taken.counts).exposure_s == 0.05

    bench.run(main)


@pytest.mark.parametrize("fault", list(Fault), ids=lambda fault: fault.value)
@pytest.mark.parametrize(
    "name", ["identify", "switch_on", "switch_off", "is_on", "open_shutter", "close_shutter", "stop", "acquire_dark"]
)
def test_only_declared_errors_leave_it(name, fault):
    bench = Bench()

    async def main():
        if fault is Fault.WRONG_UNIT:
            return
        bench.wire.arm([None, Strike(fault=fault, late_s=1.2 if fault is Fault.TOO_LATE else 0.1)])
        for _ in range(2):
            try:
                await getattr(bench.spectrometer, name)(**(SHORT if name == "acquire_dark" else {}))
            except DriverError as error:
                assert (error.device, error.command) == ("spectrometer", name)
        bench.wire.revive()
        await bench.clock.sleep(8.0)
        await bench.spectrometer.close()
        assert (await bench.spectrometer.connect()).serial == "S0091"

    bench.run(main)
