"""Serve a world on pseudo-terminals, in wall time and a process of its own.

    python -m simulators.serve --world film-station --state world.db --seed 3 --options '{"failures": false}'

prints one line, ``{"laser": "/dev/pts/4", ...}``, and serves until its standard input closes. So it ends with its
controller, however that ends, and the world's file lives on. No sockets are opened.
"""

from __future__ import annotations

import argparse
import asyncio
import difflib
import json
import os
import sqlite3
import sys
import time
import tty
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from importlib.metadata import entry_points
from typing import Any

from drivers.clock import RealClock
from simulators.world import Instrument, World, WorldBusy, WorldFile

GROUP = "labpilot.simulators"
"""The entry point group of worlds."""

PIECE = 65_536


class EpochClock(RealClock):
    """The wall clock in seconds since 1970, UTC: what it says still means the same after a restart."""

    def now_s(self) -> float:
        """Return seconds since 1970."""
        return time.time()


class PtyPort:
    """One instrument on a pseudo-terminal; use it on a running event loop.

    The port keeps its own end of the terminal open, so that clients may come and go.
    """

    def __init__(self, instrument: Instrument, loop: asyncio.AbstractEventLoop) -> None:
        self._instrument = instrument
        self._loop = loop
        self._master, self._slave = os.openpty()
        # before anybody opens it: a terminal that echoes would answer the instrument with its own replies
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self._waiting: deque[bytes] = deque()
        self.path = os.ttyname(self._slave)
        """The device that a client opens."""
        instrument.send = self._send
        loop.add_reader(self._master, self._readable)

    def close(self) -> None:
        """Take the port away; safe to call twice."""
        if self._master < 0:
            return
        self._instrument.send = None
        self._loop.remove_reader(self._master)
        self._loop.remove_writer(self._master)
        os.close(self._master)
        os.close(self._slave)
        self._master = self._slave = -1

    def _readable(self) -> None:
        self._instrument.receive(os.read(self._master, PIECE))

    def _send(self, data: bytes) -> None:
        self._waiting.append(data)
        self._writable()

    def _writable(self) -> None:
        # a terminal holds about 4 kB; a client that died with more than that on the way must not stop us
        while self._waiting:
            try:
                written = os.write(self._master, self._waiting[0])
            except BlockingIOError:
                break
            rest = self._waiting.popleft()[written:]
            if rest:
                self._waiting.appendleft(rest)
        if self._waiting:
            self._loop.add_writer(self._master, self._writable)
        else:
            self._loop.remove_writer(self._master)


def world_class(name: str) -> type[Any]:
    """Return an installed world's class.

    Raises:
        LookupError: There is none of that name; names the nearest.
    """
    installed = {entry.name: entry for entry in entry_points(group=GROUP)}
    if name not in installed:
        close = difflib.get_close_matches(name, installed, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"installed are {', '.join(sorted(installed))}"
        raise LookupError(f"no world is called {name!r}; {hint}")
    return installed[name].load()


async def serve(instruments: Mapping[str, Instrument]) -> None:
    """Serve instruments until standard input closes.

    Raises:
        ValueError: Standard input is a plain file or /dev/null, whose end says nothing about a controller.
    """
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    with ExitStack() as ports:
        paths: dict[str, str] = {}
        for name, instrument in instruments.items():
            port = PtyPort(instrument, loop)
            ports.callback(port.close)
            paths[name] = port.path
        try:
            loop.add_reader(0, lambda: None if os.read(0, PIECE) else ended.set())
        except PermissionError as error:
            raise ValueError("standard input must be a pipe, which closes when its controller ends") from error
        ports.callback(loop.remove_reader, 0)
        sys.stdout.write(json.dumps(paths) + "\n")
        sys.stdout.flush()
        await ended.wait()


def main(argv: Sequence[str] | None = None) -> int:
    """Serve one world; returns the process's exit code, 2 for what the caller got wrong."""
    parser = argparse.ArgumentParser(prog="python -m simulators.serve", description=__doc__)
    parser.add_argument("--world", required=True, help="name of an installed world")
    parser.add_argument("--state", required=True, help="the world's file, made if it is not there")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--options", type=_json_object, default={}, help="a JSON object")
    asked = parser.parse_args(argv)
    try:
        with closing(WorldFile(asked.state)) as state:
            world: World = world_class(asked.world)(
                state=state, clock=EpochClock(), seed=asked.seed, options=asked.options
            )
            asyncio.run(serve(world.instruments))
    except (LookupError, ValueError, OSError, WorldBusy, sqlite3.Error) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def _json_object(text: str) -> dict[str, Any]:
    found = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError(text)
    return found


if __name__ == "__main__":
    sys.exit(main())
