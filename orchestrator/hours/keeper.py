"""The timekeeper of a running campaign: what may be asked for and begun now, what is waited for, what is noted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from drivers.clock import Clock
from orchestrator.hours.calendar import Calendar, Span
from orchestrator.hours.events import CLOSED, OPENED
from orchestrator.hours.learned import Learned, beside
from orchestrator.hours.lengths import Lengths, Queue
from orchestrator.hours.room import Lanes, Limit, Over, Rest, Room, free_from, shared_out
from orchestrator.journal import Journal
from orchestrator.outcomes import StopSwitch, TrialLost
from orchestrator.records import TrialRecord
from orchestrator.words import duration, plural

ASK_S = 60.0
"""What an ask is taken to last where a campaign charges what it took."""
LOOKS_AHEAD = timedelta(days=400)
_SLICE_S = 3600.0
"""A wall clock may be put forward while it is waited for: it is looked at again after so long."""
_INSTANT_S = 1e-3
"""Of a window that is over in so short a time nothing is left."""


@dataclass(slots=True, kw_only=True)
class Timekeeper:
    """Knows when things must have ended, and what they are expected to take."""

    lengths: Lengths
    calendar: Calendar | None
    clock: Clock
    journal: Journal
    stop: StopSwitch
    budget_s: Callable[[], float | None]
    """How long the campaign may take by now."""
    trials: Sequence[TrialRecord]
    """All of them, as they stand."""
    lanes: int
    """How many trials the laboratory can carry side by side."""
    ask_s: float = ASK_S
    """What an ask is expected to take."""
    _known: tuple[int, Learned] = (-1, Learned())
    """What was learnt, and from how many trials."""
    _begun: dict[int, float] = field(default_factory=dict)
    """When trials began, those of this controller."""
    _lines: Sequence[Queue] | None = None

    def room(self, n: int) -> Room | Rest | Over:
        """Say how many of n trials may be asked for, and what each may take."""
        span, budget_s, fewest = self._next(), self.budget_s(), self.expected(1)
        now_s = self.clock.now_s()
        begin_s = now_s + self.ask_s
        deadline_s, until = self._deadline(span, budget_s)
        is_closed = span is not None and self._at_s(span.start) <= now_s
        if span is not None and is_closed and fewest is None:
            return Rest(until_s=self._at_s(span.end))
        if deadline_s is None or fewest is None:
            return Room(n=n)
        if is_closed or begin_s + fewest[0] > deadline_s:
            return self._too_late(span, budget_s, fewest[0])
        lanes = Lanes(free_s=tuple(self._free_s(begin_s)), begin_s=begin_s, deadline_s=deadline_s)
        count, most_s = shared_out(
            n, lanes, lambda count: self.expected(count) if self._leaves_room(count, deadline_s) else None
        )
        if not count:
            return Rest(until_s=None)
        return Room(n=count, most_s=most_s, until=until, left_s=deadline_s - now_s)

    def limit(self, room: Room) -> Limit | None:
        """Return what restricts an ask to what there is room for; None where anything fits."""
        most_s = room.most_s
        if most_s is None or self.lengths.range_s is None:
            return None
        queue_s, factor = self._queue_s(room.n), self.learned.factor
        by_plan_s = most_s / factor - queue_s
        said = f"time bound it: it had to end {room.until}, {duration(room.left_s)} after it was asked for"
        if queue_s > 0.0 or factor > 1.0:
            said += f", and so to take no more than {duration(by_plan_s)} by its plan"

        def fits(point: Mapping[str, Any]) -> bool:
            return (self._expected_s(point, room.n) or 0.0) <= most_s + _INSTANT_S

        return Limit(within=self.lengths.within(by_plan_s, said), fits=fits)

    def later(self) -> Rest | None:
        """Return when to ask again for what does not fit now; None where there will be no more time than now."""
        if any(trial.is_open for trial in self.trials):
            return Rest(until_s=None)
        span, expected, budget_s = self._next(), self.expected(1), self.budget_s()
        if span is None or (budget_s is not None and self._at_s(span.end) >= budget_s):
            return None
        return Rest(until_s=self._at_s(span.end)) if expected and self._ever_fits(expected[0], span.end) else None

    def looks_again_s(self, rest: Rest) -> float:
        """Return when to look again at the latest, by the clock."""
        now_s = self.clock.now_s()
        return self._sliced(now_s + _SLICE_S if rest.until_s is None else rest.until_s)

    def expected(self, n: int) -> tuple[float, float] | None:
        """Return what the shortest and the longest of n more trials are expected to take; None where nobody knows."""
        if self.lengths.range_s is None:
            took_s = self.learned.took_s
            return None if took_s is None else (took_s, took_s)
        shortest_s, longest_s = self.lengths.range_s
        factor, queue_s = self.learned.factor, self._queue_s(n)
        return factor * (shortest_s + queue_s), factor * (longest_s + queue_s)

    @property
    def learned(self) -> Learned:
        """What was learnt from the trials that ended."""
        n_ended = sum(trial.outcome == "measured" for trial in self.trials)
        if self._known[0] != n_ended:
            # the times of trials under way as the journal has them, so that the same is learnt after a restart
            trials = [replace(trial, started_s=self._began_s(trial)) for trial in self.trials]
            self._known = (n_ended, Learned.of(trials, lambda trial: self._was_expected_s(trial, trials)))
        return self._known[1]

    def _was_expected_s(self, trial: TrialRecord, trials: Sequence[TrialRecord]) -> float | None:
        lasts_s = self.lengths.of(trial.parameters)
        return None if lasts_s is None else lasts_s + self._waits_s(beside(trial, trials) if self._queues() else 0)

    async def admit(self, trial: TrialRecord) -> None:
        """Wait until a trial that was not begun fits before the next closing.

        Raises:
            TrialLost: It fits no more, and is not begun.
            StopRequested: The operator asked to stop.
            Skipped: The trial was given up.
        """
        while (until_s := self.obstacle_s(trial)) is not None:
            await self.stop.unless_set(self.clock.sleep_until(self._sliced(until_s)), trial=trial.number)

    def obstacle_s(self, trial: TrialRecord) -> float | None:
        """Say until when a trial must wait before it can be begun; None where it fits now, or was begun before.

        Raises:
            TrialLost: It fits no more.
        """
        if trial.started_s is not None:
            return None
        lasts_s = self._expected_s(trial.parameters, 0)
        span, budget_s, now_s = self._next(), self.budget_s(), self.clock.now_s()
        if span is not None and self._at_s(span.start) <= now_s:
            return self._at_s(span.end)
        if lasts_s is None:
            return None
        if budget_s is not None and now_s + lasts_s > budget_s + _INSTANT_S:
            left = duration(max(0.0, budget_s - now_s))
            reason = f"it was not begun: it takes {duration(lasts_s)}, and {left} are left of the budget"
            raise TrialLost(reason, is_fault=False)
        if span is None or now_s + lasts_s <= self._at_s(span.start) + _INSTANT_S:
            return None
        if not self._ever_fits(lasts_s, span.end):
            reason = f"it was not begun: it takes {duration(lasts_s)}, and so long it is never open at a stretch"
            raise TrialLost(reason, is_fault=False)
        return self._at_s(span.end)

    async def watch(self, closed_until: datetime | None) -> None:
        """Write down when windows begin and end, and what is under way then; for as long as windows come.

        closed_until: the end of the window that the journal says has begun and not ended.

        Raises:
            StorageError: The journal could not be written.
        """
        while (span := self._next()) is not None or closed_until is not None:
            if closed_until is not None and (span is None or span.end != closed_until):
                self.journal.append(OPENED, {}, durable=True)
                closed_until = None
                continue
            if span is None:
                return
            if closed_until is None:
                await self._until(span.start)
                self._close(span)
            await self._until(span.end)
            closed_until = span.end

    def _close(self, span: Span) -> None:
        under_way = [trial.number for trial in self.trials if trial.is_open and self._began_s(trial) is not None]
        body = {
            "from_utc": span.start.isoformat(),
            "until_utc": span.end.isoformat(),
            "why": span.why,
            "under_way": under_way,
        }
        self.journal.append(CLOSED, body, durable=not under_way)
        if under_way:
            numbers = ", ".join(map(str, under_way))
            text = (
                f"it is closed from now on ({span.why}), but these trials took longer than expected and are carried to "
                f"their end: {numbers}"
            )
            self.journal.append("incident", {"kind": "hours", "text": text}, durable=True)

    def _began_s(self, trial: TrialRecord) -> float | None:
        return self._begun.get(trial.number, trial.started_s)

    def begun_s(self) -> dict[int, float]:
        """Return when the trials that are under way were begun, by number; those that were not are left out."""
        found = {trial.number: self._began_s(trial) for trial in self.trials if trial.is_open}
        return {number: at_s for number, at_s in found.items() if at_s is not None}

    def began(self, trial: TrialRecord) -> None:
        """Know that a trial is under way."""
        self._begun[trial.number] = self.clock.now_s() if trial.started_s is None else trial.started_s

    def _too_late(self, span: Span | None, budget_s: float | None, shortest_s: float) -> Rest | Over:
        now_s = self.clock.now_s()
        if span is not None and self._ever_fits(shortest_s, span.end):
            return Rest(until_s=self._at_s(span.end))
        takes = self._said(shortest_s)
        if span is None or (budget_s is not None and budget_s <= self._at_s(span.start)):
            left = duration(max(0.0, (budget_s or 0.0) - now_s))
            return Over(reason=f"no recipe fits into the {left} that are left; {takes}")
        if budget_s is not None:
            left = duration(max(0.0, self._at_s(span.start) - now_s))
            return Over(
                reason=f"no recipe fits into the {left} before it closes ({span.why}), nor into what the budget leaves "
                f"after that; {takes}"
            )
        return Over(reason=f"no recipe fits between two closings; {takes}")

    def _said(self, shortest_s: float) -> str:
        """Say what the shortest trial is expected to take, and how that is known."""
        learned = self.learned
        if self.lengths.range_s is None:
            return f"nine of ten of the last {plural(learned.n, 'trial')} took up to {duration(shortest_s)}"
        text = f"the shortest takes {duration(shortest_s)}"
        if learned.factor == 1.0:
            return text
        return (
            f"{text}, which is {100 * (learned.factor - 1):.0f} % more than planned, as the last {learned.n} trials did"
        )

    def _ever_fits(self, lasts_s: float, since: datetime) -> bool:
        budget_s = self.budget_s()
        until = since + LOOKS_AHEAD if budget_s is None else self._utc(budget_s)
        if self.calendar is None or until <= since:
            return False
        longest = timedelta(seconds=lasts_s)
        return any(end - start >= longest for start, end in self.calendar.stretches(since, until))

    def _deadline(self, span: Span | None, budget_s: float | None) -> tuple[float | None, str]:
        closes_s = None if span is None else self._at_s(span.start)
        if budget_s is not None and (closes_s is None or budget_s <= closes_s):
            return budget_s, "before the budget is spent"
        return closes_s, "" if span is None else f"before it closes ({span.why})"

    def _expected_s(self, point: Mapping[str, Any], n: int) -> float | None:
        lasts_s = self.lengths.of(point)
        if lasts_s is None:
            return self.learned.took_s
        return self.learned.factor * (lasts_s + self._queue_s(n))

    def _queue_s(self, n: int) -> float:
        """Return what one of n more samples in racks may have to wait for others."""
        return self._waits_s(max(0, sum(trial.is_open for trial in self.trials) + n - 1))

    def _waits_s(self, others: int) -> float:
        return sum(queue.waits_s(others) for queue in self._queues())

    def _leaves_room(self, n: int, deadline_s: float) -> bool:
        """Say whether samples that share the laboratory with n more still end before a deadline."""
        if not self._queues():
            return True
        now_s = self.clock.now_s()
        return all(
            (self._began_s(trial) or now_s) + (self._expected_s(trial.parameters, n) or 0.0) <= deadline_s
            for trial in self.trials
            if trial.is_open
        )

    def _queues(self) -> Sequence[Queue]:
        if self._lines is None:
            self._lines = self.lengths.queues()
        return self._lines

    def _free_s(self, begin_s: float) -> list[float]:
        ends_s, waiting_s = [], []
        for trial, lasts_s in self._open():
            started_s = self._began_s(trial)
            if started_s is None:
                waiting_s.append(lasts_s)
            else:
                ends_s.append(started_s + lasts_s)
        return free_from(self.lanes, begin_s, ends_s, waiting_s)

    def _open(self) -> Iterator[tuple[TrialRecord, float]]:
        for trial in self.trials:
            if trial.is_open:
                yield trial, self._expected_s(trial.parameters, 0) or 0.0

    def _next(self) -> Span | None:
        """Return the window that is open now, or else the next one."""
        return None if self.calendar is None else self.calendar.closing(self.clock.utc() + _INSTANT)

    def _at_s(self, instant: datetime) -> float:
        return self.clock.now_s() + (instant - self.clock.utc()).total_seconds()

    def _utc(self, at_s: float) -> datetime:
        return self.clock.utc() + timedelta(seconds=at_s - self.clock.now_s())

    async def _until(self, instant: datetime) -> None:
        while (at_s := self._at_s(instant)) > self.clock.now_s() + _INSTANT_S:
            await self.clock.sleep_until(self._sliced(at_s))

    def _sliced(self, until_s: float) -> float:
        return until_s if self.clock.is_virtual else min(until_s, self.clock.now_s() + _SLICE_S)


_INSTANT = timedelta(seconds=_INSTANT_S)
