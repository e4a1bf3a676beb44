"""Modbus over any byte link: requests and replies of pymodbus, frames that are whole or nothing.

The Modbus application protocol (modbus.org, V1.1b3) in its two dresses: RTU (unit, PDU, CRC-16; "MODBUS over Serial
Line", V1.02, section 2.5.1) and TCP (MBAP header; "MODBUS Messaging on TCP/IP", V1.0b, section 3.1.3). pymodbus knows
the PDUs; its client is not used, since it sends a write again when the reply is late and says that nothing was written.
Here a request leaves once, below the same lock, deadline, distrust and tap as every other exchange.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from pymodbus.exceptions import ModbusException
from pymodbus.framer import FramerRTU
from pymodbus.pdu import DecodePDU, ExceptionResponse, ModbusPDU
from pymodbus.pdu.bit_message import ReadCoilsRequest, ReadDiscreteInputsRequest, WriteSingleCoilRequest
from pymodbus.pdu.register_message import (
    ReadHoldingRegistersRequest,
    ReadInputRegistersRequest,
    WriteMultipleRegistersRequest,
    WriteSingleRegisterRequest,
)

from drivers.command import Effect
from drivers.errors import DeviceFault, DriverError, NotSent, Rejected
from drivers.links.base import LATE_MAX_S, Link
from drivers.links.bus import Bus
from drivers.links.framing import BadFrame, Framing

REPLY_S = 1.0
LONGEST_PDU = 253
LONGEST_RTU = 256
MOST_WRITTEN = 123
"""Registers that one function 16 can write."""

EXCEPTIONS = {
    1: "it does not know this function",
    2: "it has no such register",
    3: "it refuses this value",
    4: "it failed while doing it",
    5: "it accepted and needs longer",
    6: "it is busy",
    8: "its memory has a parity error",
    10: "the gateway has no path to it",
    11: "it did not answer the gateway",
}
"""Exception codes, section 7 of the application protocol."""


@dataclass(frozen=True, slots=True)
class RtuFrame:
    """Unit, PDU and CRC-16. A message is the unit and the PDU."""

    is_request: bool = False
    """Whether requests are read (by a simulator) and not replies."""

    def take(self, buffer: bytes | bytearray) -> tuple[bytes, int] | None:
        """Return unit and PDU; see `Framing.take`."""
        size = self._size(bytes(buffer)) if len(buffer) >= FramerRTU.MIN_SIZE else 0
        if not size or len(buffer) < size:
            return None
        body, seal = bytes(buffer[: size - 2]), int.from_bytes(buffer[size - 2 : size], "big")
        if not FramerRTU.check_CRC(body, seal):
            raise BadFrame(f"the CRC of a frame of {size} bytes is wrong")
        return body, size

    def _size(self, buffer: bytes) -> int:
        """Return how long the frame at the front is, 0 while that cannot be told."""
        if not self.is_request and buffer[1] not in _ASKED and not buffer[1] & 0x80:
            raise BadFrame(f"function {buffer[1]} answers nothing that was asked")
        try:
            kind = _DECODERS[self.is_request].lookupPduClass(buffer)
            size = 0 if kind is None else kind.calculateRtuFrameSize(buffer)
        except (ModbusException, LookupError, struct.error) as error:
            raise BadFrame(f"a frame of function {buffer[1]} cannot be read: {error}") from error
        if kind is None or size > LONGEST_RTU:
            raise BadFrame(f"function {buffer[1]} with {size} bytes is none of Modbus")
        return size

    def wrap(self, message: bytes) -> bytes:
        """Append the CRC."""
        return message + FramerRTU.compute_CRC(message).to_bytes(2, "big")


@dataclass(frozen=True, slots=True)
class MbapFrame:
    """The MBAP header and the PDU. A message is transaction (2 bytes), unit and PDU."""

    def take(self, buffer: bytes | bytearray) -> tuple[bytes, int] | None:
        """Return transaction, unit and PDU; see `Framing.take`."""
        if len(buffer) < 7:
            return None
        transaction, protocol, length = struct.unpack_from(">HHH", buffer)
        if protocol or not 2 <= length <= LONGEST_PDU + 1:
            raise BadFrame(f"protocol {protocol} with {length} bytes is no Modbus header")
        end = 6 + length
        if len(buffer) < end:
            return None
        return transaction.to_bytes(2, "big") + bytes(buffer[6:end]), end

    def wrap(self, message: bytes) -> bytes:
        """Put the header in front."""
        return message[:2] + struct.pack(">HH", 0, len(message) - 2) + message[2:]


_DECODERS = {False: DecodePDU(False), True: DecodePDU(True)}
_ASKED = frozenset({1, 2, 3, 4, 5, 6, 16})
"""The functions that are asked for here."""


def rtu_pause_s(baud: int) -> float:
    """Return the silence that tells RTU frames apart: 3.5 characters of 11 bits, at least 1.75 ms (section 2.5.1.1)."""
    return max(3.5 * 11 / baud, 0.00175)


class ModbusBus(Bus):
    """One unit on a Modbus line or port.

    Args:
        link: What carries the bytes.
        unit: The unit's address, 1 to 247; over TCP also 255 (or 0), the device that has the port.
        is_tcp: Whether frames are those of Modbus TCP.
    """

    def __init__(self, link: Link, *, unit: int, is_tcp: bool) -> None:
        super().__init__(link)
        self._unit = unit
        self._is_tcp = is_tcp
        self._framing: Framing = MbapFrame() if is_tcp else RtuFrame()
        self._transaction = 0

    async def read_holding(
        self, address: int, count: int = 1, *, timeout_s: float = REPLY_S, effect: Effect = Effect.READ
    ) -> list[int]:
        """Read holding registers (function 3), each from 0 to 65535; errors as `Link.exchange`, and Rejected."""
        request = ReadHoldingRegistersRequest(address=address, count=count)
        return await self._registers(request, count, timeout_s, effect)

    async def read_input(
        self, address: int, count: int = 1, *, timeout_s: float = REPLY_S, effect: Effect = Effect.READ
    ) -> list[int]:
        """Read input registers (function 4); as `read_holding`."""
        request = ReadInputRegistersRequest(address=address, count=count)
        return await self._registers(request, count, timeout_s, effect)

    async def read_coils(
        self, address: int, count: int = 1, *, timeout_s: float = REPLY_S, effect: Effect = Effect.READ
    ) -> list[bool]:
        """Read coils (function 1); as `read_holding`."""
        return await self._bits(ReadCoilsRequest(address=address, count=count), count, timeout_s, effect)

    async def read_discrete(
        self, address: int, count: int = 1, *, timeout_s: float = REPLY_S, effect: Effect = Effect.READ
    ) -> list[bool]:
        """Read discrete inputs (function 2); as `read_holding`."""
        return await self._bits(ReadDiscreteInputsRequest(address=address, count=count), count, timeout_s, effect)

    async def write_register(
        self,
        address: int,
        value: int,
        *,
        effect: Effect,
        timeout_s: float = REPLY_S,
        late_max_s: float = LATE_MAX_S,
        urgent: bool = False,
    ) -> None:
        """Write one holding register (function 6), and see that the reply echoes it."""
        request = WriteSingleRegisterRequest(address=address, registers=[value])
        reply = await self._ask(request, effect, timeout_s, late_max_s=late_max_s, urgent=urgent)
        if (reply.address, list(reply.registers)) != (address, [value]):
            wrote = f"register {reply.address} = {reply.registers[0]}"
            raise self.distrust(f"{wrote} was written, not {address} = {value}", effect=effect)

    async def write_registers(
        self,
        address: int,
        values: Sequence[int],
        *,
        effect: Effect,
        timeout_s: float = REPLY_S,
        late_max_s: float = LATE_MAX_S,
    ) -> None:
        """Write holding registers together (function 16), and see that the reply counts them."""
        if not 1 <= len(values) <= MOST_WRITTEN:
            raise Rejected(f"{len(values)} registers cannot be written together, 1 to {MOST_WRITTEN} can")
        request = WriteMultipleRegistersRequest(address=address, registers=list(values))
        reply = await self._ask(request, effect, timeout_s, late_max_s=late_max_s)
        if (reply.address, reply.count) != (address, len(values)):
            raise self.distrust(f"{reply.count} registers from {reply.address} on were written", effect=effect)

    async def write_coil(
        self,
        address: int,
        is_on: bool,
        *,
        effect: Effect,
        timeout_s: float = REPLY_S,
        late_max_s: float = LATE_MAX_S,
        urgent: bool = False,
    ) -> None:
        """Write one coil (function 5), and see that the reply echoes it."""
        request = WriteSingleCoilRequest(address=address, bits=[is_on])
        reply = await self._ask(request, effect, timeout_s, late_max_s=late_max_s, urgent=urgent)
        if (reply.address, bool(reply.bits[0])) != (address, is_on):
            wrote = f"coil {reply.address} = {reply.bits[0]}"
            raise self.distrust(f"{wrote} was written, not {address} = {is_on}", effect=effect)

    async def _registers(self, request: ModbusPDU, count: int, timeout_s: float, effect: Effect) -> list[int]:
        reply = await self._ask(request, effect, timeout_s)
        if len(reply.registers) != count:
            raise self.distrust(f"{len(reply.registers)} registers came and not {count}", effect=effect)
        return list(reply.registers)

    async def _bits(self, request: ModbusPDU, count: int, timeout_s: float, effect: Effect) -> list[bool]:
        reply = await self._ask(request, effect, timeout_s)
        if len(reply.bits) != (count + 7) // 8 * 8:
            raise self.distrust(f"{len(reply.bits)} bits came for {count}", effect=effect)
        return [bool(bit) for bit in reply.bits[:count]]

    async def _ask(
        self,
        request: ModbusPDU,
        effect: Effect,
        timeout_s: float,
        *,
        late_max_s: float = LATE_MAX_S,
        urgent: bool = False,
    ) -> ModbusPDU:
        pdu = _encoded(request)
        head = self._head()
        answer = await self._link.exchange(
            self._framing.wrap(head + pdu),
            framing=self._framing,
            timeout_s=timeout_s,
            effect=effect,
            late_max_s=late_max_s,
            urgent=urgent,
        )
        if answer[: len(head)] != head:
            raise self.distrust(f"unit or transaction {answer[: len(head)].hex()} answers {head.hex()}", effect=effect)
        return self._understood(request, answer[len(head) :], effect)

    def _head(self) -> bytes:
        if not self._is_tcp:
            return bytes([self._unit])
        self._transaction = self._transaction % 0xFFFF + 1
        return struct.pack(">HB", self._transaction, self._unit)

    def _understood(self, request: ModbusPDU, data: bytes, effect: Effect) -> ModbusPDU:
        if data[0] & 0x7F != request.function_code:
            raise self.distrust(f"function {data[0]} answers function {request.function_code}", effect=effect)
        try:
            reply = _DECODERS[False].decode(data)
        except ModbusException as error:
            raise self.distrust(str(error), effect=effect) from error
        # written again it must be the same: a count that does not fit, or a coil that is neither on nor off, is garbage
        if reply is None or bytes([reply.function_code]) + reply.encode() != data:
            raise self.distrust(f"{data.hex()} is no reply to function {request.function_code}", effect=effect)
        if isinstance(reply, ExceptionResponse):
            raise _refusal(request, reply, effect, self)
        return reply


def _encoded(request: ModbusPDU) -> bytes:
    try:
        return bytes([request.function_code]) + request.encode()
    except (ValueError, TypeError, struct.error, ModbusException) as error:
        raise Rejected(f"{request} cannot be sent ({error}); nothing was sent") from error


def _refusal(request: ModbusPDU, reply: ExceptionResponse, effect: Effect, bus: ModbusBus) -> DriverError:
    code = int(reply.exception_code)
    text = f"it answers function {request.function_code} with exception {code}: {EXCEPTIONS.get(code, 'unknown')}"
    if code in (1, 2, 3, 6):
        return Rejected(text)
    if code == 10:
        return NotSent(f"{text}; the device was not asked")
    if code in (4, 8):
        return DeviceFault(text, code=str(code), needs_operator=True)
    return bus.distrust(text, effect=effect)  # it may do it yet, or have done it
