"""Open links: from a URL to bytes, registers or channels. Nothing heavy is imported before it is asked for.

What a driver gets depends on the scheme: `Link` for ``serial:``, ``tcp:`` and ``rfc2217:``; `ModbusBus` for
``modbus+rtu:`` and ``modbus+tcp:``; `HttpBus` for ``http:``; `Channels` for ``ca:``; and behind ``shared:`` what the
rest of the address gives. In virtual time the same kinds stand on an in-memory link to a simulated instrument, which
says by its `wire` which of them it speaks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, Union

from drivers.clock import Clock
from drivers.links.base import BaseLink, Link
from drivers.links.memory import MemoryLink
from drivers.links.tap import Tap
from drivers.links.url import (
    Address,
    BadURL,
    ByteAddress,
    CaAddress,
    HttpAddress,
    ModbusRtuAddress,
    ModbusTcpAddress,
    Rfc2217Address,
    SerialAddress,
    SharedAddress,
    SimAddress,
    TcpAddress,
    host_and_port,
    parse_url,
)

if TYPE_CHECKING:
    from drivers.links.channels import Channels
    from drivers.links.http import HttpBus
    from drivers.links.modbus import ModbusBus

AnyLink = Union[Link, "ModbusBus", "HttpBus", "Channels"]

WIRES = ("serial", "tcp", "modbus+rtu", "modbus+tcp", "http", "ca")
"""What a simulated instrument can speak."""


class Worlds(Protocol):
    """Whoever runs the simulated laboratories."""

    def resolve(self, world: str, instrument: str) -> AnyLink:
        """Return a closed link to an instrument: in memory in virtual time, a real loopback port in wall time.

        Raises:
            LookupError: There is no such world or instrument; the message names those that exist.
        """
        ...


def open_link(url: str, clock: Clock, worlds: Worlds | None = None, *, tap: Tap | None = None) -> AnyLink:
    """Return the link for a URL, still closed: the driver's `connect` opens it.

    Args:
        url: See `drivers.links.url`.
        clock: The clock of its deadlines; a virtual one reaches `sim:` addresses only.
        worlds: Who resolves `sim:` addresses.
        tap: What records the bytes; by default a ring in memory.

    Raises:
        BadURL: The URL cannot be opened here; says why.
        LookupError: No such world or instrument.
    """
    address = parse_url(url)
    if isinstance(address, SimAddress):
        if worlds is None:
            raise BadURL(f"{url!r}: nobody here runs simulated worlds; serve one with `labpilot simulator serve`")
        link = worlds.resolve(address.world, address.instrument)
    elif clock.is_virtual:
        raise BadURL(f"{url!r}: a real port cannot be reached in virtual time; simulate with a sim: address")
    else:
        link = real_link(address, clock)
    link.tap = Tap(clock) if tap is None else tap
    return link


def real_link(address: Address, clock: Clock) -> AnyLink:
    """Return the closed link to a real port.

    Raises:
        BadURL: The address is a simulator's.
    """
    match address:
        case CaAddress():
            from drivers.links.ca import CaChannels

            return CaChannels(address, clock)
        case SimAddress():
            raise BadURL(f"{address} is no real port")
        case SharedAddress(port=port):
            from drivers.links.shared import SharedLink

            return _on_wire(SharedLink(address, clock), port)
    return _on_wire(byte_link(address, clock), address)


def byte_link(address: ByteAddress, clock: Clock) -> BaseLink:
    """Return the closed link that carries the bytes of a real port, below any bus."""
    match address:
        case SerialAddress() | Rfc2217Address():
            from drivers.links.serial import SerialLink

            return SerialLink(address, clock)
        case ModbusRtuAddress(line=line):
            from drivers.links.modbus import rtu_pause_s
            from drivers.links.serial import SerialLink

            return SerialLink(line, clock, pause_s=rtu_pause_s(line.baud))
    from drivers.links.tcp import TcpLink

    match address:
        case ModbusTcpAddress(host=host, port=port, unit=unit):
            # several units may stand behind one gateway
            return TcpLink(TcpAddress(host=host, port=port), clock, part=f"/{unit}")
        case HttpAddress(base=base):
            return TcpLink(address, clock, fresh=True, part=base)
    return TcpLink(address, clock)


def _on_wire(link: Link, address: ByteAddress) -> AnyLink:
    """Return what a driver gets on a byte link to an address: the link, or a bus on it."""
    match address:
        case ModbusRtuAddress(unit=unit):
            from drivers.links.modbus import ModbusBus

            return ModbusBus(link, unit=unit, is_tcp=False)
        case ModbusTcpAddress(unit=unit):
            from drivers.links.modbus import ModbusBus

            return ModbusBus(link, unit=unit, is_tcp=True)
        case HttpAddress(base=base):
            from drivers.links.http import HttpBus

            return HttpBus(link, host=host_and_port(address), base=base)
    return link


def memory_link(peer: Any, clock: Clock, *, name: str) -> AnyLink:
    """Return the closed link to a simulated instrument in this process, of the kind that its `wire` asks for.

    Raises:
        BadURL: The instrument speaks nothing that is known.
    """
    wire = getattr(peer, "wire", "serial")
    if wire == "ca":
        from drivers.links.channels import MemoryChannels

        return MemoryChannels(peer, clock, name=name)
    if wire not in WIRES:
        raise BadURL(f"{name} speaks {wire!r}, which is none of {', '.join(WIRES)}")
    return bus_over(MemoryLink(peer, clock, name=name), peer)


def bus_over(link: Link, peer: Any) -> AnyLink:
    """Return what a driver gets on a byte link to a simulated instrument: the link, or a bus on it."""
    wire = getattr(peer, "wire", "serial")
    if wire in ("modbus+rtu", "modbus+tcp"):
        from drivers.links.modbus import ModbusBus

        return ModbusBus(link, unit=getattr(peer, "unit", 1), is_tcp=wire == "modbus+tcp")
    if wire == "http":
        from drivers.links.http import HttpBus

        return HttpBus(link, host="simulator")
    return link
