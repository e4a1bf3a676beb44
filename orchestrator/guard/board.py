"""All trips of one guard, judged by its readings."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from drivers.clock import Clock
from orchestrator.guard.answers import Answer, Why
from orchestrator.guard.predicate import Verdict
from orchestrator.guard.readings import Readings
from orchestrator.guard.rules import RateRule, Rules, TripRule
from orchestrator.guard.trips import TripState, TripStatus

STOP_ALL = "stop-all"
"""The trip that a person latches."""


@dataclass(slots=True)
class TripBoard:
    """Where each trip stands.

    Args:
        rules: The trips.
        readings: What they are judged by.
        clock: The time.
        everything: The devices of a stop for all.
        latched: Trips that were latched when the guard before this one ended, with their reason.
    """

    rules: Rules
    readings: Readings
    clock: Clock
    everything: tuple[str, ...]
    latched: Mapping[str, str]
    _trips: dict[str, TripStatus] = field(init=False)
    _woke_s: float = -math.inf

    def __post_init__(self) -> None:
        self._trips = {name: self._at_start(name) for name in (*self.rules.trips, *self.rules.rates, STOP_ALL)}

    def __iter__(self) -> Iterator[str]:
        return iter(self._trips)

    def __contains__(self, name: str) -> bool:
        return name in self._trips

    def devices(self, name: str) -> tuple[str, ...]:
        """Return the devices that a trip stops."""
        return self.everything if name == STOP_ALL else self._rule(name).stop

    def about(self, key: str) -> list[str]:
        """Return the trips that a reading matters to."""
        trips = [
            name
            for name, rule in self.rules.trips.items()
            if any(operand.key == key for operand in rule.when.operands())
        ]
        return trips + [name for name, rule in self.rules.rates.items() if rule.key == key]

    def blocked(self, device: str) -> Answer:
        """Say whether a trip keeps a device from commands that act."""
        for name, status in self._trips.items():
            if status.blocks and device in self.devices(name):
                if status.state is TripState.TRIPPED:
                    return Answer(why=Why.TRIP, reason=f"{name} ({status.reason}): acknowledge it first")
                return Answer(why=Why.PENDING, reason=f"{name} ({status.reason}): it is about to trip")
        return Answer()

    def judge(self, name: str) -> TripStatus | None:
        """Judge a trip again; returns its status if it has latched just now."""
        if name == STOP_ALL:
            return None
        now_s, before = self.clock.now_s(), self._trips[name]
        verdict, longer_s = self._verdict(self._rule(name), now_s)
        status = before.judged(verdict.truth, verdict.reason, now_s=now_s, longer_s=longer_s)
        self._trips[name] = status
        has_tripped = status.state is TripState.TRIPPED and before.state is not TripState.TRIPPED
        return status if has_tripped else None

    def latch_all(self, reason: str) -> None:
        """Latch the stop for all."""
        now_s = self.clock.now_s()
        self._trips[STOP_ALL] = TripStatus(state=TripState.TRIPPED, since_s=now_s, truth=False, reason=reason)

    def acknowledge(self, name: str) -> None:
        """Release a latched trip that was judged just now.

        Raises:
            Impossible: It is not latched, or its cause is not known to be over.
        """
        self._trips[name] = self._trips[name].acknowledged()

    def woke(self, now_s: float) -> None:
        """Note that the guard did not run for a while: no reading is fresh, and that is not the laboratory's fault.

        Each reading gets its stale age to come again, as at the start.
        """
        self._woke_s = now_s
        for name, status in self._trips.items():
            if status.state is TripState.PENDING:
                self._trips[name] = replace(status, since_s=now_s)

    @property
    def latched_now(self) -> dict[str, str]:
        """The trips that are latched, with their reason."""
        return {name: status.reason for name, status in self._trips.items() if status.state is TripState.TRIPPED}

    def rows(self) -> dict[str, Any]:
        """Return each trip as JSON values."""
        return {
            name: {"state": str(one.state), "reason": one.reason, "now": one.now, "since_s": one.since_s}
            for name, one in self._trips.items()
        }

    def _at_start(self, name: str) -> TripStatus:
        if name not in self.latched:
            return TripStatus()
        truth = False if name == STOP_ALL else None
        reason = self.latched[name]
        return TripStatus(
            state=TripState.TRIPPED, since_s=self.clock.now_s(), truth=truth, reason=reason, now="not judged yet"
        )

    def _rule(self, name: str) -> TripRule | RateRule:
        return self.rules.trips.get(name) or self.rules.rates[name]

    def _verdict(self, rule: TripRule | RateRule, now_s: float) -> tuple[Verdict, float]:
        """Return what a trip's condition comes to, and how long it must be so.

        A reading that has not come since the guard runs is given its stale age to come at all; meanwhile the devices
        of the trip take no command.
        """
        if isinstance(rule, RateRule):
            return self.readings.rate(rule, now_s), self._starting_s([rule.key])
        verdict = rule.when.judge(self.readings.look(now_s))
        return verdict, max(rule.longer_s, self._starting_s(operand.key for operand in rule.when.operands()))

    def _starting_s(self, keys: Iterable[str]) -> float:
        return max((self.rules.watches[key].stale_s for key in keys if self._is_awaited(key)), default=0.0)

    def _is_awaited(self, key: str) -> bool:
        taken = self.readings.newest(key)
        return taken is None or taken.at_s < self._woke_s
