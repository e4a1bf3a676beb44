"""Whether the disk lasts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.health.finding import Finding, Level
from orchestrator.words import duration, size

DAY_S = 86_400.0
SOON_S = 14 * DAY_S
WINDOW_S = DAY_S
"""The present rate is that of the last day."""
SHORTEST_S = 600.0
"""Of less than this, no rate is made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What a campaign has written, and what is left for it."""

    free_bytes: int
    low_bytes: int
    """Below this the controller begins nothing new."""
    other_bytes: int
    """Journal, worlds and wire records: what grows with time."""
    files: Sequence[tuple[float, int]]
    """When each measurement was taken, in the campaign's seconds, and its size."""
    now_s: float
    horizon_s: float
    """Until when it must last, in the campaign's seconds."""
    is_over: bool


def disk(written: Written) -> Finding:
    """Say how much space is left, and when it will be full at the present rate."""
    left = f"{size(written.free_bytes)} of the disk are free"
    if written.free_bytes < written.low_bytes and not written.is_over:
        do = "make room now, then `labpilot resume`: below this nothing new is begun"
        return Finding(name="disk", level=Level.WARNING, text=f"{left}, less than {size(written.low_bytes)}", do=do)
    rate = bytes_per_s(written)
    if rate is None or written.is_over:
        return Finding(name="disk", level=Level.OK, text=left)
    lasts_s = (written.free_bytes - written.low_bytes) / rate if rate > 0 else float("inf")
    if lasts_s > 1000 * DAY_S:
        return Finding(name="disk", level=Level.OK, text=f"{left}; at the present rate it lasts for years")
    text = f"{left}; at the present rate of {size(rate * DAY_S)} a day it lasts {duration(lasts_s)}"
    if written.now_s + lasts_s < written.horizon_s:
        do = "make room, or have the measurements of campaigns that are over moved away"
        return Finding(name="disk", level=Level.WARNING, text=text, do=do)
    if lasts_s < SOON_S:
        return Finding(name="disk", level=Level.NOTE, text=text, do="plan for more room within these days")
    return Finding(name="disk", level=Level.OK, text=text)


def bytes_per_s(written: Written) -> float | None:
    """Return how fast the campaign writes; None where it is too young to tell."""
    window_s = min(WINDOW_S, written.now_s)
    if window_s < SHORTEST_S:
        return None
    recent = sum(count for at_s, count in written.files if at_s > written.now_s - window_s)
    return recent / window_s + written.other_bytes / written.now_s
