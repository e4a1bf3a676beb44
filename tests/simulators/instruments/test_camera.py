import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.links.framing import Packet
from simulators.instruments.camera import COLUMNS, ROWS, Camera, Status
from simulators.world import WorldFile

PACKET = Packet()


class Wall:
    place = 1

    def here(self):
        return {"place": self.place}

    def picture(self, here, *, offset_mm, rows, tag):
        assert offset_mm[0] == -offset_mm[-1] == pytest.approx(-1.9975)
        return bytes([here["place"]]) * (rows * len(offset_mm) * 3)


@pytest.fixture
def wall():
    return Wall()


@pytest.fixture
def camera(desk, wall):
    return Camera(wall, state=desk.state, clock=desk)


def ask(desk, camera, opcode, body=b"", number=513):
    reply, _ = PACKET.take(desk.ask(camera, PACKET.wrap(struct.pack("<BH", opcode, number) + body)))
    assert struct.unpack_from("<BH", reply) == (opcode | 0x80, number)
    return Status(reply[3]), reply[4:]


def test_a_conversation(desk, wall, camera):
    assert ask(desk, camera, 1) == (Status.WELL, b"labpilot\nMC-8\nC0301\n0.9")
    assert ask(desk, camera, 2) == (Status.WELL, struct.pack("<HHf", ROWS, COLUMNS, 5.0))
    assert ask(desk, camera, 5, b"a") == (Status.ABSENT, b"")
    assert math.isnan(struct.unpack("<d", ask(desk, camera, 4, b"a")[1])[0])
    assert struct.unpack("<d", ask(desk, camera, 3, b"a")[1]) == (0.15,)
    assert ask(desk, camera, 5, b"a") == (Status.ABSENT, b"")
    assert ask(desk, camera, 3, b"b") == (Status.BUSY, b"")
    wall.place, desk.time_s = 2, 0.15
    assert ask(desk, camera, 4, b"a") == (Status.WELL, struct.pack("<d", 0.0))
    assert ask(desk, camera, 5, b"a") == (Status.WELL, b"\x01" * (ROWS * COLUMNS * 3))
    assert ask(desk, camera, 3, b"a") == (Status.WELL, struct.pack("<d", 0.0))
    assert list(desk.state.keys()) == ["camera/frame/a"]


@pytest.mark.parametrize(("opcode", "body"), [(0, b""), (99, b"x"), (3, b""), (5, b"")])
def test_what_it_does_not_know(desk, camera, opcode, body):
    assert ask(desk, camera, opcode, body) == (Status.UNKNOWN, b"")


def test_a_payload_too_short_for_a_request_gets_no_reply(desk, camera):
    assert desk.ask(camera, PACKET.wrap(b"\x01")) == b""


def test_a_restored_camera_finishes_its_picture(desk, wall, camera):
    ask(desk, camera, 3, b"a")
    wall.place, desk.time_s = 2, 0.1
    again = Camera(wall, state=desk.state, clock=desk)
    assert struct.unpack("<d", ask(desk, again, 4, b"a")[1])[0] == pytest.approx(0.05)
    desk.time_s = 0.2
    assert ask(desk, again, 5, b"a")[1][:1] == b"\x01"


@given(payload=st.binary(max_size=40))
def test_nothing_that_is_sent_breaks_it(payload):
    class Desk:
        def now_s(self):
            return 0.0

    camera = Camera(Wall(), state=WorldFile(":memory:"), clock=Desk())
    heard = []
    camera.send = heard.append
    camera.receive(PACKET.wrap(payload))
    camera.receive(PACKET.wrap(b"\x01\x00\x00"))
    assert heard[-1] == PACKET.wrap(b"\x81\x00\x00\x00labpilot\nMC-8\nC0301\n0.9")
