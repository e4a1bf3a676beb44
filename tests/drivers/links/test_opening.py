import asyncio
from types import SimpleNamespace

import pytest

from drivers.clock import RealClock, VirtualClock, VirtualLoop, run_virtual
from drivers.command import Effect
from drivers.errors import Ambiguous, NotConnected, Unreadable
from drivers.links.channels import Channels, MemoryChannels
from drivers.links.http import HttpBus
from drivers.links.memory import MemoryLink
from drivers.links.modbus import ModbusBus
from drivers.links.opening import WIRES, memory_link, open_link, real_link
from drivers.links.serial import SerialLink
from drivers.links.tap import Tap
from drivers.links.tcp import TcpLink
from drivers.links.url import BadURL, parse_url

REAL = {
    "serial:///dev/ttyUSB7?baud=115200": SerialLink,
    "serial://usb:0403:6001:A50285BI": SerialLink,
    "rfc2217://moxa:4001": SerialLink,
    "tcp://xrd:702": TcpLink,
    "modbus+rtu:///dev/ttyUSB7?unit=3": ModbusBus,
    "modbus+tcp://plc/3": ModbusBus,
    "http://dosing:8080/api": HttpBus,
    "ca://LAB:HS1:?addr=127.0.0.1:5064": Channels,
}


class Worlds:
    def __init__(self, link):
        self.link = link
        self.asked = []

    def resolve(self, world, instrument):
        self.asked.append((world, instrument))
        return self.link


@pytest.fixture
def virtual():
    loop = VirtualLoop()
    yield VirtualClock(loop)
    loop.close()


@pytest.mark.parametrize(("url", "kind"), REAL.items(), ids=REAL)
def test_each_scheme_gives_its_kind_of_link_closed_and_tapped(url, kind):
    link = open_link(url, RealClock())
    assert isinstance(link, kind)
    assert not link.is_open
    assert isinstance(link.tap, Tap)
    asyncio.run(link.close())


@pytest.mark.parametrize("url", REAL)
def test_a_real_port_is_out_of_reach_in_virtual_time(virtual, url):
    with pytest.raises(BadURL, match="virtual time; simulate with a sim: address"):
        open_link(url, virtual)


def test_a_simulator_is_no_real_port():
    with pytest.raises(BadURL, match="sim:furnace is no real port"):
        real_link(parse_url("sim:furnace"), RealClock())


def test_a_modbus_line_falls_silent_between_frames():
    bus = real_link(parse_url("modbus+rtu:///dev/ttyUSB7?baud=9600"), RealClock())
    assert bus._link._pause_s == pytest.approx(0.004, abs=1e-4)
    assert real_link(parse_url("serial:///dev/ttyUSB7"), RealClock())._pause_s == 0.0


def test_units_behind_a_gateway_and_services_on_a_host_are_held_one_by_one():
    assert real_link(parse_url("modbus+tcp://plc/3"), RealClock())._link._part == "/3"
    assert real_link(parse_url("http://dosing/api"), RealClock())._link._part == "/api"


def test_a_host_header_names_the_port_and_brackets_ipv6():
    bus = real_link(parse_url("http://[::1]:8080/api"), RealClock())
    assert b"\r\nHost: [::1]:8080\r\n" in bus._request("GET", "/door", None)
    assert bus._request("GET", "/door", None).startswith(b"GET /api/door HTTP/1.1\r\n")


def test_a_sim_address_is_resolved_by_the_worlds_and_tapped(virtual):
    link = MemoryLink(SimpleNamespace(send=None, hang_up=None), virtual, name="sim:a/b")
    worlds = Worlds(link)
    assert open_link("sim:a/b", virtual, worlds) is link
    assert worlds.asked == [("a", "b")]
    assert isinstance(link.tap, Tap)


def test_a_world_of_one_instrument_is_asked_for_it_without_a_name(virtual):
    worlds = Worlds(MemoryLink(SimpleNamespace(send=None, hang_up=None), virtual, name="sim:furnace"))
    open_link("sim:furnace", virtual, worlds)
    assert worlds.asked == [("furnace", "")]


WIRE_KINDS = {
    "serial": MemoryLink,
    "tcp": MemoryLink,
    "modbus+rtu": ModbusBus,
    "modbus+tcp": ModbusBus,
    "http": HttpBus,
    "ca": MemoryChannels,
}


def test_every_wire_has_its_kind():
    assert set(WIRE_KINDS) == set(WIRES)


@pytest.mark.parametrize(("wire", "kind"), WIRE_KINDS.items(), ids=WIRE_KINDS)
def test_an_instrument_in_memory_says_what_it_speaks(virtual, wire, kind):
    link = memory_link(SimpleNamespace(send=None, hang_up=None, wire=wire), virtual, name="sim:a/b")
    assert type(link) is kind
    assert link.name == "sim:a/b"
    assert not link.is_open


def test_an_instrument_that_does_not_say_speaks_serial(virtual):
    assert type(memory_link(SimpleNamespace(), virtual, name="sim:a/b")) is MemoryLink


def test_a_wire_that_there_is_not(virtual):
    with pytest.raises(BadURL, match="speaks 'gpib', which is none of serial, tcp"):
        memory_link(SimpleNamespace(wire="gpib"), virtual, name="sim:a/b")


@pytest.mark.parametrize("wire", ["modbus+rtu", "modbus+tcp", "http"])
def test_a_bus_hands_its_tap_and_its_distrust_down(wire):
    loop = VirtualLoop()
    clock = VirtualClock(loop)
    sent = []
    peer = SimpleNamespace(send=None, hang_up=None, wire=wire, receive=sent.append)

    async def main():
        bus = memory_link(peer, clock, name="sim:a/b")
        assert bus.tap is None
        bus.tap = tap = Tap(clock)
        assert bus.tap is tap and bus._link.tap is tap
        with pytest.raises(NotConnected):
            await ask(bus)
        await bus.open()
        assert bus.is_open
        with pytest.raises(Unreadable, match="no reply"):
            await ask(bus)
        assert [one.data for one in tap] == sent
        await clock.sleep(10.0)
        bus._link._is_in_step = True
        error = bus.distrust("in mmHg", effect=Effect.VERIFIABLE)
        assert isinstance(error, Ambiguous)
        assert not bus._link._is_in_step
        await bus.close()
        assert not bus.is_open

    async def ask(bus):
        await (bus.get("/x") if wire == "http" else bus.read_holding(1))

    run_virtual(main(), loop=loop)
