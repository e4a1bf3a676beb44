"""The analysis `fingerprint`: a diffractogram as channels even in log q, which is what phases are mapped by.

There a cell that expands shifts all of its lines alike, by the relative expansion over the channels' width. Counts are
shared out to channels by the overlap of each step with them, so that their sum, and so their Poisson noise, is kept;
the background is left in, for whoever learns from it knows more than one pattern. Options:

- ``name``: the target that it is told as, ``pattern`` by default;
- ``channels``: how many, 256 by default, 16 at least;
- ``q``: ``[low, high]`` in 1/angstrom, the same for all trials (the whole pattern where left out).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from surrogate.analysis import AnalysisResult, Finding, MeasurementData
from surrogate.options import is_number, unknown_keys

OPTIONS = ("name", "channels", "q", "parameters")
CHANNELS = 256
FEWEST_CHANNELS = 16
SLACK = 0.005
"""How much of the range, as a fraction of q, a pattern may lack at either end: a step or so."""


def problems(options: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with options, as sentences."""
    found = unknown_keys(options, OPTIONS, "the analysis 'fingerprint'")
    name, channels, q = (options.get(key, default) for key, default in (("name", "x"), ("channels", 64), ("q", (1, 2))))
    if not isinstance(name, str) or not name:
        found.append(f"the name of the analysis 'fingerprint' is that of a target, not {name!r}")
    if isinstance(channels, bool) or not isinstance(channels, int) or not FEWEST_CHANNELS <= channels <= 100_000:
        found.append(f"channels is a whole number from {FEWEST_CHANNELS} up, not {channels!r}")
    is_pair = isinstance(q, Sequence) and not isinstance(q, str) and len(q) == 2
    if not is_pair or not all(is_number(end, above=0.0) for end in q) or not q[0] < q[1]:
        found.append(f"q is [low, high] in 1/angstrom, not {q!r}")
    return found


def analyse(measurements: Sequence[MeasurementData], *, options: Mapping[str, Any]) -> AnalysisResult:
    """Return the last diffractogram of a trial as a fingerprint.

    Raises:
        ValueError: An option is unknown or has no such value.
    """
    if found := problems(options):
        raise ValueError("; ".join(found))
    patterns = [one for one in measurements if one.kind == "diffractogram"]
    if not patterns:
        return AnalysisResult(cannot_tell="the trial has no diffractogram")
    last = patterns[-1]
    two_theta = np.asarray(last.arrays["two_theta_deg"], dtype=float)
    q = 4.0 * math.pi * np.sin(np.radians(two_theta / 2.0)) / float(last.metadata["wavelength_angstrom"])
    low, high = (float(end) for end in options.get("q") or (q[0], q[-1]))
    if low < q[0] * (1.0 - SLACK) or high > q[-1] * (1.0 + SLACK):
        reason = f"the pattern reaches from {q[0]:.3f} to {q[-1]:.3f} 1/angstrom, and {low:g} to {high:g} is wanted"
        return AnalysisResult(cannot_tell=reason)
    channels = shared_out(
        q, np.asarray(last.arrays["counts"], dtype=float), low, high, options.get("channels", CHANNELS)
    )
    name = str(options.get("name", "pattern"))
    finding = Finding(parameters=dict(options.get("parameters", {})), values={}, fingerprints={name: channels.tolist()})
    return AnalysisResult(findings=(finding,), details={"channels": len(channels), "q": [low, high]})


def shared_out(q: np.ndarray, counts: np.ndarray, low: float, high: float, channels: int) -> np.ndarray:
    """Return the counts in channels that are even in log q.

    Args:
        q: Of the steps, ascending, `n`.
        counts: Of the steps, `n`.
        low: Where the first channel begins.
        high: Where the last one ends.
        channels: How many there are.

    Returns:
        Counts, `channels`; those within the range add up to what they were.
    """
    middles = (q[1:] + q[:-1]) / 2.0
    edges = np.concatenate([[2.0 * q[0] - middles[0]], middles, [2.0 * q[-1] - middles[-1]]])
    so_far = np.concatenate([[0.0], np.cumsum(counts)])
    return np.diff(np.interp(np.geomspace(low, high, channels + 1), edges, so_far))
