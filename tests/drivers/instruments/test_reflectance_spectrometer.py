import asyncio
import struct
from zlib import crc32

import numpy as np
import pytest

from drivers.errors import OutOfLimits, Rejected, Unreadable
from drivers.instruments.reflectance_spectrometer import ReflectanceSpectrometerDriver
from drivers.instruments.xy_stage import XYStageDriver
from drivers.links.framing import Block

SHORT = {"exposure_s": 0.05, "averages": 4}


@pytest.fixture
def spectrometer(lab):
    return lab.driver(ReflectanceSpectrometerDriver, "spectrometer")


def frames(lab):
    return list(lab.state.keys("spectrometer/frame/"))


def test_it_says_who_it_is(lab, spectrometer):
    async def main():
        assert (await spectrometer.connect()).model == "RS-1200"

    lab.run(main)


def test_a_spectrum(lab, spectrometer):
    async def main():
        await spectrometer.connect()
        taken = await spectrometer.acquire(**SHORT, tag="a")
        assert lab.clock.now_s() == pytest.approx(0.25)  # 4 x 50 ms, 20 ms to read out, then the next 50 ms
        assert taken.wavelength_nm.shape == taken.counts.shape == (1200,)
        assert (taken.wavelength_nm[0], taken.wavelength_nm[-1]) == (350.0, 900.0)
        assert (taken.exposure_s, taken.averages, taken.tag) == (0.05, 4, "a")
        assert taken.counts.min() > 0.0 and taken.counts.max() < taken.saturation_counts

    lab.run(main)


def test_the_same_tag_is_the_same_frame_and_no_new_exposure(lab, spectrometer):
    async def main():
        await spectrometer.connect()
        first = await spectrometer.acquire(**SHORT, tag="a")
        at_s = lab.clock.now_s()
        again = await spectrometer.acquire(**SHORT, tag="a")
        assert lab.clock.now_s() == at_s
        assert np.array_equal(first.counts, again.counts)
        other = await spectrometer.acquire(**SHORT, tag="b")
        assert not np.array_equal(first.counts, other.counts)

    lab.run(main)
    assert frames(lab) == ["spectrometer/frame/a", "spectrometer/frame/b"]


def test_a_kept_frame_does_not_follow_the_stage(lab, spectrometer):
    stage = lab.driver(XYStageDriver, "stage")

    async def main():
        await spectrometer.connect()
        await stage.connect()
        await stage.move(x_mm=-74.0, y_mm=0.0)
        mirror = await spectrometer.acquire(**SHORT, tag="mirror")
        await stage.move(x_mm=74.0, y_mm=0.0)
        blank = await spectrometer.acquire(**SHORT, tag="blank")
        again = await spectrometer.acquire(**SHORT, tag="mirror")
        assert np.array_equal(mirror.counts, again.counts)
        assert mirror.counts.mean() > 5 * blank.counts.mean()

    lab.run(main)


def test_an_exposure_that_is_under_way_is_joined(lab, spectrometer):
    async def main():
        await spectrometer.connect()
        first = asyncio.ensure_future(spectrometer.acquire(exposure_s=1.0, averages=2, tag="a"))
        await lab.clock.sleep(0.7)
        second = await spectrometer.acquire(exposure_s=1.0, averages=2, tag="a")
        assert lab.clock.now_s() == pytest.approx(2.05)
        assert np.array_equal((await first).counts, second.counts)

    lab.run(main)
    assert len(frames(lab)) == 1


def test_another_exposure_is_refused_while_one_is_under_way(lab, spectrometer):
    async def main():
        await spectrometer.connect()
        first = asyncio.ensure_future(spectrometer.acquire(exposure_s=1.0, averages=1, tag="a"))
        await lab.clock.sleep(0.5)
        with pytest.raises(Rejected, match="an exposure is running"):
            await spectrometer.acquire(exposure_s=1.0, averages=1, tag="b")
        await first

    lab.run(main)


