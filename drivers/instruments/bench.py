"""A bench: a robot that does whole experiments, one JSON object a line.

    {"do": "identify"}                                  {"maker": ..., "model": ..., "serial": ..., "firmware": ...}
    {"do": "start", "tag": "t7", "parameters": {...}}   {"ok": true, "ready_s": 3600.0}, {"ok": false, "error": ...}
    {"do": "result", "tag": "t7"}                       {"state": ..., "values": ..., "reason": ..., "remaining_s": ...}

Starting a tag that the bench knows changes nothing. An answer that repeats the tag is checked against it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any, NoReturn

from drivers.capabilities import BenchResult, Identity
from drivers.clock import Clock
from drivers.command import Effect, command
from drivers.errors import Rejected, Unreadable
from drivers.instruments.waiting import wait_until_done
from drivers.instruments.wire import agreed, checked_tag
from drivers.links.base import Link
from drivers.links.framing import BadFrame, Line
from drivers.manifest import Manifest

REPLY_S = 5.0
LATE_MAX_S = 1.0
LOOK_S = 600.0
"""A run is looked at at least this often, in case it ends before its time."""
COLLECT_S = 30 * 86_400.0

_LIQUIDS = ("cysteine", "nacl", "naoh", "pvp", "sds", "silicate", "acid_red", "rhodamine_b", "methylene_blue")
_EXAMPLE = {"parameters": {"p10": 5.0, **dict.fromkeys(_LIQUIDS, 0.25)}}

STATES = ("absent", "running", "done", "failed", "lost")


class BenchDriver:
    """Driver of a bench. Satisfies `Bench`."""

    nothing_to_stop = "a run that was started goes to its end; the robot has no command that breaks it off"
    manifest = Manifest(
        maker="labpilot",
        model="bench",
        wires=("serial",),
        manual="the docstring of simulators/instruments/bench.py: an instrument of our own",
        if_host_dies="Finishes the runs that it has started.",
        simulator="photocatalysis",
    )

    def __init__(self, link: Link, clock: Clock, *, name: str = "bench") -> None:
        self.name = name
        self._link = link
        self._clock = clock

    async def connect(self) -> Identity:
        """Open the link and identify the device."""
        await self._link.open()
        return await self.identify()

    async def close(self) -> None:
        """Close the link; safe to call twice."""
        await self._link.close()

    @command(Effect.READ)
    async def identify(self) -> Identity:
        """Read maker, model, serial number and firmware."""
        answer = await agreed(lambda: self._ask({"do": "identify"}, Effect.READ), self._distrust)
        words = [answer.get(key) for key in ("maker", "model", "serial", "firmware")]
        if not all(isinstance(word, str) for word in words):
            raise self._link.distrust(f"{answer} is no identity", effect=Effect.READ)
        maker, model, serial, firmware = map(str, words)
        return Identity(maker=maker, model=model, serial=serial, firmware=firmware)

    @command(Effect.VERIFIABLE, verify="has_started", timeout_s=2 * REPLY_S, late_max_s=LATE_MAX_S, example=_EXAMPLE)
    async def start(self, *, parameters: Mapping[str, float | int | str], tag: str) -> None:
        """Start one run; a tag that the bench knows is not started again.

        Raises:
            Rejected: The bench refused the parameters, or is full; nothing was started.
        """
        request = {"do": "start", "tag": checked_tag(tag), "parameters": dict(parameters)}
        answer = await self._ask(request, Effect.VERIFIABLE)
        if answer.get("ok") is False:
            raise Rejected(f"the bench refused {tag!r}: {answer.get('error', 'it does not say why')}")
        if answer.get("ok") is not True:
            raise self._link.distrust(f"{answer} is no answer to start", effect=Effect.VERIFIABLE)

    @command(Effect.READ, example=_EXAMPLE)
    async def has_started(self, *, parameters: Mapping[str, float | int | str], tag: str) -> bool:
        """Say whether the bench knows a run of this tag."""
        return (await self._result(tag)).state != "absent"

    @command(Effect.READ)
    async def result(self, *, tag: str) -> BenchResult:
        """Read a run's state, and its values once done."""
        return await self._result(tag)

    @command(Effect.READ, timeout_s=COLLECT_S + LOOK_S)
    async def collect(self, *, tag: str) -> BenchResult:
        """Wait until a run is over and return how it ended; a run that was never started is ``absent``."""
        result = await self._result(tag)

        async def poll() -> float:
            nonlocal result
            result = await self._result(tag)
            return _look_after_s(self._clock.now_s(), result)

        first_s = _look_after_s(self._clock.now_s(), result)
        if not await wait_until_done(self._clock, first_s, poll, at_most_s=COLLECT_S):
            raise Unreadable(f"run {tag!r} is not over after {COLLECT_S / 86_400:g} days; ask at the bench")
        return result

    async def _result(self, tag: str) -> BenchResult:
        """Return a run's state, read twice, since no checksum guards its digits."""
        first, second = await self._result_once(tag), await self._result_once(tag)
        is_running = first.state == second.state == "running"
        if first != second and not is_running:
            raise self._distrust(f"{first} and then {second} cannot both be right")
        return second

    def _distrust(self, why: str) -> Exception:
        return self._link.distrust(why, effect=Effect.READ)

    async def _result_once(self, tag: str) -> BenchResult:
        answer = await self._ask({"do": "result", "tag": checked_tag(tag)}, Effect.READ)
        if answer.get("ok") is False:
            raise Unreadable(f"the bench cannot tell about run {tag!r}: {answer.get('error', 'it does not say why')}")
        state, values, remaining_s = answer.get("state"), answer.get("values", {}), answer.get("remaining_s", 0.0)
        if state not in STATES or not isinstance(values, dict) or not _is_number(remaining_s):
            raise self._link.distrust(f"{answer} is no result", effect=Effect.READ)
        wrong = [name for name, value in values.items() if not _is_number(value)]
        if wrong:
            raise self._link.distrust(f"{', '.join(wrong)} of run {tag!r} is no finite number", effect=Effect.READ)
        return BenchResult(
            tag=tag,
            state=state,
            values={name: float(value) for name, value in values.items()},
            reason=str(answer.get("reason") or ""),
            remaining_s=max(0.0, float(remaining_s)),
        )

    async def _ask(self, request: Mapping[str, Any], effect: Effect) -> dict[str, Any]:
        reply = await self._link.exchange(
            _wrapped(request), framing=_LINE, timeout_s=REPLY_S, effect=effect, late_max_s=LATE_MAX_S
        )
        try:
            answer = json.loads(reply, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            raise self._link.distrust(f"the bench's answer is no JSON: {error}", effect=effect) from None
        if not isinstance(answer, dict):
            raise self._link.distrust(f"{answer!r} is no answer", effect=effect)
        if answer.get("tag", request.get("tag")) != request.get("tag"):
            raise self._link.distrust(f"the answer is about run {answer['tag']!r}", effect=effect)
        return answer


_LINE = Line(longest=1 << 20)


def _wrapped(request: Mapping[str, Any]) -> bytes:
    try:
        return _LINE.wrap(json.dumps(request, allow_nan=False).encode())
    except (ValueError, TypeError, BadFrame) as error:
        raise Rejected(f"these parameters cannot be sent: {error}; nothing was sent") from error


def _look_after_s(now_s: float, result: BenchResult) -> float:
    """Return when to ask again: at the announced end, or at the next full ten minutes of the clock."""
    if result.state != "running":
        return 0.0
    return min(max(result.remaining_s, 1e-3), LOOK_S - now_s % LOOK_S)


def _is_number(value: object) -> bool:
    # not isfinite(): JSON may hold whole numbers that no float reaches
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")
