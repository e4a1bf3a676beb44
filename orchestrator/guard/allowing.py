"""Whether a command may be given: its interlocks by fresh readings, how fast it changes things, and how often."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from drivers.clock import Clock
from orchestrator.guard.answers import Answer, Why
from orchestrator.guard.readings import Readings
from orchestrator.guard.rules import EVERY, Need, Rules
from orchestrator.guard.watching import Watching

ALLOWED = Answer()


@dataclass(slots=True)
class Allowing:
    """Interlocks and rates of commands."""

    rules: Rules
    readings: Readings
    watching: Watching
    clock: Clock
    _given: dict[str, deque[float]] = field(default_factory=lambda: defaultdict(deque))
    """When counted commands were allowed."""
    _set: dict[tuple[str, str], tuple[float, float]] = field(default_factory=dict)
    """What arguments were last allowed, and when."""

    async def check(self, device: str, command: str, arguments: Mapping[str, Any]) -> Answer:
        """Say whether a command may be given now; a reading that is too old for its interlock is taken again first."""
        for need in self._needs(device, command):
            await self._refresh(need)
            verdict = need.when.judge(self.readings.look(self.clock.now_s(), fresh_s=need.fresh_s))
            if verdict.truth is not True:
                why = f" ({need.why})" if need.why else ""
                return Answer(why=Why.INTERLOCK, reason=f"needs {need.when}{why}, but {verdict.reason}")
        return self._rates(f"{device}.{command}", arguments)

    def note(self, device: str, command: str, arguments: Mapping[str, Any]) -> None:
        """Note that a command was allowed."""
        target, now_s = f"{device}.{command}", self.clock.now_s()
        if target in self.rules.counts:
            self._given[target].append(now_s)
        for step in self.rules.steps:
            value = _number(arguments.get(step.argument))
            if step.target == target and value is not None:
                self._set[target, step.argument] = (value, now_s)

    def _needs(self, device: str, command: str) -> Iterator[Need]:
        for target in (f"{device}.{command}", f"{device}.{EVERY}"):
            if target in self.rules.needs:
                yield self.rules.needs[target]

    async def _refresh(self, need: Need) -> None:
        watches = {operand.key: self.rules.watches[operand.key] for operand in need.when.operands()}
        await asyncio.gather(
            *(
                self.watching.read(watch, fresh_s=watch.stale_s if need.fresh_s is None else need.fresh_s)
                for watch in watches.values()
            )
        )

    def _rates(self, target: str, arguments: Mapping[str, Any]) -> Answer:
        count, now_s = self.rules.counts.get(target), self.clock.now_s()
        if count is not None:
            given = self._given[target]
            while given and given[0] <= now_s - count.within_s:
                given.popleft()
            if len(given) >= count.times:
                text = f"given {len(given)} times in {count.within_s:g} s, which is the most"
                return Answer(why=Why.RATE, reason=text)
        for step in self.rules.steps:
            value, before = _number(arguments.get(step.argument)), self._set.get((target, step.argument))
            if step.target != target or before is None or value is None:
                continue
            change, passed_s = abs(value - before[0]), now_s - before[1]
            if change > step.per_s * passed_s:
                text = f"{step.argument} changes by {change:g} after {passed_s:.3g} s; the most is {step.written}"
                return Answer(why=Why.RATE, reason=text)
        return ALLOWED


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
