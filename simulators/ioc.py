"""An EPICS IOC for simulated instruments, in wall time.

The records live in a process of their own (``python -m simulators.ioc``), because softioc can be started once in a
process, cannot be stopped, and cannot share one with a client. The instrument stays where its world is: the IOC
process asks it about every write before it completes it, and shows what it is told ten times a second. The two speak
JSON lines over the child's standard input and output:

    parent:  {"records": {"VAL": {"kind": "ao", ...}}, "prefix": "SIM:M1:"}            once, at the start
             {"readings": {"RBV": [1.5, 0, 1764000000.0]}, "fields": {}}           ten times a second
             {"id": 7, "readings": {...}, "fields": {...}}                         a write is done
    child:   {"ready": true}
             {"id": 7, "channel": "VAL", "value": 12.5}                            somebody writes

It listens on loopback only, for channel access only, sends no beacons, and ends with its parent.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import secrets
import socket
import sys
from collections.abc import Mapping
from typing import Any

from drivers.links.channels import ChannelValue
from simulators.instruments.channels import ChannelInstrument

SCAN_S = 0.1
READY_S = 30.0
LOOPBACK = "127.0.0.1"
FIRST_PORT, N_PORTS = 20_000, 10_000
"""Where free ports are looked for."""


class IocPort:
    """One instrument behind an IOC. Build it by `open`."""

    def __init__(self, instrument: ChannelInstrument, host: str, port: int) -> None:
        self.host = host
        self.port = port
        self.process: asyncio.subprocess.Process | None = None
        self._instrument = instrument
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def url(self) -> str:
        """Where a client finds the instrument."""
        return f"ca://{self._instrument.prefix}?addr={self.host}:{self.port}"

    @classmethod
    async def open(cls, instrument: ChannelInstrument, *, host: str = LOOPBACK, port: int = 0) -> IocPort:
        """Start the IOC and wait until it answers; port 0 takes any that is free.

        Raises:
            OSError: The port is taken, or the IOC did not start (is softioc installed?).
        """
        self = cls(instrument, host, port or _free_port(host))
        command = [sys.executable, "-m", "simulators.ioc"]
        pipe = asyncio.subprocess.PIPE
        self.process = await asyncio.create_subprocess_exec(
            *command,
            stdin=pipe,
            stdout=pipe,
            env={**os.environ, **_environment(host, self.port)},
            start_new_session=True,  # Ctrl-C is for the parent, which then ends its IOC
        )
        records = {name: dataclasses.asdict(record) for name, record in instrument.records.items()}
        self._say({"prefix": instrument.prefix, "records": records, **self._shown()})
        try:
            async with asyncio.timeout(READY_S):
                ready = await self._hear()
        except TimeoutError:
            ready = None
        if ready is None:
            await self.close()
            raise OSError(
                "the IOC did not start; simulated EPICS instruments need softioc (pip install labpilot[epics])"
            )
        self._tasks = [asyncio.create_task(self._serve()), asyncio.create_task(self._scan())]
        return self

    async def close(self) -> None:
        """End the IOC; safe to call twice."""
        process, self.process = self.process, None
        if process is None:
            return
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        if process.stdin is not None:
            process.stdin.close()

    async def _serve(self) -> None:
        while (written := await self._hear()) is not None:
            with contextlib.suppress(KeyError, ConnectionError):
                self._instrument.put(written["channel"], written["value"], lambda: None)
            self._say({"id": written["id"], **self._shown()})

    async def _scan(self) -> None:
        while True:
            await asyncio.sleep(SCAN_S)
            self._say(self._shown())

    def _shown(self) -> dict[str, Any]:
        """Return what the records should show now."""
        readings = {name: self._instrument.value(name) for name in self._instrument.records}
        units = {
            f"{name}.EGU": self._instrument.unit(name, record)
            for name, record in self._instrument.records.items()
            if record.unit
        }
        return {"readings": {name: _packed(value) for name, value in readings.items()}, "fields": units}

    def _say(self, message: Mapping[str, Any]) -> None:
        stdin = self.process.stdin if self.process is not None else None
        if stdin is not None and not stdin.is_closing():
            stdin.write(json.dumps(message).encode() + b"\n")

    async def _hear(self) -> dict[str, Any] | None:
        stdout = self.process.stdout if self.process is not None else None
        line = b"" if stdout is None else await stdout.readline()
        return json.loads(line) if line.endswith(b"\n") else None


def _packed(value: ChannelValue) -> tuple[Any, int, float | None]:
    return value.value, value.severity, value.stamp_s


def _environment(host: str, port: int) -> dict[str, str]:
    return {
        "EPICS_CAS_INTF_ADDR_LIST": host,
        "EPICS_CAS_SERVER_PORT": str(port),
        "EPICS_CA_SERVER_PORT": str(port),
        "EPICS_CAS_BEACON_ADDR_LIST": host,
        "EPICS_CAS_AUTO_BEACON_ADDR_LIST": "NO",
        "EPICS_CA_ADDR_LIST": host,
        "EPICS_CA_AUTO_ADDR_LIST": "NO",
    }


def _free_port(host: str) -> int:
    """Return a port that is free for both TCP and UDP, which channel access needs.

    It lies below those that systems give to clients (IANA: 49152 and up, Linux: 32768 and up): until the IOC has it,
    no client of anybody can be given it.
    """
    for _ in range(100):
        port = FIRST_PORT + secrets.randbelow(N_PORTS)
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp, contextlib.suppress(OSError):
            tcp.bind((host, port))
            udp.bind((host, port))
            return port
    raise OSError(f"no port of {host} is free for both TCP and UDP")


if __name__ == "__main__":
    from simulators.ioc_process import main

    main()
