"""Modbus against pymodbus as an independent peer: its server for our client, its client for our simulated device."""

import asyncio
import os
import struct
import tty
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient
from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusSerialServer, ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from drivers.clock import RealClock, VirtualClock, VirtualLoop, run_virtual
from drivers.command import Effect
from drivers.errors import Ambiguous, DeviceFault, NotSent, Rejected, Unreadable
from drivers.links.base import ReplyLost, whole_reply
from drivers.links.framing import BadFrame
from drivers.links.modbus import EXCEPTIONS, MbapFrame, ModbusBus, RtuFrame, rtu_pause_s
from drivers.links.opening import memory_link, open_link
from drivers.links.tap import Direction
from simulators.instruments.modbus import ModbusError, ModbusInstrument
from simulators.ports import PtyPort, TcpPort
from simulators.world import WorldFile

UNIT = 7
SHORT_S = 0.15

# frames of the MODBUS application protocol V1.1b3, sections 6.3 and 6.6 (their PDUs), with unit 17 and the CRC of the
# serial line guide
READ_107 = bytes.fromhex("11 03 006B 0003 7687")
READ_107_REPLY = bytes.fromhex("11 03 06 022B 0000 0064 C8BA")
WRITE_1 = bytes.fromhex("11 06 0001 0003 9A9B")


class Bridge:
    """Two pseudo-terminals, each the far end of the other: a serial cable."""

    def __init__(self):
        self._loop = asyncio.get_running_loop()
        self._ends = [os.openpty() for _ in range(2)]
        self.paths = [os.ttyname(slave) for _, slave in self._ends]
        for (master, slave), (other, _) in zip(self._ends, reversed(self._ends), strict=True):
            tty.setraw(slave)
            self._loop.add_reader(master, lambda near=master, far=other: os.write(far, os.read(near, 4096)))

    def close(self):
        for master, slave in self._ends:
            self._loop.remove_reader(master)
            os.close(master)
            os.close(slave)


class Peer:
    """A device that pymodbus serves: 100 registers that hold their own number, 16 coils of which the odd are on."""

    def __init__(self):
        self.wrote = []
        self.refuse_with = None
        self.is_hung = False

    async def _act(self, function, start, address, count, registers, values):
        if values is not None:
            self.wrote.append((function, address, list(values)))
        if self.is_hung:
            await asyncio.sleep(0.5)
        return self.refuse_with

    def device(self):
        registers = [SimData(0, values=list(range(100)), datatype=DataType.REGISTERS)]
        coils = [SimData(0, values=[n % 2 == 1 for n in range(16)], datatype=DataType.BITS)]
        return SimDevice(id=UNIT, simdata=(coils, coils, registers, registers), action=self._act)


@asynccontextmanager
async def pymodbus_tcp(peer):
    server = ModbusTcpServer(peer.device(), address=("127.0.0.1", 0))
    await server.serve_forever(background=True)
    try:
        yield f"modbus+tcp://127.0.0.1:{server.transport.sockets[0].getsockname()[1]}/{UNIT}"
    finally:
        await server.shutdown()
        await asyncio.sleep(0.01)


@asynccontextmanager
async def pymodbus_rtu(peer):
    bridge = Bridge()
    server = ModbusSerialServer(peer.device(), port=bridge.paths[0], baudrate=115_200)
    await server.serve_forever(background=True)
    try:
        yield f"modbus+rtu://{bridge.paths[1]}?baud=115200&unit={UNIT}"
    finally:
        await server.shutdown()
        bridge.close()


PEERS = pytest.mark.parametrize("serve", [pymodbus_tcp, pymodbus_rtu], ids=["tcp", "rtu"])


def against(serve, use):
    async def main():
        peer = Peer()
        async with serve(peer) as url:
            bus = open_link(url, RealClock())
            await bus.open()
            try:
                await use(peer, bus)
            finally:
                await bus.close()

    asyncio.run(main())


