"""The driver that stands behind every adapted PyMeasure instrument."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from functools import reduce
from typing import Any, ClassVar, TypeVar

from drivers.adapters import foreign
from drivers.adapters.blocking import BlockingCall, Overdue, Question
from drivers.adapters.pymeasure_declared import NOTHING, Action, Setting, Wire
from drivers.capabilities import Identity
from drivers.clock import Clock
from drivers.command import Effect, command
from drivers.errors import DeviceFault, NotConnected, Rejected
from drivers.instruments.acting import after_acting
from drivers.links.base import Link
from drivers.manifest import Manifest

LIBRARY = "PyMeasure"
CONNECT_S = 10.0

T = TypeVar("T")


class PyMeasureDriver:
    """What all adapted instruments share; `drivers.adapters.pymeasure.adapted` adds the commands."""

    manifest: ClassVar[Manifest]
    _kind: ClassVar[Any]
    _wire: ClassVar[Wire]

    def __init__(self, link: Link, clock: Clock, *, name: str = "instrument") -> None:
        self.name = name
        self._link = link
        self._clock = clock
        self._instrument: Any = None
        self._adapter: Any = None
        self._turn = asyncio.Lock()

    async def connect(self) -> Identity:
        """Open the link, build the instrument if that was not done, and identify it.

        What the instrument's class writes when it is built is sent with the first question.

        Raises:
            NotConnected: PyMeasure is not installed, or the port is not there.
        """
        kind = foreign(self._kind, library=LIBRARY)
        adapter = foreign("drivers.adapters.pymeasure_wire:LinkAdapter", library=LIBRARY)
        await self._link.open()
        if self._instrument is None:
            wire = self._wire
            self._adapter = adapter(write_termination=wire.write_termination, read_termination=wire.read_termination)
            self._instrument = await self._run(lambda: self._built(kind), Effect.READ, CONNECT_S)
        return await self.identify()

    async def close(self) -> None:
        """Close the link; safe to call twice."""
        await self._link.close()

    @command(Effect.READ, timeout_s=CONNECT_S)
    async def identify(self) -> Identity:
        """Read maker, model, serial number and firmware, twice."""
        first, second = await self._run(lambda: self._twice(self._wire.identity), Effect.READ, CONNECT_S)
        if first != second:
            raise self._link.distrust(f"{first!r} and then {second!r} cannot both be right", effect=Effect.READ)
        words = [word.strip() for word in str(first).split(",")]
        if len(words) == 4:
            return Identity(maker=words[0], model=words[1], serial=words[2], firmware=words[3])
        return Identity(maker=self.manifest.maker, model=str(first).strip(), serial="", firmware="")

    async def _read_twice(
        self, attribute: str, tolerance: float, timeout_s: float, effect: Effect = Effect.READ
    ) -> float:
        """Read a number twice, and return it where the two agree."""
        answers = await self._run(lambda: self._twice(attribute), effect, timeout_s)
        first, second = (self._number(answer, attribute, effect) for answer in answers)
        if abs(first - second) > tolerance:
            raise self._link.distrust(f"{first!r} and then {second!r} cannot both be right", effect=effect)
        return second

    async def _set_and_read(self, declared: Setting, value: float) -> None:
        """Set a property, and read it back.

        Raises:
            Rejected: PyMeasure refused the value; nothing was sent.
            DeviceFault: The device holds another value.
        """
        path, effect = declared.attribute, Effect.VERIFIABLE

        def work() -> Any:
            self._set(path, value)
            return self._find(path)

        landed = self._number(await self._run(work, effect, declared.timeout_s), path, effect)
        if abs(landed - value) > declared.tolerance:  # it took another value, or noise made another of it
            landed = await after_acting(self._read_twice(path, declared.tolerance, declared.timeout_s, effect))
        if abs(landed - value) > declared.tolerance:
            raise DeviceFault(f"{path} is {landed:g} {declared.unit} after it was set to {value:g}", code="not taken")

    async def _act_and_read(self, declared: Action) -> None:
        """Call a method or assign a fixed value, and read a property behind it.

        Raises:
            Rejected: PyMeasure refused; nothing was sent.
            DeviceFault: The property says something else.
        """
        read_back = declared.confirmed_by or declared.attribute
        expected = declared.value if declared.confirmed_as is NOTHING else declared.confirmed_as

        def work() -> Any:
            if declared.value is NOTHING:
                self._find(declared.attribute)()
            else:
                self._set(declared.attribute, declared.value)
            return self._find(read_back)

        how = {"effect": declared.effect, "timeout_s": declared.timeout_s, "urgent": declared.urgent}
        answer = await self._run(work, **how)
        if expected is NOTHING or answer == expected:
            return
        first, second = await after_acting(self._run(lambda: self._twice(read_back), **how))
        if first != second:
            raise self._link.distrust(f"{first!r} and then {second!r} cannot both be right", effect=declared.effect)
        if second != expected:
            raise DeviceFault(f"{read_back} is {second!r} after it, and not {expected!r}", code="not taken")

    def _built(self, kind: Callable[..., Any]) -> Any:
        self._instrument = kind(self._adapter, **self._wire.options)
        # a delay before reading is of no use: what was written leaves when the reply is asked for
        self._instrument.wait_for = _at_once
        try:
            self._find(self._wire.identity)
        except BaseException:
            self._instrument = None
            raise
        return self._instrument

    def _find(self, path: str) -> Any:
        return reduce(getattr, path.split("."), self._instrument)

    def _set(self, path: str, value: Any) -> None:
        owner, _, name = path.rpartition(".")
        setattr(self._find(owner) if owner else self._instrument, name, value)

    def _twice(self, path: str) -> tuple[Any, Any]:
        return self._find(path), self._find(path)

    def _number(self, answer: Any, path: str, effect: Effect) -> float:
        is_number = isinstance(answer, int | float) and not isinstance(answer, bool)
        if not is_number or not math.isfinite(answer):
            raise self._link.distrust(f"{path} is {answer!r}, which is no number", effect=effect)
        return float(answer)

    async def _run(self, work: Callable[[], T], effect: Effect, timeout_s: float, *, urgent: bool = False) -> T:
        """Do blocking work with the instrument, one at a time, unless it is urgent."""
        if urgent:
            return await self._run_now(work, effect, timeout_s, urgent=True)
        async with self._turn:
            return await self._run_now(work, effect, timeout_s, urgent=False)

    async def _run_now(self, work: Callable[[], T], effect: Effect, timeout_s: float, *, urgent: bool) -> T:
        if self._adapter is None:
            raise NotConnected(f"{self.name} was never connected; call connect() first")
        n_replies = 0

        async def serve(question: Question) -> bytes:
            nonlocal n_replies
            exchange = self._link.exchange(
                question.data,
                framing=question.framing,
                timeout_s=self._wire.reply_s,
                effect=effect,
                late_max_s=self._wire.late_max_s,
                urgent=urgent,
            )
            reply = await (after_acting(exchange) if n_replies and effect is not Effect.READ else exchange)
            n_replies += 1
            return reply

        def speak(call: BlockingCall) -> T:
            return self._adapter.speaking_for(call, work)

        call = BlockingCall(speak, self._clock, deadline_s=self._clock.now_s() + timeout_s)
        try:
            ended = await call.carry_out(serve)
        except Overdue:
            raise self._link.distrust(f"{LIBRARY} needs longer than {timeout_s:g} s", effect=effect) from None
        if call.failure is not None:
            raise call.failure
        self._judge(ended.error, call.pending, n_replies, effect)
        return ended.value

    def _judge(self, error: Exception | None, unsent: bytes, n_replies: int, effect: Effect) -> None:
        """Say what a call means that ended by itself, with nothing wrong at the wire."""
        if error is None and not unsent:
            return
        problem = f"it writes {unsent!r} and reads nothing behind it, so that nobody can know whether it arrived"
        if error is not None:
            problem = f"{LIBRARY} raised {type(error).__name__}: {error}"
        if n_replies == 0:
            raise Rejected(f"{problem}; nothing was sent") from error
        raise self._link.distrust(problem, effect=effect) from error


def _at_once(query_delay: float | None = None) -> None:
    """Wait for nothing."""
