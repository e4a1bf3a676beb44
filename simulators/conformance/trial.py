"""One command under faults: given, settled, and judged against what the simulated device truly did."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from drivers.command import CommandSpec, Effect
from drivers.errors import Ambiguous, DeviceFault, DriverError, NotSent, Rejected, Unreadable
from simulators.conformance.alike import alike, between
from simulators.conformance.bench import Act, Bench, Exchange, Subject, run
from simulators.faults import Fault, Strike

GRACE_S = 30.0
"""How much longer than its own timeout a command may take before it counts as hanging."""
ATTEMPTS = 15
"""More often than any plan of faults lasts."""

REFUSING = frozenset({Fault.BUSY, Fault.RESTART, Fault.FRONT_PANEL, Fault.WRONG_UNIT})
"""Faults after which a device may refuse."""
BREAKING = frozenset({Fault.RESTART, Fault.WRONG_UNIT, Fault.FRONT_PANEL})
"""Faults after which a device may call itself broken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clean:
    """What a command does on a wire that works."""

    value: Any
    exchanges: tuple[Exchange, ...]
    acts: Counter[Act]
    once: Counter[Act]
    identity: Any
    duration_s: float


def clean_run(subject: Subject, command: str) -> Clean:
    """Give a command once, with nothing going wrong."""

    async def use(bench: Bench) -> Clean:
        await bench.ready(command)
        identity = await bench.driver.identify()
        n_acts, n_exchanges, began_s = bench.n_acts(), len(bench.exchanges), bench.clock.now_s()
        value = await bench.call(command)
        acts, once = bench.acts(n_acts)
        return Clean(
            value=value,
            exchanges=tuple(bench.exchanges[n_exchanges:]),
            acts=acts,
            once=once,
            identity=identity,
            duration_s=bench.clock.now_s() - began_s,
        )

    return run(subject, use)


