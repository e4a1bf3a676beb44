"""What must hold of each command apart from faults: limits, repeating, cancelling, stopping, coming back, replaying."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Iterator
from typing import Any

from drivers.command import Effect
from drivers.errors import DriverError, OutOfLimits
from drivers.links.memory import MemoryLink
from drivers.links.opening import bus_over
from simulators.conformance.alike import alike
from simulators.conformance.bench import Bench, Subject, run
from simulators.conformance.results import CaseResult
from simulators.conformance.trial import Clean
from simulators.faults import Fault, Strike

STOP_AFTER = 0.4
"""The share of a command's duration after which it is stopped."""
LONG_ENOUGH_S = 0.2
"""A command that takes less cannot be stopped half-way."""


def limit_cases(subject: Subject, command: str) -> Iterator[CaseResult]:
    """Ask for values just outside each limit, and for no number: none may reach the wire."""
    for name, quantity in subject.specs[command].arguments.items():
        step = 1e-6 * max(1.0, abs(quantity.low or 0.0), abs(quantity.high or 0.0))
        tried = [("not a number", math.nan), ("infinite", math.inf)]
        tried += [("below", quantity.low - step)] if quantity.low is not None else []
        tried += [("above", quantity.high + step)] if quantity.high is not None else []
        for what, value in tried:
            problems = run(subject, lambda bench, n=name, v=value: _refused(bench, command, n, v))
            yield _result("limits", subject, command, fault=f"{name} {what}", problems=problems)


async def _refused(bench: Bench, command: str, name: str, value: float) -> tuple[str, ...]:
    await bench.ready(command)
    before = bench.wire.exchanges
    try:
        await getattr(bench.driver, command)(**{**bench.arguments(command), name: value})
    except OutOfLimits:
        sent = bench.wire.exchanges - before
        return (f"{sent} exchanges reached the wire",) if sent else ()
    except DriverError as error:
        return (f"{type(error).__name__} and not OutOfLimits: {error}",)
    return ("it was accepted",)


def twice_case(subject: Subject, command: str, clean: Clean) -> CaseResult:
    """Give an IDEMPOTENT command twice, and a tagged one twice with one tag: the second changes nothing."""
    spec = subject.specs[command]
    if spec.effect is not Effect.IDEMPOTENT:
        return _result("twice", subject, command, why_not="it does not claim to be repeatable")
    return _result("twice", subject, command, problems=run(subject, lambda bench: _twice(bench, command, clean)))


async def _twice(bench: Bench, command: str, clean: Clean) -> tuple[str, ...]:
    await bench.ready(command)
    n_acts = bench.n_acts()
    try:
        await bench.call(command)
        await bench.call(command)
    except DriverError as error:
        return (f"the second call raised {type(error).__name__}: {error}",)
    acts, once = bench.acts(n_acts)
    doubled = [act for act, count in once.items() if count > clean.once.get(act, 1)]
    strange = [act for act in acts if act not in clean.acts]
    problems = [f"the second call did {act[0]} {act[1]} again" for act in doubled]
    return tuple(problems + [f"the second call did something else: {act[0]} {act[1]}" for act in strange])


def cancel_cases(subject: Subject, command: str, clean: Clean) -> Iterator[CaseResult]:
    """Cancel a command while it waits for a reply: the bus stays in step."""
    for at in range(min(2, len(clean.exchanges))):
        problems = run(subject, lambda bench, at=at: _cancelled(bench, command, clean, at))
        yield _result("cancel", subject, command, at=at, problems=problems)


async def _cancelled(bench: Bench, command: str, clean: Clean, at: int) -> tuple[str, ...]:
    await bench.ready(command)
    late_s = 0.5 * clean.exchanges[at].timeout_s
    bench.wire.arm([*([None] * at), Strike(fault=Fault.LATE, late_s=late_s)])
    struck = bench.wire.struck
    task = asyncio.ensure_future(bench.call(command))
    deadline_s = bench.clock.now_s() + 3600.0
    while bench.wire.struck == struck and not task.done() and bench.clock.now_s() < deadline_s:
        await bench.clock.sleep(0.01)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError, DriverError):
        await task
    try:
        identity = await bench.driver.identify()
    except DriverError as error:
        return (f"the bus is not usable afterwards: {error}",)
    return () if identity == clean.identity else (f"out of step: it identifies as {identity}",)


