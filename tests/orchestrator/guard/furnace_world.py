"""A simulated furnace in a process of its own, whose time runs faster, behind a port that takes several clients.

    python -m tests.orchestrator.guard.furnace_world tcp|rtu START_C SPEED [STUCK_C]

prints its URL and serves until its standard input closes. With STUCK_C its thermometer says that for ever.
"""

import asyncio
import os
import sys
import time

from simulators.instruments.furnace import Furnace, FurnaceController
from simulators.ports import PtyPort
from simulators.world import WorldFile

SETPOINT = 24
"""The register of set-point 1, in tenths of a degree."""


class FastClock:
    def __init__(self, speed):
        self.speed, self.zero_s = speed, time.time()

    def now_s(self):
        return self.zero_s + self.speed * (time.time() - self.zero_s)


class Client(asyncio.Protocol):
    """One connection; each is answered on its own."""

    transport: asyncio.Transport

    def __init__(self, instrument):
        self.instrument = instrument

    def connection_made(self, transport):
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data):
        self.instrument.send = self.transport.write
        self.instrument.receive(data)


async def serve(wire, instrument):
    loop = asyncio.get_running_loop()
    if wire == "rtu":
        port = PtyPort(instrument, loop)
        print(f"modbus+rtu://{port.path}?baud=115200&unit=1", flush=True)
    else:
        server = await loop.create_server(lambda: Client(instrument), "127.0.0.1", 0)
        print(f"modbus+tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}/1", flush=True)
    ended = asyncio.Event()
    loop.add_reader(0, lambda: None if os.read(0, 100) else ended.set())
    await ended.wait()


def main():
    wire, start_c, speed, *stuck_c = sys.argv[1:]
    if stuck_c:
        real = FurnaceController.read_register
        word = round(float(stuck_c[0]) * 10)
        FurnaceController.read_register = lambda self, address: word if address == 1 else real(self, address)
    options = {"start_c": float(start_c), "noise_k": 0.0}
    world = Furnace(state=WorldFile(":memory:"), clock=FastClock(float(speed)), seed=1, options=options)
    world.controller.write_register(SETPOINT, round(10 * float(start_c)))  # it holds what it has
    asyncio.run(serve(wire, world.instruments[wire]))


if __name__ == "__main__":
    main()