def test_a_tag_taken_with_other_settings_is_not_passed_off(lab, spectrometer):
    async def main():
        await spectrometer.connect()
        await spectrometer.acquire(exposure_s=0.1, averages=1, tag="a")
        with pytest.raises(Rejected, match="exposed 1 x 0.1 s and not 1 x 0.2 s"):
            await spectrometer.acquire(exposure_s=0.2, averages=1, tag="a")

    lab.run(main)


def test_a_bright_spectrum_saturates(lab, spectrometer):
    stage = lab.driver(XYStageDriver, "stage")

    async def main():
        await spectrometer.connect()
        await stage.connect()
        await stage.move(x_mm=-74.0, y_mm=0.0)
        taken = await spectrometer.acquire(exposure_s=1.0, averages=1, tag="bright")
        assert taken.counts.max() == pytest.approx(taken.saturation_counts, rel=1e-4)

    lab.run(main)


@pytest.mark.parametrize("wrong", [{"exposure_s": 0.0}, {"exposure_s": 11.0}, {"averages": 0}, {"averages": 101}])
def test_limits_are_kept_before_the_wire(lab, spectrometer, wrong):
    async def main():
        await spectrometer.connect()
        with pytest.raises(OutOfLimits):
            await spectrometer.acquire(**{**SHORT, **wrong}, tag="a")

    lab.run(main)
    assert frames(lab) == []


def frame(counts, *, tag="a", exposure_s=0.05, averages=4):
    data = np.asarray(counts, dtype="<f4").tobytes() + struct.pack("<dI", exposure_s, averages)
    return Block().wrap(data + struct.pack("<I", crc32(data, crc32(tag.encode()))))


def axis(values):
    return Block().wrap(np.asarray(values, dtype="<f8").tobytes())


WELL = {
    b"SENS:WAV?": axis([400.0, 500.0]),
    b"SENS:SAT?": b"64000.0\n",
    b"SENS": b'"a",DONE,0.000000\n',
    b"READ?": frame([1.0, 2.0]),
}


@pytest.mark.parametrize(
    ("question", "reply", "match"),
    [
        (b"SENS:WAV?", axis([500.0, 400.0]), "do not ascend"),
        (b"SENS:WAV?", axis([400.0, float("nan")]), "no wavelengths"),
        (b"SENS:WAV?", Block().wrap(b"1234567"), "no wavelengths"),
        (b"SENS:WAV?", Block().wrap(b""), "no wavelengths"),
        (b"SENS:SAT?", b"nan\n", "no saturation"),
        (b"SENS", b'"b",DONE,0.000000\n', "no state of 'a'"),
        (b"SENS", b"DONE\n", "no state"),
        (b"SENS", b'"a",RUN,nan\n', "not finite"),
        (b"READ?", frame([1.0]), "has 24 bytes, this one 20"),
        (b"READ?", frame([1.0, 2.0], tag="b"), "another frame"),
        (b"READ?", frame([1.0, float("nan")]), "no numbers"),
        (b"READ?", b"1.0,2.0\n", "starts with '#'"),
    ],
)
def test_replies_that_are_none(lab, device_kind, question, reply, match):
    replies = {**WELL, question: reply}

    def answer(line):
        return [(0.0, next(text for head, text in replies.items() if line.startswith(head)))]

    lab.wrap = lambda instrument: device_kind(answer)
    spectrometer = lab.driver(ReflectanceSpectrometerDriver, "spectrometer")

    async def main():
        await spectrometer._link.open()
        with pytest.raises(Unreadable, match=match):
            await spectrometer.acquire(**SHORT, tag="a")

    lab.run(main)


def test_the_same_replies_undamaged_are_a_spectrum(lab, device_kind):
    lab.wrap = lambda i: device_kind(lambda line: [(0.0, next(t for h, t in WELL.items() if line.startswith(h)))])
    spectrometer = lab.driver(ReflectanceSpectrometerDriver, "spectrometer")

    async def main():
        await spectrometer._link.open()
        taken = await spectrometer.acquire(**SHORT, tag="a")
        assert taken.counts.tolist() == [1.0, 2.0] and taken.saturation_counts == 64_000.0

    lab.run(main)
