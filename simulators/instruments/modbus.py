"""Simulated Modbus devices: a register map behind RTU or TCP frames."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, Protocol

from pymodbus.constants import ExcCodes
from pymodbus.exceptions import ModbusException
from pymodbus.pdu import DecodePDU, ExceptionResponse, ModbusPDU

from drivers.links.modbus import MbapFrame, RtuFrame
from simulators.instruments.base import FramedInstrument, Now
from simulators.world import WorldFile


class ModbusError(Exception):
    """The device refuses a request with an exception code."""

    def __init__(self, code: ExcCodes) -> None:
        super().__init__(code.name)
        self.code = code


class RegisterMap(Protocol):
    """What a device keeps behind its registers and coils.

    Every method raises `ModbusError` with ILLEGAL_ADDRESS for what the device does not have, ILLEGAL_VALUE for what it
    refuses, DEVICE_BUSY where it cannot now.
    """

    def read_register(self, address: int) -> int:
        """Return a register, 0 to 65535."""
        ...

    def write_register(self, address: int, value: int) -> None:
        """Take a register."""
        ...

    def read_coil(self, address: int) -> bool:
        """Return a coil or discrete input."""
        ...

    def write_coil(self, address: int, is_on: bool) -> None:
        """Take a coil."""
        ...

    def restart(self) -> None:
        """Forget what is kept in memory only."""
        ...


class ModbusInstrument(FramedInstrument):
    """One port of a Modbus device.

    Args:
        device: Its registers.
        wire: ``modbus+rtu`` or ``modbus+tcp``.
        unit: Its address on the line.
        state: The world's file.
        clock: The time.
        settle: Called before each request: lets the world carry out what has become due.
    """

    can_be_busy = True

    def __init__(
        self,
        device: RegisterMap,
        *,
        wire: str,
        unit: int = 1,
        state: WorldFile,
        clock: Now,
        settle: Callable[[], None] | None = None,
    ) -> None:
        framing = RtuFrame(is_request=True) if wire == "modbus+rtu" else MbapFrame()
        super().__init__(framing, state=state, clock=clock, settle=settle)
        self.wire = wire
        self.unit = unit
        self._device = device
        self.has_front_panel = bool(getattr(device, "has_front_panel", False))
        self.has_units = bool(getattr(device, "has_units", False))

    def answer(self, request: bytes) -> bytes | None:
        """Carry out one request; one for another unit is not answered."""
        head, pdu = self._apart(request)
        if head[-1] != self.unit:
            return None
        return self._framing.wrap(head + self._carried_out(pdu))

    def busy_reply(self, request: bytes) -> bytes | None:
        """Answer with exception 6."""
        taken = self._framing.take(request)
        if taken is None:
            return None
        head, pdu = self._apart(taken[0])
        return self._framing.wrap(head + _encoded(ExceptionResponse(pdu[0], ExcCodes.DEVICE_BUSY)))

    def chatter(self) -> bytes:
        """Return a reply to somebody else's request: unit 99 answers a read."""
        pdu = bytes([3, 2, 0, 42])
        return self._framing.wrap(b"\x63" + pdu if self.wire == "modbus+rtu" else b"\xff\xff\x63" + pdu)

    def restart(self) -> None:
        """Restart the device."""
        super().restart()
        self._device.restart()

    def front_panel(self) -> None:
        """Let somebody use the device's panel."""
        if self.has_front_panel:
            self._device.front_panel()  # type: ignore[attr-defined]

    def change_unit(self) -> None:
        """Let somebody change the unit at the device's panel."""
        if self.has_units:
            self._device.change_unit()  # type: ignore[attr-defined]

    def _apart(self, request: bytes) -> tuple[bytes, bytes]:
        n = 1 if self.wire == "modbus+rtu" else 3
        return request[:n], request[n:]

    def _carried_out(self, pdu: bytes) -> bytes:
        try:
            request = _DECODER.decode(pdu)
            if request is None:
                return _encoded(ExceptionResponse(pdu[0], ExcCodes.ILLEGAL_FUNCTION))
            return self._answered(request, pdu)
        except ModbusError as error:
            return _encoded(ExceptionResponse(pdu[0], error.code))
        except (ModbusException, struct.error, ValueError):
            return _encoded(ExceptionResponse(pdu[0], ExcCodes.ILLEGAL_VALUE))

    def _answered(self, request: Any, pdu: bytes) -> bytes:
        device = self._device
        match request.function_code:
            case 1 | 2:
                bits = [device.read_coil(request.address + index) for index in range(request.count)]
                packed = sum(1 << index for index, bit in enumerate(bits) if bit)
                size = (len(bits) + 7) // 8
                return bytes([pdu[0], size]) + packed.to_bytes(size, "little")
            case 3 | 4:
                values = [device.read_register(request.address + index) for index in range(request.count)]
                return bytes([pdu[0], 2 * len(values)]) + struct.pack(f">{len(values)}H", *values)
            case 5:
                device.write_coil(request.address, bool(request.bits[0]))
                return pdu
            case 6:
                device.write_register(request.address, request.registers[0])
                return pdu
            case 16:
                for index, value in enumerate(request.registers):
                    device.write_register(request.address + index, value)
                return pdu[:5]
        raise ModbusError(ExcCodes.ILLEGAL_FUNCTION)


_DECODER = DecodePDU(True)


def _encoded(reply: ModbusPDU) -> bytes:
    return bytes([reply.function_code]) + reply.encode()