def stop_case(subject: Subject, command: str, clean: Clean) -> CaseResult:
    """Stop while a command is in flight."""
    if "stop" not in subject.specs or command == "stop":
        return _result("stop", subject, command, why_not="there is nothing to stop")
    if subject.specs[command].effect is Effect.READ or clean.duration_s < LONG_ENOUGH_S:
        return _result("stop", subject, command, why_not="it is over at once")
    return _result("stop", subject, command, problems=run(subject, lambda bench: _stopped(bench, command, clean)))


async def _stopped(bench: Bench, command: str, clean: Clean) -> tuple[str, ...]:
    await bench.ready(command)
    task = asyncio.ensure_future(bench.call(command))
    await bench.clock.sleep(STOP_AFTER * clean.duration_s)
    spec, began_s = bench.subject.specs["stop"], bench.clock.now_s()
    problems = []
    try:
        await bench.driver.stop()
    except DriverError as error:
        problems.append(f"stop raised {type(error).__name__}: {error}")
    took_s = bench.clock.now_s() - began_s
    if took_s > spec.timeout_s:
        problems.append(f"stop took {took_s:g} s, and declares {spec.timeout_s:g} s")
    try:
        async with asyncio.timeout(bench.subject.specs[command].timeout_s + 60.0):
            await asyncio.wait([task])
    except TimeoutError:
        problems.append("the command that was stopped never ends")
        task.cancel()
    stray = task.exception() if task.done() and not task.cancelled() else None
    if stray is not None and not isinstance(stray, DriverError):
        problems.append(f"the command that was stopped raised {type(stray).__name__}: {stray}")
    if await bench.driver.identify() != clean.identity:
        problems.append("the bus is out of step afterwards")
    return tuple(problems)


def reconnect_case(subject: Subject, clean: Clean) -> CaseResult:
    """Close, and connect again; close twice; let the device restart, and connect again."""
    return _result("reconnect", subject, "connect", problems=run(subject, lambda bench: _reconnects(bench, clean)))


async def _reconnects(bench: Bench, clean: Clean) -> tuple[str, ...]:
    problems = []
    try:
        await bench.driver.connect()
        await bench.driver.close()
        await bench.driver.close()
        await bench.driver.connect()
        bench.wire.arm([Strike(fault=Fault.RESTART)])
        with contextlib.suppress(DriverError):
            await bench.driver.identify()
        if not bench.link.is_open:
            await bench.driver.connect()
        if await bench.driver.identify() != clean.identity:
            problems.append("another device seems to answer after a restart")
    except DriverError as error:
        problems.append(f"{type(error).__name__}: {error}")
    return tuple(problems)


def replay_case(subject: Subject, command: str, clean: Clean) -> CaseResult:
    """Play the recorded bytes of a session back to the driver: it must say and understand the same."""
    if run(subject, _is_channels):
        return _result("replay", subject, command, why_not="channels carry values and no bytes")
    from drivers.links.replay import ReplayPeer

    passed, value = run(subject, lambda bench: _recorded(bench, command))

    async def use(bench: Bench) -> tuple[str, ...]:
        peer = ReplayPeer(passed)
        link = MemoryLink(peer, bench.clock, name="replay")
        driver = subject.driver(bus_over(link, bench.wire), bench.clock, name=subject.instrument)
        problems = []
        bench.driver = driver
        try:
            await bench.ready(command)
            again = await bench.call(command)
            if not alike(again, value):
                problems.append(f"understood {again!r} where it was {value!r}")
        except DriverError as error:
            problems.append(f"{type(error).__name__}: {error}")
        problems += [str(mismatch) for mismatch in peer.mismatches]
        return tuple(problems)

    return _result("replay", subject, command, problems=run(subject, use))


async def _is_channels(bench: Bench) -> bool:
    return bench.wire.wire == "ca"


async def _recorded(bench: Bench, command: str) -> tuple[list[Any], Any]:
    await bench.ready(command)
    value = await bench.call(command)
    return list(bench.tap), value


def _result(
    group: str,
    subject: Subject,
    command: str,
    *,
    fault: str = "",
    at: int = 0,
    problems: tuple[str, ...] = (),
    why_not: str = "",
) -> CaseResult:
    return CaseResult(
        group=group,
        wire=subject.instrument,
        command=command,
        fault=fault,
        at=at,
        problems=problems,
        why_not=why_not,
    )
