import asyncio
import struct

import numpy as np
import pytest

from drivers.errors import DeviceFault, Rejected, Unreadable
from drivers.instruments.camera import CameraDriver
from drivers.instruments.laser_annealer import LaserAnnealerDriver
from drivers.links.framing import Packet


@pytest.fixture
def camera(lab):
    return lab.driver(CameraDriver, "camera")


def test_it_says_who_it_is(lab, camera):
    async def main():
        assert (await camera.connect()).model == "MC-8"

    lab.run(main)


def test_a_picture_of_bare_film_is_uniform_but_for_noise(lab, camera):
    async def main():
        await camera.connect()
        image = await camera.capture(tag="a")
        assert lab.clock.now_s() == pytest.approx(0.15)
        assert image.pixels.shape == (8, 800, 3) and image.pixels.dtype == np.uint8
        assert image.pixel_um == 5.0
        assert 0.5 < image.pixels.astype(float).std(axis=(0, 1)).max() < 4.0

    lab.run(main)


def test_a_stripe_is_seen_in_the_middle(lab_kind):
    lab = lab_kind(options={"failures": False, "misalignment": False, "noise": False})
    camera, laser = lab.driver(CameraDriver, "camera"), lab.driver(LaserAnnealerDriver, "laser")

    async def main():
        await camera.connect()
        await laser.connect()
        await laser.anneal(peak_temperature_c=1100.0, dwell_us=1000.0, tag="shot")
        image = (await camera.capture(tag="a")).pixels.astype(float)
        change = np.abs(np.diff(image.mean(axis=0), axis=0)).sum(axis=1)
        assert change[150:650].sum() > 10 * (change[:100].sum() + change[-100:].sum())
        assert np.abs(image - image[:, ::-1]).max() <= 1

    lab.run(main)


def test_the_same_tag_is_the_same_picture(lab, camera):
    async def main():
        await camera.connect()
        first = await camera.capture(tag="a")
        at_s = lab.clock.now_s()
        assert np.array_equal((await camera.capture(tag="a")).pixels, first.pixels)
        assert lab.clock.now_s() == at_s
        assert not np.array_equal((await camera.capture(tag="b")).pixels, first.pixels)

    lab.run(main)


def test_another_picture_is_refused_while_one_is_under_way(lab, camera):
    async def main():
        await camera.connect()
        first = asyncio.ensure_future(camera.capture(tag="a"))
        await lab.clock.sleep(0.05)
        with pytest.raises(Rejected, match="busy"):
            await camera.capture(tag="b")
        await first

    lab.run(main)


class Replies:
    """A camera whose answers the test writes."""

    def __init__(self, replies):
        self.send = None
        self.replies = replies

    def receive(self, data):
        opcode, number = struct.unpack_from("<BH", Packet().take(data)[0])
        self.send(Packet().wrap(self.replies[opcode](opcode, number)))


def well(body, status=0):
    return lambda opcode, number: struct.pack("<BHB", opcode | 0x80, number, status) + body


WELL = {
    2: well(struct.pack("<HHf", 1, 2, 5.0)),
    3: well(struct.pack("<d", 0.0)),
    4: well(struct.pack("<d", 0.0)),
    5: well(b"abcdef"),
}


@pytest.mark.parametrize(
    ("opcode", "reply", "error", "match"),
    [
        (2, well(struct.pack("<HHf", 0, 2, 5.0)), Unreadable, "no picture format"),
        (2, well(struct.pack("<HHf", 1, 2, float("nan"))), Unreadable, "no picture format"),
        (2, well(b"123"), Unreadable, "no picture format"),
        (3, well(struct.pack("<d", float("nan"))), Unreadable, "how long"),
        (3, well(b""), Unreadable, "how long"),
        (3, well(b"", status=2), Rejected, "busy"),
        (5, well(b"", status=3), Unreadable, "has no picture"),
        (5, well(b"", status=9), DeviceFault, "status 9"),
        (5, well(b"abcde"), Unreadable, "does not have 5 bytes"),
        (5, lambda opcode, number: WELL[5](opcode, number + 1), Unreadable, "no answer to request"),
        (5, lambda opcode, number: WELL[5](4, number), Unreadable, "no answer to request"),
        (5, lambda opcode, number: b"\x85", Unreadable, "no answer to request"),
    ],
)
def test_replies_that_are_none(lab, opcode, reply, error, match):
    lab.wrap = lambda instrument: Replies({**WELL, opcode: reply})
    camera = lab.driver(CameraDriver, "camera")

    async def main():
        await camera._link.open()
        with pytest.raises(error, match=match):
            await camera.capture(tag="a")

    lab.run(main)


def test_the_same_replies_undamaged_are_a_picture(lab):
    lab.wrap = lambda instrument: Replies(WELL)
    camera = lab.driver(CameraDriver, "camera")

    async def main():
        await camera._link.open()
        assert (await camera.capture(tag="a")).pixels.tobytes() == b"abcdef"

    lab.run(main)
