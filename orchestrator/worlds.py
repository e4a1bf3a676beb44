"""Worlds: how the orchestrator reaches simulated laboratories, by address and entry point only.

In virtual time a world lives on the campaign's own loop behind in-memory links. In wall time it is a process of its own
that serves each instrument on a pseudo-terminal or a loopback port, so that the very same driver code talks through
real ones.
Either way it keeps its state in its own file in the campaign directory, which the controller never reads.
"""

from __future__ import annotations

import functools
import json
import selectors
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Protocol

from drivers.clock import Clock
from drivers.links.opening import AnyLink, memory_link, real_link
from drivers.links.url import SimAddress, parse_url
from orchestrator.errors import InputError, InUse, LabRefused, StorageError

WORLDS = "labpilot.simulators"
SCORERS = "labpilot.scorers"
ATTENDANTS = "labpilot.attendants"
"""By world, who does by hand what a controller cannot: made with a function that opens the world's instruments."""

START_TIMEOUT_S = 60.0
"""How long a world's process may take until it serves its instruments."""


class Worlds(Protocol):
    """Simulated laboratories that can be closed."""

    def resolve(self, world: str, instrument: str) -> AnyLink:
        """Return a closed link to an instrument."""
        ...

    async def caught_up(self) -> None:
        """Wait until it is as late as it was in every world when it was last acted upon."""
        ...

    def url(self, world: str, instrument: str) -> str:
        """Return the address of an instrument that another process can open.

        Raises:
            InputError: There is no such world or instrument, or no other process can reach it.
        """
        ...

    def close(self) -> None:
        """End them; their state files stay."""
        ...


def load(group: str, name: str) -> Any:
    """Import what an installed package offers under a name.

    Raises:
        InputError: Nothing is offered under it; lists what is.
    """
    offered = {entry.name: entry for entry in entry_points(group=group)}
    if name not in offered:
        known = ", ".join(sorted(offered)) or "none"
        raise InputError(f"no {group.removeprefix('labpilot.')} entry is called {name!r}; installed: {known}")
    return offered[name].load()


def pool_of(options: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]] | None:
    """Return the only points that these worlds can answer for, or None where they can answer for any."""
    for world, told in options.items():
        factory = load(WORLDS, world)
        with _refusals():
            pool = factory.pool(told)
        if pool is not None:
            return pool
    return None


