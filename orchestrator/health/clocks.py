"""Whether the clocks can be trusted: steps of the wall clock against the one that cannot be set."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from orchestrator.health.finding import Finding, Level
from orchestrator.words import duration, moment, plural

STEP_S = 2.0
SLEW = 1e-3
"""What a time service may add or take while it draws a clock in without a step, with a wide margin (500 ppm)."""
GRAVE_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """What the two clocks showed when an event was journalled."""

    epoch: int
    """Which start of the controller; each ties the two clocks together anew."""
    utc: datetime
    mono_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Jump:
    """A step of the wall clock."""

    utc: datetime
    """What it showed afterwards."""
    by_s: float
    """Forwards (or the computer slept) where positive."""


def jumps(ticks: Iterable[Tick]) -> Iterator[Jump]:
    """Return the steps between one event and the next; between two starts only what goes backwards can be told."""
    before: Tick | None = None
    for tick in ticks:
        if before is not None:
            by_s = (tick.utc - before.utc) / timedelta(seconds=1)
            if tick.epoch == before.epoch:
                passed_s = tick.mono_s - before.mono_s
                by_s -= passed_s
                allowed_s = STEP_S + SLEW * passed_s
            else:
                by_s, allowed_s = min(0.0, by_s), STEP_S
            if abs(by_s) > allowed_s:
                yield Jump(utc=tick.utc, by_s=by_s)
        before = tick


def clocks(found: Sequence[Jump], *, is_virtual: bool) -> Finding:
    """Judge the steps of a campaign's clock."""
    if is_virtual:
        return Finding(name="clock", level=Level.OK, text="virtual time does not jump")
    if not found:
        return Finding(name="clock", level=Level.OK, text="the wall clock has made no step")
    last = found[-1]
    worst = max(abs(jump.by_s) for jump in found)
    text = (
        f"the wall clock has made {plural(len(found), 'step')}, the last by {_signed(last.by_s)} before "
        f"{moment(last.utc.isoformat())}, the largest of {duration(worst)} (the campaign's own seconds are monotonic)"
    )
    do = "see that time is synchronised (`timedatectl`), and that the computer neither sleeps nor is suspended"
    return Finding(name="clock", level=Level.WARNING if worst >= GRAVE_S else Level.NOTE, text=text, do=do)


def _signed(by_s: float) -> str:
    return f"{duration(abs(by_s))} {'forwards' if by_s > 0 else 'backwards'}"