@dataclass(slots=True, kw_only=True)
class Trial:
    """One command on a wire that goes wrong by a plan, settled as recovery settles it, and held against the truth."""

    subject: Subject
    command: str
    clean: Clean
    plan: Sequence[Strike | None]
    tag: str = "kit-1"
    before: frozenset[Fault] = frozenset()
    """Faults that struck this device earlier; some leave their mark."""
    is_in_session: bool = False
    """Whether other commands came before: what was asked for may be so already."""
    outcome: str = ""
    settled: str = ""
    was_struck: bool = False
    problems: list[str] = field(default_factory=list)
    _value: Any = None
    _n_acts: int = 0
    _faults: frozenset[Fault] = frozenset()

    @property
    def _spec(self) -> CommandSpec:
        return self.subject.specs[self.command]

    async def carry_out(self, bench: Bench) -> None:
        """Make the device ready, let the faults loose, and judge what comes of it."""
        self._faults = self.before | frozenset(strike.fault for strike in self.plan if strike is not None)
        await bench.ready(self.command)
        self._n_acts = bench.n_acts()
        struck = bench.wire.struck
        bench.wire.arm(self.plan)
        error = await self._attempt(bench)
        self.outcome = "success" if error is None else type(error).__name__
        self.was_struck = bench.wire.struck > struck
        self._judge_outcome(bench, error)
        await self._settle(bench, error)
        await self._judge_end(bench)

    async def _attempt(self, bench: Bench) -> DriverError | None:
        limit_s = self._spec.timeout_s + self._spec.late_max_s + GRACE_S
        try:
            async with asyncio.timeout(limit_s):
                self._value = await bench.call(self.command, tag=self.tag)
        except DriverError as error:
            return error
        except TimeoutError:
            self.problems.append(f"no outcome within {limit_s:g} s")
            return Ambiguous("hangs")
        return None

    def _judge_outcome(self, bench: Bench, error: DriverError | None) -> None:
        is_read = self._spec.effect is Effect.READ
        landed = self._has_landed(bench)
        is_done = landed and bool(self.clean.acts) and not self.before & BREAKING
        match error:
            case None if not landed and not self._was_so_before(bench):
                self.problems.append("reported success, but the device did not do it")
            case Ambiguous() if is_read:
                self.problems.append("a READ cannot be Ambiguous: it changes nothing")
            case NotSent() | Unreadable() if not is_read and is_done:
                self.problems.append(f"{type(error).__name__} says that nothing was done, but the device did it")
            case DeviceFault() if not self._faults & BREAKING:
                self.problems.append(f"the wire failed, not the device: {error}")
            case Rejected() if not self._faults & REFUSING:
                self.problems.append(f"the device refused nothing: {error}")
        if isinstance(error, Rejected) and not is_read and is_done:
            self.problems.append("Rejected says that nothing was done, but the device did it")

    def _has_landed(self, bench: Bench) -> bool:
        if self.before & BREAKING:
            return True  # somebody's hand, or a restart, may have done before what was asked for
        acts, _ = bench.acts(self._n_acts)
        return self._contains(acts)

    def _was_so_before(self, bench: Bench) -> bool:
        acts, _ = bench.acts()
        return self.is_in_session and not self.clean.once and self._contains(acts)

    def _contains(self, acts: Counter[Act]) -> bool:
        return all(acts[act] >= 1 for act in self.clean.acts)

    async def _settle(self, bench: Bench, error: DriverError | None) -> None:
        how = "at once"
        for _ in range(ATTEMPTS):
            if error is None:
                self.settled = how
                return
            bench.wire.revive()
            if isinstance(error, Ambiguous):
                if self._spec.effect is Effect.OPERATOR:
                    self.settled = "person"
                    return
                await bench.clock.sleep(self._spec.late_max_s)
                if self._spec.verify is not None and await self._read_back(bench):
                    self.settled = "read back"
                    return
                if self.settled == "person":
                    return
            elif isinstance(error, DeviceFault):
                self.settled = "person"
                return
            await self._reconnected(bench)
            await bench.clock.sleep(1.0)
            if isinstance(error, Rejected | Unreadable | NotSent) and self._faults & BREAKING:
                await self._made_ready(bench)
            how = "repeated"
            error = await self._attempt(bench)
        if self._faults & BREAKING:
            self.settled = "person"
            return
        self.problems.append(f"did not settle in {ATTEMPTS} attempts: {error}")

    async def _made_ready(self, bench: Bench) -> None:
        """Do again what the command needs before, since the device has forgotten it."""
        problem: DriverError | None = None
        for _ in range(ATTEMPTS):
            try:
                await bench.ready(self.command)
                return
            except Rejected:
                return  # the device forgot nothing that this would make again
            except DriverError as error:
                problem = error
                bench.wire.revive()
                await bench.clock.sleep(1.0)
        self.problems.append(f"the device cannot be made ready again: {problem}")

    async def _read_back(self, bench: Bench) -> bool:
        verify = getattr(bench.driver, str(self._spec.verify))
        for _ in range(ATTEMPTS):
            bench.wire.revive()
            await self._reconnected(bench)
            try:
                verdict = bool(await verify(**bench.arguments(self.command, tag=self.tag)))
            except DriverError as error:
                if isinstance(error, DeviceFault) and self._faults & BREAKING:
                    self.settled = "person"  # the device itself does not know any more
                    return False
                if isinstance(error, Ambiguous):
                    self.problems.append(f"the read-back {self._spec.verify} is Ambiguous: it must only read")
                    return False
                await bench.clock.sleep(1.0)
                continue
            landed = self._has_landed(bench)
            if verdict != landed and not self._faults & BREAKING:
                truth = "did it" if landed else "did not do it"
                self.problems.append(f"{self._spec.verify} says {verdict}, but the device {truth}")
            return verdict
        if self._faults & BREAKING:
            self.settled = "person"
            return False
        self.problems.append(f"the read-back {self._spec.verify} gave no answer in {ATTEMPTS} attempts")
        return False

    async def _reconnected(self, bench: Bench) -> None:
        if bench.link.is_open:
            return
        for _ in range(ATTEMPTS):
            try:
                await bench.driver.connect()
                return
            except DriverError:
                bench.wire.revive()
                await bench.clock.sleep(1.0)
        self.problems.append("does not come back after its connection was lost")

    async def _judge_end(self, bench: Bench) -> None:
        bench.wire.arm([])
        bench.wire.revive()
        await self._reconnected(bench)
        self._judge_acts(bench)
        try:
            identity = await bench.driver.identify()
        except DriverError as error:
            self.problems.append(f"the bus is not usable afterwards: {error}")
            return
        if identity != self.clean.identity:
            self.problems.append(f"the bus is out of step: it identifies as {identity}")
        if self.settled in ("at once", "repeated"):
            await self._judge_value(bench)

    def _judge_acts(self, bench: Bench) -> None:
        _, once = bench.acts(self._n_acts)
        for act, count in once.items():
            if count > self.clean.once.get(act, 1) and Fault.RESTART not in self._faults:
                self.problems.append(f"done {count} times: {act[0]} {act[1]}")
        is_so = self._has_landed(bench) or self._was_so_before(bench)
        if self.settled in ("at once", "repeated", "read back") and not is_so:
            self.problems.append("it ended well, but the device did not do it")

    async def _judge_value(self, bench: Bench) -> None:
        if Fault.FRONT_PANEL in (self._faults if self.is_in_session else self.before):
            return  # what somebody changed by hand may still be changing
        tolerance = self._spec.returns.tolerance if self._spec.returns is not None else 0.0
        if alike(self._value, self.clean.value, tolerance=tolerance):
            return
        if self._spec.effect is Effect.READ:
            try:
                again = await bench.call(self.command, tag=self.tag)
            except DriverError as error:
                self.problems.append(f"cannot be read again: {error}")
                return
            if alike(self._value, again, tolerance=tolerance) or between(self._value, self.clean.value, again):
                return
        self.problems.append(f"a wrong value was accepted: {self._value!r}, where {self.clean.value!r} is right")