@PEERS
def test_reading_and_writing_as_pymodbus_understands_it(serve):
    async def use(peer, bus):
        assert await bus.read_holding(3) == [3]
        assert await bus.read_input(90, 10) == list(range(90, 100))
        assert await bus.read_coils(0, 11) == [n % 2 == 1 for n in range(11)]
        assert await bus.read_discrete(1, 8) == [True, False] * 4
        await bus.write_register(5, 0xFFFF, effect=Effect.IDEMPOTENT)
        await bus.write_registers(10, [1, 0x8000, 3], effect=Effect.VERIFIABLE)
        await bus.write_coil(2, True, effect=Effect.IDEMPOTENT)
        await bus.write_coil(3, False, effect=Effect.IDEMPOTENT)
        assert peer.wrote == [(6, 5, [0xFFFF]), (16, 10, [1, 0x8000, 3]), (5, 2, [True]), (5, 3, [False])]
        assert await bus.read_holding(5) == [0xFFFF]
        assert await bus.read_holding(9, 5) == [9, 1, 0x8000, 3, 13]
        assert await bus.read_coils(2, 2) == [True, False]

    against(serve, use)


@PEERS
def test_the_longest_messages_fit(serve):
    async def use(peer, bus):
        await bus.write_registers(0, range(100), effect=Effect.IDEMPOTENT)
        assert await bus.read_holding(0, 100) == list(range(100))

    against(serve, use)