def described(options: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return what worlds say of where their answers come from (an emulator's error, a table's hash), by name."""
    found = {}
    for world, told in options.items():
        describe = getattr(load(WORLDS, world), "describe", None)
        if describe is not None:
            with _refusals():
                found[world] = describe(told)
    return found


def hands_in(worlds: Worlds, options: Mapping[str, Mapping[str, Any]], clock: Clock) -> list[Any]:
    """Return the simulated people's hands in each simulated world that has some."""
    offered = {entry.name: entry for entry in entry_points(group=ATTENDANTS)}
    made = [(world, offered[world].load()) for world in options if world in offered]
    return [hands(functools.partial(worlds.resolve, world), clock) for world, hands in made]


@contextmanager
def _refusals() -> Iterator[None]:
    """Turn a world's refusal of its options or its state file (a table that was moved, say) into one for the user."""
    try:
        yield
    except ValueError as error:
        raise InputError(str(error)) from error
    except sqlite3.Error as error:
        raise StorageError(f"a simulated world's file cannot be used ({error}); free some space, or mend it") from error
    except RuntimeError as error:
        busy = getattr(sys.modules.get("simulators.world"), "WorldBusy", None)  # known by name only; see `WORLDS`
        if busy is None or not isinstance(error, busy):
            raise
        raise InUse(str(error)) from error


def _as_it_is(_instrument: str, peer: Any) -> Any:
    return peer


@dataclass(slots=True)
class VirtualWorlds:
    """Worlds on the campaign's own loop."""

    directory: Path
    clock: Clock
    seed: int
    options: Mapping[str, Mapping[str, Any]]
    between: Callable[[str, Any], Any] = _as_it_is
    """Given an instrument's name and the instrument; returns what answers in its place."""
    _open: dict[str, Any] = field(default_factory=dict)

    def resolve(self, world: str, instrument: str) -> AnyLink:
        """Return the in-memory link to an instrument.

        Raises:
            InputError: There is no such world or instrument, or the world refuses its options or its state file.
            InUse: Another process runs this world.
            StorageError: Its file cannot be written.
        """
        if world not in self._open:
            options = self.options.get(world, {})
            self.directory.mkdir(exist_ok=True)
            factory = load(WORLDS, world)
            with _refusals():
                self._open[world] = factory.open(
                    self.directory / f"{world}.sqlite", clock=self.clock, seed=self.seed, options=options
                )
        peer = self.between(instrument, _instrument(world, instrument, self._open[world].instruments))
        link = memory_link(peer, self.clock, name=str(SimAddress(world=world, instrument=instrument)))
        if hasattr(peer, "linked"):  # what stands between may want to know which requests act
            peer.linked(link)
        return link

    async def caught_up(self) -> None:
        """Wait until it is as late as it was in every world.

        What a killed controller did not write down any more lies behind its journal's last instant, and must not happen
        at the same time as what the next one does.
        """
        await self.clock.sleep_until(max((world.latest_s for world in self._open.values()), default=0.0))

    def url(self, world: str, instrument: str) -> str:
        """Refuse: a world of this process has no address."""
        raise InputError(f"{world}/{instrument} is simulated in this process, and no other can reach it")

    def close(self) -> None:
        """Close the worlds' files."""
        for world in self._open.values():
            world.close()
        self._open.clear()


@dataclass(slots=True)
class ServedWorlds:
    """Worlds as processes of their own, in wall time; they end with this process, and their state files stay."""

    directory: Path
    clock: Clock
    seed: int
    options: Mapping[str, Mapping[str, Any]]
    _ports: dict[str, Mapping[str, str]] = field(default_factory=dict)
    _processes: list[subprocess.Popen[str]] = field(default_factory=list)

    def resolve(self, world: str, instrument: str) -> AnyLink:
        """Return the link to an instrument's pseudo-terminal or loopback port.

        Raises:
            InputError: There is no such world or instrument.
            LabRefused: The world's process did not start.
        """
        return real_link(parse_url(self.url(world, instrument)), self.clock)

    def url(self, world: str, instrument: str) -> str:
        """Return the address of an instrument's pseudo-terminal or loopback port; see `resolve`."""
        if world not in self._ports:
            load(WORLDS, world)
            self.directory.mkdir(exist_ok=True)
            self._ports[world] = self._start(world)
        return _instrument(world, instrument, self._ports[world])

    def _start(self, world: str) -> Mapping[str, str]:
        command = [sys.executable, "-m", "simulators.serve", "--world", world]
        command += ["--state", str(self.directory / f"{world}.sqlite"), "--seed", str(self.seed)]
        command += ["--options", json.dumps(self.options.get(world, {}))]
        # a session of its own: Ctrl-C at the terminal is for the controller, and must not take the laboratory away
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        self._processes.append(process)
        line = _first_line(process)
        if not line:
            raise LabRefused(f"the simulated world {world!r} did not start; its message stands above")
        return json.loads(line)

    async def caught_up(self) -> None:
        """Return at once: in wall time it is never earlier than it was."""

    def close(self) -> None:
        """End the worlds' processes."""
        for process in self._processes:
            if process.stdin is not None:
                process.stdin.close()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdout is not None:
                process.stdout.close()
        self._processes.clear()
        self._ports.clear()


def _first_line(process: subprocess.Popen[str]) -> str:
    if process.stdout is None:
        return ""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        if not selector.select(START_TIMEOUT_S):
            process.kill()
            return ""
    return process.stdout.readline()


def _instrument(world: str, instrument: str, instruments: Mapping[str, Any]) -> Any:
    """Return the instrument of that name, or the only one where none is named."""
    if not instrument and len(instruments) == 1:
        return next(iter(instruments.values()))
    if instrument not in instruments:
        raise InputError(f"world {world!r} has no instrument {instrument!r}; it has {', '.join(sorted(instruments))}")
    return instruments[instrument]
