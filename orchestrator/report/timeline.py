"""The Gantt chart's data: every step of every device, packed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from orchestrator.hours.reading import Closing
from orchestrator.reading import Snapshot
from orchestrator.report.pack import base64_array
from orchestrator.store import StepRow

MOST_BARS = 60_000
"""More steps than these are merged where a device went on for the same trial without a visible gap."""

MOST_LANES = 24
TICK_S = 0.01
"""Times are kept to this; 32 bits then reach beyond a year."""

_STATES = ("done", "intended", "ambiguous", "rejected", "failed")


@dataclass(frozen=True, slots=True)
class _Bar:
    start_s: float
    end_s: float
    trial: int
    kind: str
    state: str
    count: int = 1


def pack_timeline(snapshot: Snapshot) -> dict[str, Any]:
    """Return the chart's data; steps still open end where the journal ends."""
    now_s = snapshot.journal.last_s
    rows = {name: [_bar(step, now_s) for step in steps] for name, steps in _by_device(snapshot.steps).items()}
    total = sum(len(bars) for bars in rows.values())
    if total > MOST_BARS:
        gap_s = now_s / 20_000
        rows = {name: _merged(bars, gap_s) for name, bars in rows.items()}
    planning = [_Bar(ask.asked_s, ask.asked_s + ask.charged_s, 0, "ask", "done") for ask in snapshot.asks]
    if any(bar.end_s > bar.start_s for bar in planning):
        rows["planner"] = planning
    if snapshot.closings:
        rows["closed"] = [_closing(one, now_s) for one in snapshot.closings]
    kinds = sorted({f"{name}.{bar.kind}" for name, bars in rows.items() for bar in bars})
    shares = busy_share(snapshot)
    return {
        "kinds": kinds,
        "states": _STATES,
        "tick_s": TICK_S,
        "end_s": now_s,
        "merged_from": total if total > MOST_BARS else None,
        "devices": [
            _packed(name, bars, kinds, shares.get(name, _union_s(bars) / now_s if now_s > 0 else 0.0))
            for name, bars in rows.items()
        ],
    }


def busy_share(snapshot: Snapshot) -> dict[str, float]:
    """Return the share of the campaign's time in which each device was at work.

    It was where it did at least one step, or worked by itself: a furnace that runs its program does no step meanwhile.
    """
    now_s = snapshot.journal.last_s
    if now_s <= 0:
        return dict.fromkeys(_by_device(snapshot.steps), 0.0)
    rows = {name: [_bar(step, now_s) for step in steps] for name, steps in _by_device(snapshot.steps).items()}
    worked = {name: min(3600.0 * hours / now_s, 1.0) for name, hours in snapshot.bill.hours.items()}
    shares = {name: _union_s(bars) / now_s for name, bars in rows.items()}
    return {name: max(share, worked.get(name, 0.0)) for name, share in shares.items()}


def _by_device(steps: Sequence[StepRow]) -> dict[str, list[StepRow]]:
    found: dict[str, list[StepRow]] = {}
    for step in steps:
        found.setdefault(step.device, []).append(step)
    return dict(sorted(found.items()))


def _bar(step: StepRow, now_s: float) -> _Bar:
    end_s = step.finished_s if step.finished_s is not None else now_s
    return _Bar(step.started_s, max(end_s, step.started_s), step.trial, step.command, step.state)


def _closing(closing: Closing, now_s: float) -> _Bar:
    end_s = now_s if closing.end_s is None else closing.end_s
    return _Bar(closing.start_s, end_s, 0, closing.why, "done")


def _merged(bars: Sequence[_Bar], gap_s: float) -> list[_Bar]:
    """Join neighbours of one trial and command, sound ones only: what went wrong stays visible."""
    joined: list[_Bar] = []
    for bar in bars:
        last = joined[-1] if joined else None
        if (
            last is not None
            and (last.trial, last.kind, last.state) == (bar.trial, bar.kind, bar.state)
            and bar.state == "done"
            and 0 <= bar.start_s - last.end_s <= gap_s
        ):
            joined[-1] = _Bar(last.start_s, bar.end_s, bar.trial, bar.kind, bar.state, last.count + 1)
        else:
            joined.append(bar)
    return joined


def _packed(name: str, bars: Sequence[_Bar], kinds: Sequence[str], busy: float) -> dict[str, Any]:
    lanes = _lanes(bars)
    index = {kind: number for number, kind in enumerate(kinds)}
    return {
        "name": name,
        "n": len(bars),
        "lanes": int(lanes.max(initial=0)) + 1,
        "busy": busy,
        "start": base64_array(np.array([round(bar.start_s / TICK_S) for bar in bars], dtype=np.uint32)),
        "length": base64_array(np.array([round((bar.end_s - bar.start_s) / TICK_S) for bar in bars], dtype=np.uint32)),
        "trial": base64_array(np.array([bar.trial for bar in bars], dtype=np.uint32)),
        "kind": base64_array(np.array([index[f"{name}.{bar.kind}"] for bar in bars], dtype=np.uint16)),
        "state": base64_array(np.array([_STATES.index(bar.state) for bar in bars], dtype=np.uint8)),
        "count": base64_array(np.array([min(bar.count, 65535) for bar in bars], dtype=np.uint16)),
        "lane": base64_array(lanes.astype(np.uint8)),
    }


def _lanes(bars: Sequence[_Bar]) -> np.ndarray:
    """Put bars that overlap on lanes of their own (a robot that works on many vials); `n` lane numbers."""
    free_at: list[float] = []
    lanes = np.zeros(len(bars), dtype=int)
    for i, bar in enumerate(bars):
        lane = next((lane for lane, end_s in enumerate(free_at) if end_s <= bar.start_s + TICK_S), len(free_at))
        if lane == len(free_at):
            free_at.append(0.0)
        free_at[lane] = bar.end_s
        lanes[i] = lane
    return np.minimum(lanes, MOST_LANES - 1)


def _union_s(bars: Sequence[_Bar]) -> float:
    total_s, reached_s = 0.0, 0.0
    for bar in bars:
        total_s += max(0.0, bar.end_s - max(bar.start_s, reached_s))
        reached_s = max(reached_s, bar.end_s)
    return total_s
