"""Whether a device has become slower than it usually was.

Each act is held against what acts with the same arguments usually took; where hardly any two are the same, against what
acts of the command took beyond the time that their arguments ask for. What the newest acts of a command took more than
that is held against what the earlier ones did. The usual is the median, its spread the median absolute deviation, which
a few acts that hung do not move.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from orchestrator.consumables import StepLike
from orchestrator.health.finding import Finding, Level
from orchestrator.words import duration

RECENT = 5
EARLIER = 8
"""With fewer acts before the recent ones there is no usual."""
ALIKE = 3
"""So many earlier acts with the same arguments make a usual of their own."""
AS_ONE_SD = 1.4826
"""The standard deviation of normal values is so many times their median absolute deviation."""
FAR_SDS = 5.0
SHARE = 0.2
LEAST_S = 0.5
GRAVE_SHARE = 0.5
NO_ARGUMENT = ("tag",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """What one act took."""

    took_s: float
    asked_s: float = 0.0
    """The time that its arguments ask for."""
    signature: str = ""
    """What tells acts that compare from others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long the acts of one command usually took, and how much longer they take now."""

    usual_s: float
    spread_s: float
    """Of what acts take more or less than usual; one standard deviation."""
    more_s: float
    """What the recent acts took more than usual, median."""
    n_earlier: int

    @property
    def is_slow(self) -> bool:
        """Whether the recent acts stand out, and by enough to matter."""
        return self.more_s > max(FAR_SDS * self.spread_s, SHARE * self.usual_s, LEAST_S)


def pace(acts: Sequence[Timed]) -> Pace | None:
    """Compare the newest acts with those before them, in order; None where there are too few."""
    recent, earlier = acts[-RECENT:], acts[:-RECENT]
    if len(earlier) < EARLIER:
        return None
    usual = _Usual.of(earlier)
    before = [usual.more_s(act) for act in earlier]
    middle = median(before)
    return Pace(
        usual_s=median(act.took_s for act in earlier),
        spread_s=AS_ONE_SD * median(abs(more_s - middle) for more_s in before),
        more_s=median(usual.more_s(act) for act in recent) - middle,
        n_earlier=len(earlier),
    )


@dataclass(frozen=True, slots=True)
class _Usual:
    took_s: Mapping[str, float]
    """By signature, where there are enough."""
    beyond_s: float
    """Of all others, what they took beyond what was asked for."""

    @classmethod
    def of(cls, acts: Sequence[Timed]) -> _Usual:
        alike: dict[str, list[float]] = {}
        for act in acts:
            alike.setdefault(act.signature, []).append(act.took_s)
        took = {signature: median(found) for signature, found in alike.items() if len(found) >= ALIKE}
        rest = [act for act in acts if act.signature not in took] or acts
        return cls(took, median(act.took_s - act.asked_s for act in rest))

    def more_s(self, act: Timed) -> float:
        return act.took_s - self.took_s.get(act.signature, act.asked_s + self.beyond_s)


def slow_devices(steps: Iterable[StepLike]) -> Iterator[Finding]:
    """Judge every command of every device that has done enough; steps in the order in which they were begun."""
    for (device, command), acts in sorted(_timed(steps).items()):
        seen = pace(acts)
        if seen is not None:
            yield _judged(device, command, seen)


def _timed(steps: Iterable[StepLike]) -> dict[tuple[str, str], list[Timed]]:
    found: dict[tuple[str, str], list[Timed]] = {}
    for step in steps:
        # what was repeated, settled or cut off says nothing about how fast a device is
        if step.state == "done" and step.finished_s is not None and step.attempts == 1 and not step.settled_by:
            timed = Timed(
                took_s=step.finished_s - step.started_s,
                asked_s=_asked_s(step.arguments),
                signature=_signature(step.arguments),
            )
            found.setdefault((step.device, step.command), []).append(timed)
    return found


def _signature(arguments: Mapping[str, Any]) -> str:
    return json.dumps({name: value for name, value in arguments.items() if name not in NO_ARGUMENT}, sort_keys=True)


def _asked_s(arguments: Mapping[str, Any]) -> float:
    found = (arguments.get(name) for name in ("duration_s", "hold_s"))
    return sum(float(value) for value in found if isinstance(value, int | float))


def _judged(device: str, command: str, seen: Pace) -> Finding:
    name = f"pace of {device}.{command}"
    usual = f"usually it takes {duration(seen.usual_s)} (median of {seen.n_earlier})"
    if not seen.is_slow:
        return Finding(name=name, level=Level.OK, text=f"as fast as ever; {usual}")
    spread = f", give or take {duration(seen.spread_s)}" if seen.spread_s else ""
    return Finding(
        name=name,
        level=Level.WARNING if seen.more_s > GRAVE_SHARE * seen.usual_s else Level.NOTE,
        text=f"the last {RECENT} acts took {duration(seen.more_s)} longer than such acts did before; {usual}{spread}",
        do=f"look at {device}: what wears, clogs or must try again shows as time first",
    )