@PEERS
@pytest.mark.parametrize(
    ("code", "error", "says"),
    [
        (ExcCodes.ILLEGAL_FUNCTION, Rejected, "does not know this function"),
        (ExcCodes.ILLEGAL_ADDRESS, Rejected, "no such register"),
        (ExcCodes.ILLEGAL_VALUE, Rejected, "refuses this value"),
        (ExcCodes.DEVICE_FAILURE, DeviceFault, "failed while doing it"),
        (ExcCodes.ACKNOWLEDGE, Ambiguous, "needs longer"),
        (ExcCodes.DEVICE_BUSY, Rejected, "is busy"),
        (ExcCodes.MEMORY_PARITY_ERROR, DeviceFault, "parity error"),
        (ExcCodes.GATEWAY_PATH_UNAVIABLE, NotSent, "no path to it"),
        (ExcCodes.GATEWAY_NO_RESPONSE, Ambiguous, "did not answer the gateway"),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_what_an_exception_means_for_a_write(serve, code, error, says):
    async def use(peer, bus):
        peer.refuse_with = code
        with pytest.raises(error, match=f"function 6 with exception {int(code)}: .*{says}") as caught:
            await bus.write_register(5, 1, effect=Effect.OPERATOR)
        assert type(caught.value) is error
        if error is DeviceFault:
            assert caught.value.needs_operator and caught.value.code == str(int(code))
        peer.refuse_with = None
        assert await bus.read_holding(50) == [50]  # and the line is in step

    against(serve, use)


@PEERS
@pytest.mark.parametrize(
    ("code", "error"), [(2, Rejected), (6, Rejected), (4, DeviceFault), (5, Unreadable), (11, Unreadable)]
)
def test_what_an_exception_means_for_a_read(serve, code, error):
    async def use(peer, bus):
        peer.refuse_with = ExcCodes(code)
        for read in (bus.read_holding, bus.read_input, bus.read_coils, bus.read_discrete):
            with pytest.raises(error, match=EXCEPTIONS[code]):
                await read(5)

    against(serve, use)


@PEERS
def test_a_write_leaves_once_although_the_server_hangs(serve):
    """pymodbus' own client sends it again, and says that nothing was written."""

    async def use(peer, bus):
        peer.is_hung = True
        with pytest.raises(Ambiguous, match=r"no reply within 0.15 s"):
            await bus.write_register(5, 42, effect=Effect.OPERATOR, timeout_s=SHORT_S, late_max_s=0.6)
        peer.is_hung = False
        assert await bus.read_holding(5) == [42]
        assert peer.wrote == [(6, 5, [42])]
        sent = [one.data for one in bus.tap if one.direction is Direction.SENT]
        assert len(sent) == 2

    against(serve, use)


@PEERS
def test_a_register_that_there_is_not_is_refused_by_the_device(serve):
    async def use(peer, bus):
        with pytest.raises(Rejected, match="no such register"):
            await bus.read_holding(5000)

    against(serve, use)


def test_the_frames_are_those_of_the_standard():
    assert RtuFrame().wrap(READ_107[:-2]) == READ_107
    assert RtuFrame(is_request=True).take(READ_107) == (READ_107[:-2], 8)
    assert RtuFrame().take(READ_107_REPLY) == (READ_107_REPLY[:-2], 11)
    assert RtuFrame().take(WRITE_1) == (WRITE_1[:-2], 8)
    # the example of "MODBUS Messaging on TCP/IP" V1.0b: transaction 15 01, unit FF, read one register from 4 on
    adu = bytes.fromhex("1501 0000 0006 FF 03 0004 0001")
    assert MbapFrame().take(adu) == (bytes.fromhex("1501 FF 03 0004 0001"), 12)
    assert MbapFrame().wrap(bytes.fromhex("1501 FF 03 0004 0001")) == adu


REPLIES = st.one_of(
    st.builds(lambda function, n, data: bytes([function, 2 * n]) + data.draw(st.binary(min_size=2 * n, max_size=2 * n)),
              st.sampled_from([3, 4]), st.integers(1, 20), st.data()),
    st.builds(lambda function, bits: bytes([function, len(bits)]) + bits,
              st.sampled_from([1, 2]), st.binary(min_size=1, max_size=20)),
    st.builds(lambda function, rest: bytes([function]) + rest,
              st.sampled_from([5, 6, 16]), st.binary(min_size=4, max_size=4)),
    st.builds(lambda function, code: bytes([0x80 | function, code]),
              st.sampled_from([1, 2, 3, 4, 5, 6, 16]), st.integers(1, 11)),
)  # fmt: skip


def taken_whole(framing, data):
    """Return the message as a link would take it: whole, with nothing behind it."""
    try:
        return whole_reply(framing, bytearray(data))
    except ReplyLost:
        return None


@given(reply=REPLIES, unit=st.integers(1, 247), at=st.integers(0, 10_000), change=st.integers(1, 255))
def test_an_rtu_frame_with_a_damaged_byte_is_never_taken(reply, unit, at, change):
    frame = bytearray(RtuFrame().wrap(bytes([unit]) + reply))
    assert taken_whole(RtuFrame(), frame) == bytes([unit]) + reply
    frame[at % len(frame)] ^= change
    assert taken_whole(RtuFrame(), frame) is None


@pytest.mark.parametrize("framing", [RtuFrame(), RtuFrame(is_request=True), MbapFrame()], ids=["rtu", "request", "tcp"])
@given(data=st.binary(max_size=300))
def test_garbage_is_a_message_an_error_or_unfinished_but_never_a_crash(framing, data):
    for function in (data[1:2], b"\x03", b"\x08", b"\x18", b"\x2b", b"\x63", b"\x83"):
        try:
            taken = framing.take(data[:1] + function + data[2:])
        except BadFrame:
            continue
        assert taken is None or 0 < taken[1] <= len(data)


@given(reply=REPLIES, unit=st.integers(0, 255), transaction=st.integers(0, 0xFFFF), end=st.integers(0, 10_000))
def test_a_cut_frame_is_never_a_message(reply, unit, transaction, end):
    for framing, message in [
        (RtuFrame(), bytes([unit]) + reply),
        (MbapFrame(), transaction.to_bytes(2, "big") + bytes([unit]) + reply),
    ]:
        frame = framing.wrap(message)
        assert framing.take(frame) == (message, len(frame))
        assert framing.take(frame[: end % len(frame)]) is None


@pytest.mark.parametrize(
    "adu",
    ["0001 0001 0006 07 03", "0001 0000 0001 07", "0001 0000 0000 07", "0001 0000 00FF 07", "0001 0000 FFFF 07"],
    ids=["protocol", "length 1", "length 0", "length 255", "length 65535"],
)
def test_a_header_that_is_none(adu):
    with pytest.raises(BadFrame, match="no Modbus header"):
        MbapFrame().take(bytes.fromhex(adu))


class Fixed:
    """A device that answers every request with the same bytes, or what a function makes of them."""

    def __init__(self, answer, wire):
        self.send = self.hang_up = None
        self.wire = wire
        self.unit = UNIT
        self.asked = []
        self._answer = answer

    def receive(self, data):
        self.asked.append(data)
        reply = self._answer(data) if callable(self._answer) else self._answer
        if reply:
            self.send(reply)


def with_answer(answer, use, wire="modbus+tcp"):
    loop = VirtualLoop()

    async def main():
        device = Fixed(answer, wire)
        bus = memory_link(device, VirtualClock(loop), name="sim:test/device")
        assert isinstance(bus, ModbusBus)
        await bus.open()
        await use(bus, device)
        await bus.close()

    run_virtual(main(), loop=loop)


def mbap(pdu, *, transaction=1, unit=UNIT):
    return struct.pack(">HHHB", transaction, 0, len(pdu) + 1, unit) + pdu


READ_ANSWERS = {
    "another transaction": mbap(bytes.fromhex("03 02 0005"), transaction=2),
    "another unit": mbap(bytes.fromhex("03 02 0005"), unit=8),
    "another function": mbap(bytes.fromhex("04 02 0005")),
    "a function nobody knows": mbap(bytes.fromhex("63 02 0005")),
    "too few registers": mbap(bytes.fromhex("03 02 0005")),
    "too many registers": mbap(bytes.fromhex("03 06 0005 0006 0007")),
    "an odd count": mbap(bytes.fromhex("03 03 0005 00")),
    "a count that is too long": mbap(bytes.fromhex("03 06 0005 0006")),
    "a count that is too short": mbap(bytes.fromhex("03 04 0005 0006 0007")),
    "no count": mbap(bytes.fromhex("03")),
    "an exception without a code": mbap(bytes.fromhex("83")),
    "an exception with more behind": mbap(bytes.fromhex("83 02 00")),
    "an exception to another function": mbap(bytes.fromhex("84 02")),
}


@pytest.mark.parametrize("answer", READ_ANSWERS.values(), ids=READ_ANSWERS)
def test_no_answer_to_a_read_but_the_right_one_is_taken(answer):
    async def use(bus, device):
        with pytest.raises(Unreadable):
            await bus.read_holding(4, 2)
        with pytest.raises(Ambiguous):  # a poll within an acting command
            await bus.read_holding(4, 2, effect=Effect.VERIFIABLE)

    with_answer(answer, use)


def test_the_right_answer_to_a_read_is_taken():
    async def use(bus, device):
        assert await bus.read_holding(4, 2) == [5, 6]
        assert device.asked == [bytes.fromhex("0001 0000 0006 07 03 0004 0002")]

    with_answer(mbap(bytes.fromhex("03 04 0005 0006")), use)


BIT_ANSWERS = {
    "too few": mbap(bytes.fromhex("01 01 FF")),
    "too many": mbap(bytes.fromhex("01 03 FFFFFF")),
    "a count that lies": mbap(bytes.fromhex("01 05 FFFF")),
    "no count": mbap(bytes.fromhex("01")),
    "discrete inputs": mbap(bytes.fromhex("02 02 FFFF")),
}


@pytest.mark.parametrize("answer", BIT_ANSWERS.values(), ids=BIT_ANSWERS)
def test_no_answer_to_a_read_of_coils_but_the_right_one_is_taken(answer):
    async def use(bus, device):
        with pytest.raises(Unreadable):
            await bus.read_coils(0, 9)

    with_answer(answer, use)


WRITE_ANSWERS = {
    "another value": mbap(bytes.fromhex("06 0005 0002")),
    "another register": mbap(bytes.fromhex("06 0006 0001")),
    "half": mbap(bytes.fromhex("06 0005 00")),
    "more": mbap(bytes.fromhex("06 0005 0001 00")),
    "a read": mbap(bytes.fromhex("03 02 0001")),
}


@pytest.mark.parametrize("answer", WRITE_ANSWERS.values(), ids=WRITE_ANSWERS)
def test_a_write_is_done_only_when_its_echo_says_so(answer):
    async def use(bus, device):
        with pytest.raises(Ambiguous):
            await bus.write_register(5, 1, effect=Effect.VERIFIABLE)
        assert len(device.asked) == 1

    with_answer(answer, use)


@pytest.mark.parametrize("pdu", ["05 0005 0000", "05 0004 FF00", "05 0005 0001", "05 0005 FFFF"])
def test_a_coil_is_written_only_when_its_echo_says_so(pdu):
    async def use(bus, device):
        with pytest.raises(Ambiguous):
            await bus.write_coil(5, True, effect=Effect.IDEMPOTENT)

    with_answer(mbap(bytes.fromhex(pdu)), use)


@pytest.mark.parametrize("pdu", ["10 0005 0001", "10 0006 0002"])
def test_registers_are_written_only_when_the_count_says_so(pdu):
    async def use(bus, device):
        with pytest.raises(Ambiguous):
            await bus.write_registers(5, [1, 2], effect=Effect.IDEMPOTENT)

    with_answer(mbap(bytes.fromhex(pdu)), use)


def test_an_rtu_reply_of_another_unit_is_not_ours():
    async def use(bus, device):
        with pytest.raises(Unreadable, match="unit or transaction 08 answers 07"):
            await bus.read_holding(4)

    with_answer(RtuFrame().wrap(bytes.fromhex("08 03 02 0005")), use, "modbus+rtu")


def test_an_echo_on_a_half_duplex_line_is_not_a_reply_to_a_read():
    async def use(bus, device):
        with pytest.raises(Unreadable):
            await bus.read_holding(4)

    with_answer(lambda request: request + RtuFrame().wrap(bytes.fromhex("07 03 02 0005")), use, "modbus+rtu")


@pytest.mark.parametrize(
    "ask",
    [
        lambda bus: bus.read_holding(0, 126),
        lambda bus: bus.read_holding(0, 0),
        lambda bus: bus.read_holding(-1),
        lambda bus: bus.read_holding(65_536),
        lambda bus: bus.read_coils(0, 2001),
        lambda bus: bus.write_register(5, 65_536, effect=Effect.OPERATOR),
        lambda bus: bus.write_register(5, -1, effect=Effect.OPERATOR),
        lambda bus: bus.write_register(5, 1.5, effect=Effect.OPERATOR),
        lambda bus: bus.write_register(-5, 1, effect=Effect.OPERATOR),
        lambda bus: bus.write_registers(5, [], effect=Effect.OPERATOR),
        lambda bus: bus.write_registers(5, [0] * 124, effect=Effect.OPERATOR),
        lambda bus: bus.write_registers(5, [0, 70_000], effect=Effect.OPERATOR),
        lambda bus: bus.write_coil(70_000, True, effect=Effect.OPERATOR),
    ],
)
def test_what_cannot_be_asked_is_refused_before_the_wire(ask):
    async def use(bus, device):
        with pytest.raises(Rejected):
            await ask(bus)
        assert device.asked == []

    with_answer(None, use)


def test_a_transaction_has_its_own_number_also_after_65535():
    numbers = []

    def answer(request):
        numbers.append(int.from_bytes(request[:2], "big"))
        return mbap(bytes.fromhex("03 02 0005"), transaction=numbers[-1])

    async def use(bus, device):
        bus._transaction = 65_534
        for _ in range(3):
            assert await bus.read_holding(4) == [5]
        assert numbers == [65_535, 1, 2]

    with_answer(answer, use)


def test_the_silence_between_frames_is_that_of_the_standard():
    assert rtu_pause_s(9600) == pytest.approx(0.00401, abs=1e-5)
    assert rtu_pause_s(115_200) == 0.00175


class Map:
    """Registers 0 to 9, of which 9 is read only and 8 busy; coils 0 to 9."""

    has_front_panel = has_units = False

    def __init__(self):
        self.registers = dict.fromkeys(range(10), 0)
        self.coils = dict.fromkeys(range(10), False)

    def read_register(self, address):
        return self._of(self.registers, address)

    def write_register(self, address, value):
        self._of(self.registers, address)
        if address == 9:
            raise ModbusError(ExcCodes.ILLEGAL_VALUE)
        if address == 8:
            raise ModbusError(ExcCodes.DEVICE_BUSY)
        self.registers[address] = value

    def read_coil(self, address):
        return self._of(self.coils, address)

    def write_coil(self, address, is_on):
        self._of(self.coils, address)
        self.coils[address] = is_on

    def restart(self): ...

    def _of(self, found, address):
        if address not in found:
            raise ModbusError(ExcCodes.ILLEGAL_ADDRESS)
        return found[address]


@asynccontextmanager
async def over_tcp(device):
    port = await TcpPort.open(device)
    client = AsyncModbusTcpClient(port.host, port=port.port, retries=0, timeout=2)
    try:
        yield client
    finally:
        client.close()
        await port.close()


@asynccontextmanager
async def over_rtu(device):
    port = PtyPort(device, asyncio.get_running_loop())
    client = AsyncModbusSerialClient(port.path, baudrate=115_200, retries=0, timeout=2)
    try:
        yield client
    finally:
        client.close()
        port.close()


@pytest.mark.parametrize(("wire", "serve"), [("modbus+tcp", over_tcp), ("modbus+rtu", over_rtu)], ids=["tcp", "rtu"])
def test_pymodbus_gets_right_answers_from_a_simulated_device(wire, serve):
    async def main():
        registers = Map()
        device = ModbusInstrument(registers, wire=wire, unit=UNIT, state=WorldFile(":memory:"), clock=RealClock())
        async with serve(device) as client:
            assert await client.connect()
            to = {"device_id": UNIT}
            assert not (await client.write_register(3, 0xBEEF, **to)).isError()
            assert not (await client.write_registers(4, [1, 2, 3], **to)).isError()
            assert (await client.read_holding_registers(3, count=4, **to)).registers == [0xBEEF, 1, 2, 3]
            assert (await client.read_input_registers(3, count=1, **to)).registers == [0xBEEF]
            assert not (await client.write_coil(2, True, **to)).isError()
            assert (await client.read_coils(1, count=9, **to)).bits[:9] == [False, True, *[False] * 7]
            assert (await client.read_discrete_inputs(2, count=1, **to)).bits[0] is True
            refusals = [
                (client.read_holding_registers(9, count=2, **to), ExcCodes.ILLEGAL_ADDRESS),
                (client.write_register(9, 1, **to), ExcCodes.ILLEGAL_VALUE),
                (client.write_register(8, 1, **to), ExcCodes.DEVICE_BUSY),
                (client.write_coil(50, True, **to), ExcCodes.ILLEGAL_ADDRESS),
                (client.mask_write_register(address=1, and_mask=2, or_mask=3, **to), ExcCodes.ILLEGAL_FUNCTION),
            ]
            for question, code in refusals:
                answer = await question
                assert answer.isError() and answer.exception_code == code
            assert registers.registers[9] == 0

    asyncio.run(main())


@pytest.mark.parametrize("wire", ["modbus+tcp", "modbus+rtu"])
def test_a_request_to_another_unit_is_not_answered(wire):
    device = ModbusInstrument(Map(), wire=wire, unit=UNIT, state=WorldFile(":memory:"), clock=RealClock())
    heard = []
    device.send = heard.append
    framing = MbapFrame() if wire == "modbus+tcp" else RtuFrame()
    head = b"\0\1" if wire == "modbus+tcp" else b""
    device.receive(framing.wrap(head + bytes([UNIT + 1]) + bytes.fromhex("03 0000 0001")))
    assert heard == []
    device.receive(framing.wrap(head + bytes([UNIT]) + bytes.fromhex("03 0000 0001")))
    assert len(heard) == 1
