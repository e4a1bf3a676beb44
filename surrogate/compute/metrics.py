"""How well compute is hidden behind experiments: counted from records, told in words and as JSON."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from surrogate.compute.events import Record, What


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """What a queue did so far."""

    busy_s: float
    """Time of workers."""
    idle_s: Mapping[str, float]
    """Per instrument: free, with everything ready but the plan."""
    ended: Mapping[str, int]
    """Jobs by how they ended."""
    with_deadline: int
    in_time: int
    staleness: Mapping[int, int]
    """Plans that were used, by how many results they did not know."""
    speculated: int
    """Results that came while there was a speculation on them."""
    speculation_hits: int
    slices: int
    slices_over: int
    worst_over_s: float
    """What the longest slice took beyond its time."""
    preemptions: int
    worst_yield_s: float
    """Longest time from a wish that a job leaves until it had left."""
    failures: Mapping[str, int]
    retries: int
    fallbacks: Mapping[str, int]
    """By where they led from and to."""

    @property
    def hidden(self) -> float:
        """Return the part of all compute for which no instrument waited."""
        if self.busy_s <= 0:
            return 1.0
        return max(0.0, 1.0 - sum(self.idle_s.values()) / self.busy_s)

    @property
    def hit_rate(self) -> float:
        """Return the part of the jobs with a deadline that were done in time."""
        return self.in_time / self.with_deadline if self.with_deadline else 1.0

    @property
    def mean_staleness(self) -> float:
        """Return how many results a plan did not know, on average."""
        n = sum(self.staleness.values())
        return sum(unseen * count for unseen, count in self.staleness.items()) / n if n else 0.0

    def words(self) -> str:
        """Return it for people, a line per subject."""
        lines = [
            f"compute {self.busy_s:.1f} s, of it hidden behind experiments {100 * self.hidden:.1f} %",
            "idle for want of a plan: "
            + (", ".join(f"{name} {seconds:.1f} s" for name, seconds in sorted(self.idle_s.items())) or "never"),
            f"deadlines met: {self.in_time} of {self.with_deadline}",
            "results unseen by plans: "
            + (", ".join(f"{n} in {count}" for n, count in sorted(self.staleness.items())) or "no plans"),
            f"speculation: {self.speculation_hits} hits of {self.speculated}",
            f"slices: {self.slices}, {self.slices_over} too long, by up to {self.worst_over_s:.2f} s;"
            f" {self.preemptions} jobs made way, after at most {self.worst_yield_s:.2f} s",
            f"failures: {_counts(self.failures)}; run again: {self.retries}; fallbacks: {_counts(self.fallbacks)}",
            f"jobs: {_counts(self.ended)}",
        ]
        return "\n".join(lines)

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON can have it, with what is derived."""
        told = asdict(self) | {"hidden": self.hidden, "hit_rate": self.hit_rate, "mean_staleness": self.mean_staleness}
        told["staleness"] = {str(unseen): count for unseen, count in sorted(self.staleness.items())}
        return told


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items())) or "none"


_MUCH_OVER_S = 0.25
"""A slice ends with a step, so that it is always a little over."""


class Meter:
    """Adds up records, and the times for which instruments wait."""

    def __init__(self) -> None:
        self._busy_s = self._worst_over_s = self._worst_yield_s = 0.0
        self._counts: Counter[str] = Counter()
        self._ended: Counter[str] = Counter()
        self._failures: Counter[str] = Counter()
        self._fallbacks: Counter[str] = Counter()
        self._staleness: Counter[int] = Counter()
        self._idle_s: defaultdict[str, float] = defaultdict(float)
        self._free_since: dict[str, float] = {}

    def add(self, record: Record) -> None:
        """Count a record."""
        if record.what is What.LEFT:
            self._busy_s += record.seconds
        elif record.what in (What.SLICED, What.YIELDED):
            self._counts["slices"] += 1
            self._counts["over"] += record.over_s > _MUCH_OVER_S
            self._worst_over_s = max(self._worst_over_s, record.over_s)
            if record.what is What.YIELDED:
                self._worst_yield_s = max(self._worst_yield_s, record.seconds)
        elif record.what is What.FAILED:
            self._failures[record.reason.split(":")[0]] += 1
        elif record.what is What.FELL_BACK:
            self._fallbacks[record.reason.split(":")[0]] += 1
        elif record.what is What.ENDED:
            self._end(record)
        else:
            self._counts[record.what] += 1

    def _end(self, record: Record) -> None:
        assert record.finish is not None  # noqa: S101 - such records have one
        self._ended[record.finish.status] += 1
        if record.finish.status == "cancelled":
            return
        if record.has_deadline:
            self._counts["deadlines"] += 1
            self._counts["in time"] += record.finish.status == "done" and record.finish.is_in_time

    def speculated(self, is_hit: bool) -> None:
        """Count a result on which there was a speculation."""
        self._counts["speculated"] += 1
        self._counts["hits"] += is_hit

    def used(self, unseen: int) -> None:
        """Count a plan that was used, by the results that it did not know."""
        self._staleness[unseen] += 1

    def free(self, instrument: str, at_s: float) -> None:
        """Note that an instrument has everything but a plan; saying so twice changes nothing."""
        self._free_since.setdefault(instrument, at_s)

    def taken(self, instrument: str, at_s: float) -> None:
        """Note that it has its plan."""
        since_s = self._free_since.pop(instrument, None)
        if since_s is not None:
            self._idle_s[instrument] += at_s - since_s

    def metrics(self, now_s: float) -> Metrics:
        """Return the sums, with instruments that wait now."""
        idle_s = dict(self._idle_s)
        for name, since_s in self._free_since.items():
            idle_s[name] = idle_s.get(name, 0.0) + now_s - since_s
        counts = self._counts
        return Metrics(
            busy_s=self._busy_s, idle_s=idle_s, ended=dict(self._ended), with_deadline=counts["deadlines"],
            in_time=counts["in time"], staleness=dict(self._staleness), speculated=counts["speculated"],
            speculation_hits=counts["hits"], slices=counts["slices"], slices_over=counts["over"],
            worst_over_s=self._worst_over_s, preemptions=counts[What.PREEMPTED], worst_yield_s=self._worst_yield_s,
            failures=dict(self._failures), retries=counts[What.RETRIED], fallbacks=dict(self._fallbacks),
        )  # fmt: skip
