"""Serve a world on real ports, in wall time and a process of its own.

    python -m simulators.serve --world film-station --state world.db --seed 3 --options '{"failures": false}'

prints one line, ``{"laser": "serial:///dev/pts/4?...", ...}`` with the URL of each instrument, and serves until its
standard input closes. So it ends with its controller, however that ends, and the world's file lives on. Serial
instruments get a pseudo-terminal, others a port on loopback.
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
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from drivers.clock import RealClock
from simulators.ports import PIECE, opened
from simulators.world import Instrument, World, WorldBusy, WorldFile

GROUP = "labpilot.simulators"
"""The entry point group of worlds."""


class EpochClock(RealClock):
    """The wall clock in seconds since 1970, UTC: what it says still means the same after a restart."""

    def now_s(self) -> float:
        """Return seconds since 1970."""
        return time.time()


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
    async with opened(instruments) as urls:
        try:
            loop.add_reader(0, lambda: None if os.read(0, PIECE) else ended.set())
        except PermissionError as error:
            raise ValueError("standard input must be a pipe, which closes when its controller ends") from error
        try:
            sys.stdout.write(json.dumps(urls) + "\n")
            sys.stdout.flush()
            await ended.wait()
        finally:
            loop.remove_reader(0)


def serve_by_hand(name: str, *, host: str, port: int, state: Path | None, seed: int, options: Mapping[str, Any]) -> int:
    """Serve one world until Ctrl-C, and print the URL of each instrument.

    Raises:
        LookupError: There is no such world.
        ValueError: It refuses the options or the state file.
        OSError: A port is taken.
    """
    kind = world_class(name)
    with closing(WorldFile(":memory:" if state is None else state)) as file:
        world: World = kind(state=file, clock=EpochClock(), seed=seed, options=options)
        with suppress(KeyboardInterrupt):
            asyncio.run(_serve_by_hand(name, world.instruments, host, port))
    return 0


async def _serve_by_hand(name: str, instruments: Mapping[str, Instrument], host: str, port: int) -> None:
    async with opened(instruments, host=host, port=port) as urls:
        for instrument, url in urls.items():
            sys.stdout.write(f"{name}/{instrument}  {url}\n")
        sys.stdout.write("serving until Ctrl-C\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


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
