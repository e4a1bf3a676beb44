"""The newest readings, each with its age: the guard believes nothing that is older than it may be."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator.guard.predicate import Look, Operand, Unknown, Verdict, field_of
from orchestrator.guard.rules import RateRule, Watch


@dataclass(frozen=True, slots=True)
class Taken:
    """One reading."""

    value: Any
    at_s: float
    """When it was asked for, so that its age is never told too small."""


@dataclass(slots=True)
class Readings:
    """What was read last, by ``device.command``."""

    watches: Mapping[str, Watch]
    rates: Mapping[str, RateRule] = field(default_factory=dict)
    _latest: dict[str, Taken] = field(default_factory=dict)
    _errors: dict[str, str] = field(default_factory=dict)
    _history: dict[str, deque[Taken]] = field(default_factory=dict)

    def put(self, key: str, value: Any, at_s: float) -> None:
        """Note a reading; one that is older than the newest changes nothing."""
        before = self._latest.get(key)
        if before is not None and at_s < before.at_s:
            return
        self._latest[key] = taken = Taken(value, at_s)
        self._errors.pop(key, None)
        over_s = max((rate.over_s for rate in self.rates.values() if rate.key == key), default=0.0)
        if over_s:
            history = self._history.setdefault(key, deque())
            history.append(taken)
            while history[0].at_s < at_s - over_s:
                history.popleft()

    def fail(self, key: str, why: str) -> None:
        """Note that a reading could not be taken; the one before it goes on ageing."""
        self._errors[key] = why

    def newest(self, key: str) -> Taken | None:
        """Return the newest reading, whatever its age."""
        return self._latest.get(key)

    def error(self, key: str) -> str:
        """Return why the last attempt failed; nothing where it did not."""
        return self._errors.get(key, "")

    def age_s(self, key: str, now_s: float) -> float:
        """Return how old a reading is; infinite where there is none."""
        taken = self._latest.get(key)
        return math.inf if taken is None else now_s - taken.at_s

    def row(self, key: str, now_s: float) -> dict[str, Any]:
        """Return a reading with its age as JSON values."""
        taken, age_s = self._latest.get(key), self.age_s(key, now_s)
        return {
            "value": None if taken is None else taken.value,
            "age_s": None if taken is None else age_s,
            "is_stale": age_s > self.watches[key].stale_s,
            "error": self.error(key),
        }

    def look(self, now_s: float, *, fresh_s: float | None = None, since_s: float = -math.inf) -> Look:
        """Return a way to look readings up, of which those that are stale are unknown.

        Args:
            now_s: The time.
            fresh_s: A tighter bound of their age.
            since_s: Those from before this instant are unknown too.
        """

        def looked(operand: Operand) -> Any:
            bound_s = self.watches[operand.key].stale_s
            taken = self._fresh(operand.key, now_s, bound_s if fresh_s is None else min(fresh_s, bound_s))
            if taken.at_s < since_s:
                raise Unknown("not read again yet")
            return field_of(taken.value, operand.fields)

        return looked

    def rate(self, rule: RateRule, now_s: float) -> Verdict:
        """Judge whether a reading changes too fast: its steepest change to now within the time of the rule.

        Two neighbouring readings say little, since each carries its noise; so only those count that lie at least half
        that time apart.
        """
        try:
            newest = self._fresh(rule.key, now_s, self.watches[rule.key].stale_s)
            values = [(now.at_s, _number(now.value)) for now in self._history.get(rule.key, ())]
        except Unknown as unknown:
            return Verdict(None, f"{rule.key}: {unknown}")
        changes = [
            (values[-1][1] - value) / (newest.at_s - at_s)
            for at_s, value in values
            if newest.at_s - at_s >= rule.over_s / 2
        ]
        steepest = max(changes, key=abs, default=0.0)
        return Verdict(abs(steepest) > rule.per_s, f"{rule.key} changes by {60 * steepest:g} a minute")

    def _fresh(self, key: str, now_s: float, bound_s: float) -> Taken:
        taken = self._latest.get(key)
        why = f" ({self._errors[key]})" if key in self._errors else ""
        if taken is None:
            raise Unknown(f"not read yet{why}")
        age_s = now_s - taken.at_s
        if not 0.0 <= age_s <= bound_s:
            raise Unknown(f"stale, {age_s:.3g} s old where {bound_s:g} s is the most{why}")
        return taken


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise Unknown(f"{value!r} is no number")
    return float(value)
