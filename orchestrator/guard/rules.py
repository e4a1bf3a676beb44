"""What the guard goes by: the settings, bound to the devices of a lab, with every value in its driver's unit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from drivers.command import CommandSpec
from orchestrator.guard.predicate import Node
from orchestrator.guard.settings import OnLoss, Reach

EVERY = "*"
"""Stands for every command of a device that acts."""


class Player(Protocol):
    """One device as its driver class declares it."""

    @property
    def driver(self) -> type:
        """The driver class."""
        ...

    @property
    def specs(self) -> Mapping[str, CommandSpec]:
        """Its commands."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """A reading to take."""

    key: str
    device: str
    command: str
    every_s: float
    stale_s: float
    deadline_s: float
    """How long one attempt may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What a command needs."""

    target: str
    when: Node
    fresh_s: float | None
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TripRule:
    """What makes devices safe."""

    name: str
    when: Node
    longer_s: float
    stop: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RateRule:
    """How fast a reading may change, in its unit per second; faster is a trip."""

    key: str
    per_s: float
    written: str
    over_s: float
    stop: tuple[str, ...]

    @property
    def name(self) -> str:
        """Its name as a trip."""
        return f"{self.key} faster than {self.written}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRule:
    """How fast an argument may change, in its unit per second."""

    target: str
    argument: str
    per_s: float
    written: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CountRule:
    """How often a command may be given."""

    target: str
    times: int
    within_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """How one sees that a stop worked: a reading falls, or a predicate holds."""

    within_s: float
    falls: str = ""
    by: float = 0.0
    or_below: float = -math.inf
    holds: Node | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SafetyRule:
    """What safe means for one device."""

    device: str
    safe: str
    takes_s: float
    if_computer_dies: str
    on_controller_loss: OnLoss
    on_guard_loss: OnLoss
    reach: Reach = "own"
    stop_within_s: float = 10.0
    proof: Proof | None = None
    otherwise: tuple[str, ...] = ()

    @classmethod
    def unsaid(cls, device: str) -> SafetyRule:
        """Return what holds for a device of which nobody said what safe means."""
        what = "nobody said"
        return cls(
            device=device,
            safe=what,
            takes_s=0.0,
            if_computer_dies=what,
            on_controller_loss="keep",
            on_guard_loss="keep",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Everything that one guard goes by."""

    commands: tuple[str, ...] = ()
    """Every ``device.command`` of the lab."""
    watches: Mapping[str, Watch] = field(default_factory=dict)
    needs: Mapping[str, Need] = field(default_factory=dict)
    trips: Mapping[str, TripRule] = field(default_factory=dict)
    rates: Mapping[str, RateRule] = field(default_factory=dict)
    """By name."""
    steps: tuple[StepRule, ...] = ()
    counts: Mapping[str, CountRule] = field(default_factory=dict)
    safety: Mapping[str, SafetyRule] = field(default_factory=dict)
    controller_s: float = 30.0
    guard_s: float = 3.0
    answer_s: float = 1.0

    def reach(self, device: str) -> Reach:
        """Return how the guard reaches a device."""
        return self.safety[device].reach if device in self.safety else "own"

    def devices(self) -> tuple[str, ...]:
        """Return the devices that the guard opens itself."""
        named = [watch.device for watch in self.watches.values()] + list(self.safety)
        named += [command.partition(".")[0] for rule in self.safety.values() for command in rule.otherwise]
        return tuple(name for name in dict.fromkeys(named) if self.reach(name) != "controller")

    def proof_every_s(self, rule: SafetyRule) -> float:
        """Return how often it is worth looking whether a stop has worked."""
        if rule.proof is None:
            return 1.0
        keys = [rule.proof.falls] if rule.proof.holds is None else [o.key for o in rule.proof.holds.operands()]
        return min(self.watches[key].every_s for key in keys)

    def reaction_s(self, trip: TripRule) -> float:
        """Return the longest time from a crossed bound to the stop command, as long as every device answers in time.

        One period until the next reading, the deadlines of that reading and of those of the same device before it, the
        time that it must be so, and once more the same until a reading at its end.
        """
        watches = [self.watches[operand.key] for operand in trip.when.operands()]
        slowest = max((watch.every_s + self._answers_s(watch.device) for watch in watches), default=0.0)
        return slowest + (trip.longer_s + slowest if trip.longer_s else 0.0)

    def slowed(self, every_at_least_s: float) -> Rules:
        """Return rules that read less often, for months of virtual time.

        A trip bears as many lost readings in a row as before. An interlock reads anew what it would have had read anew.
        """
        needs = {target: replace(need, fresh_s=self._fresh_s(need)) for target, need in self.needs.items()}
        watches = {key: _slowed(watch, every_at_least_s) for key, watch in self.watches.items()}
        rates = {
            name: replace(rate, over_s=max(rate.over_s, 2.0 * watches[rate.key].every_s))
            for name, rate in self.rates.items()
        }
        controller_s = max(self.controller_s, 4.0 * every_at_least_s)
        return replace(self, watches=watches, needs=needs, rates=rates, controller_s=controller_s)

    def _fresh_s(self, need: Need) -> float:
        stale_s = min(self.watches[operand.key].stale_s for operand in need.when.operands())
        return stale_s if need.fresh_s is None else need.fresh_s

    def _answers_s(self, device: str) -> float:
        return sum(watch.deadline_s for watch in self.watches.values() if watch.device == device)


def _slowed(watch: Watch, every_at_least_s: float) -> Watch:
    every_s = max(watch.every_s, every_at_least_s)
    return replace(watch, every_s=every_s, stale_s=watch.stale_s * every_s / watch.every_s)
