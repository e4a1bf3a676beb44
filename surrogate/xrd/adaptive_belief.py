"""What is believed after some windows, and what is in doubt: leading sets, phases that may be missed, unknown peaks.

A search knows the sets whose phases show. Two more things keep it from being sure. A phase of the library that is there
in a small amount may not show yet: it is missed with a chance that falls with counting (`surrogate.xrd.adaptive_plan`).
And what is left over may be a peak of a phase that the library lacks, or noise.

A difference between two sets counts only as far as the other set could not absorb it by scales, small shifts and widths
of its phases, had the whole range been measured for long.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import ndtr

from surrogate.formats.record import Scan
from surrogate.xrd.adaptive_counts import Counted, precision
from surrogate.xrd.adaptive_plan import DETECTED_Z, Doubt, Outlook
from surrogate.xrd.adaptive_unknown import UnknownPeak, unknown_peak
from surrogate.xrd.calibration import shipped
from surrogate.xrd.claims import misfit, signal_to_noise
from surrogate.xrd.fit import start
from surrogate.xrd.hypothesis import Hypothesis, probabilities
from surrogate.xrd.model import profiles
from surrogate.xrd.pattern import INSTRUMENT_DEG, MODEL_ERROR, Pattern, make_pattern
from surrogate.xrd.search import Searcher

Array = NDArray[np.floating[Any]]
Temperature = Callable[[Pattern, Hypothesis], float]
"""Gives what evidence is divided by, for a pattern and its best hypothesis."""

MOST_CONTENDERS = 6
LEAST_PROBABILITY = 0.002
ENOUGH = 0.2
"""Probability of missing a phase, if it is there, below which it has been looked for enough."""
LONG_S = 3.0 * 3600.0
"""Counting of the whole range that would be long: three hours evenly, or one hour where it is needed."""
UNKNOWN_SHARE = 0.2
"""Weight of a peak that nothing explains, against doubts about phases of the library."""
FAINT_SHARE = 0.1
"""Height of a phase's strongest line over the background, where no other phase gives a measure."""
SHAPE_ERROR = 0.25
"""Of a peak's height: screening trusts no shape beside strong lines (`surrogate.xrd.screen`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Missed:
    """A phase of the library that may be there and not be seen yet."""

    name: str
    odds: float
    """Prior, of its being there."""
    chance: float
    """Of missing the least amount of interest, if it is there."""
    least_chance: float
    """The same after long counting."""

    @property
    def can_be_found(self) -> bool:
        """Return whether more counting would help: some phases are too much alike."""
        return self.least_chance < ENOUGH


@dataclass(frozen=True, slots=True, kw_only=True)
class Belief:
    """What is believed after what was measured."""

    phases: tuple[str, ...]
    """The most probable set."""
    probability: float
    """That the set is right: calibrated, and no phase of the library missed that could still be found."""
    set_probability: float
    """Among the sets that were tried."""
    alternatives: tuple[tuple[tuple[str, ...], float], ...]
    """Other sets, with their probabilities among those tried."""
    missed: tuple[Missed, ...]
    unknown_probability: float
    """That the strongest of what is left over is a peak."""
    is_unknown_open: bool
    """Whether more counting would tell."""
    pattern: Pattern
    hypotheses: tuple[Hypothesis, ...]
    outlook: Outlook

    @property
    def not_excluded(self) -> tuple[str, ...]:
        """Return the phases that may be there in more than the least amount of interest."""
        return tuple(one.name for one in self.missed if one.chance > ENOUGH)

    @property
    def is_looked_for(self) -> bool:
        """Return whether every phase that could be found has been looked for enough."""
        return all(one.chance <= ENOUGH for one in self.missed if one.can_be_found)


def shipped_temperature(pattern: Pattern, best: Hypothesis) -> float:
    """Return the temperature of the calibration that comes with the package."""
    return shipped().temperature(signal_to_noise(pattern), misfit(pattern, best))


def believe(searcher: Searcher, counted: Counted, *, temperature: Temperature, least_weight: float) -> Belief:
    """Search what was measured, and say what is in doubt.

    Args:
        searcher: Of the library.
        counted: What was measured.
        temperature: Gives what evidence is divided by.
        least_weight: Weight fraction that must not be missed.

    Raises:
        Unusable: Too little was measured to see anything.
    """
    scan = counted.as_scan(searcher.atlas.radiation)
    top_cps = float(scan.values.max()) or 1.0
    # rates relative to the highest: whole numbers would be taken for counts
    pattern = make_pattern(_relative(scan, top_cps))
    found = searcher.search(pattern)
    heat = temperature(pattern, found[0])
    likely = probabilities(found, temperature=heat)
    order = np.argsort(-likely, kind="stable")
    leading = [int(at) for at in order[:MOST_CONTENDERS] if likely[at] > LEAST_PROBABILITY and found[at].fitted]
    names = [tuple(searcher.atlas.phases[phase].name for phase in found[at].phases) for at in leading]
    view = _View(searcher, counted, pattern, top_cps, heat)
    contenders = [view.contender(found[at], float(likely[at])) for at in leading]
    outlook = view.outlook(contenders)
    missed, traces = _missed(view, contenders, outlook, least_weight)
    left = unknown_peak(pattern, found[leading[0]], width_deg=view.width_deg)
    peak = _peak_doubt(view, left)
    doubts = (*_between(view, contenders, names, outlook), *traces, *peak)
    set_probability = float(likely[leading[0]])
    still = sum(one.odds * one.chance for one in missed if one.can_be_found)
    return Belief(
        phases=names[0],
        probability=set_probability / (1.0 + still),
        set_probability=set_probability,
        alternatives=tuple((name, float(likely[at])) for name, at in zip(names[1:], leading[1:], strict=True)),
        missed=missed,
        unknown_probability=left.probability,
        is_unknown_open=bool(peak),
        pattern=pattern,
        hypotheses=tuple(found[at] for at in leading),
        outlook=Outlook(rate_cps=outlook.rate_cps, error_cps=outlook.error_cps, doubts=doubts),
    )


def _relative(scan: Scan, top_cps: float) -> Scan:
    sigma = None if scan.sigma is None else scan.sigma / top_cps
    return replace(scan, values=scan.values / top_cps, sigma=sigma, counts=None, unit="1")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Contender:
    """A set, drawn over all angles that can be reached."""

    probability: float
    parts: dict[int, Array]
    """By phase, ``n`` rates of its peaks."""
    hypothesis: Hypothesis

    @property
    def peaks_cps(self) -> Array | float:
        return sum(self.parts.values(), 0.0)


class _View:
    """The lattice, and how to draw upon it."""

    def __init__(self, searcher: Searcher, counted: Counted, pattern: Pattern, top_cps: float, heat: float) -> None:
        self.atlas, self.searcher = searcher.atlas, searcher
        self.counted, self.pattern, self.heat = counted, pattern, heat
        self.cps = pattern.scale * top_cps
        """Rate of an intensity of 1 in the pattern."""
        self.most_s = np.maximum(counted.time_s, LONG_S / counted.grid.n)
        """``n`` times of long counting."""
        self.background_cps = self.cps * np.maximum(
            np.interp(counted.two_theta_deg, pattern.two_theta_deg, pattern.baseline), 0.0
        )
        at, known = counted.two_theta_deg, pattern.two_theta_deg
        self.smooth = [np.interp(at, known, one) for one in np.hstack([pattern.smooth, pattern.humps]).T]
        """Columns of the background, each of ``n``."""
        self.width_deg = float(np.clip(pattern.width_deg, 3.0 * counted.grid.step_deg, 1.0))

    def contender(self, hypothesis: Hypothesis, probability: float) -> _Contender:
        fitted = hypothesis.fitted
        if fitted is None or not hypothesis.phases:
            return _Contender(probability=probability, parts={}, hypothesis=hypothesis)
        drawn = profiles(self.atlas, self.counted.grid, fitted.parameters, with_derivatives=False).profile
        scaled = (self.cps * fitted.scales[:, None] * drawn).numpy()
        parts = dict(zip(fitted.parameters.phase.tolist(), scaled, strict=True))
        return _Contender(probability=probability, parts=parts, hypothesis=hypothesis)

    def outlook(self, contenders: Sequence[_Contender]) -> Outlook:
        whole = sum(one.probability for one in contenders)
        peaks = sum((one.probability / whole) * one.peaks_cps for one in contenders) + np.zeros(self.counted.grid.n)
        return Outlook(rate_cps=self.background_cps + peaks, error_cps=MODEL_ERROR * peaks, doubts=())

    def lines(self) -> Array:
        """Return ``p x n`` profiles of all phases of the library, at unit scale and widths as seen."""
        phase = torch.arange(self.atlas.n_phases)
        width = math.exp(0.5 * sum(math.log(one) for one in INSTRUMENT_DEG))
        begin = start(self.atlas, phase, phase, width_deg=torch.full((len(phase),), width, dtype=torch.float64))
        best_width = torch.full((len(phase),), math.log(self.width_deg), dtype=torch.float64)
        begin.shared[:, 2] = best_width
        return profiles(self.atlas, self.counted.grid, begin, with_derivatives=False).profile.numpy()

    def unabsorbed(self, differences: Array, by: _Contender, outlook: Outlook) -> Array:
        """Return what is left of ``k x n`` differences beyond scales, shifts and widths of a set, and background."""
        slopes = [np.gradient(part) for part in by.parts.values()]
        columns = [*by.parts.values(), *slopes, *(np.gradient(slope) for slope in slopes)]
        columns = np.array([*columns, *self.smooth]).T
        norm = np.sqrt((columns**2).sum(0)) + 1e-300
        columns = columns / norm
        weight = precision(outlook.rate_cps, outlook.error_cps, self.most_s)
        gram = columns.T @ (weight[:, None] * columns)
        gram += 1e-9 * np.trace(gram) * np.eye(len(gram)) + 1e-300 * np.eye(len(gram))
        taken = np.linalg.solve(gram, columns.T @ (weight[:, None] * differences.T))
        return differences - (columns @ taken).T

    def nats(self, differences: Array, outlook: Outlook, time_s: Array) -> Array:
        """Return how much evidence ``k x n`` differences have given after some time."""
        return 0.5 * differences**2 @ precision(outlook.rate_cps, outlook.error_cps, time_s)


def _between(
    view: _View, contenders: Sequence[_Contender], names: Sequence[tuple[str, ...]], outlook: Outlook
) -> list[Doubt]:
    """Return the doubts between leading sets."""
    doubts = []
    for at, one in enumerate(contenders):
        for to, other in list(enumerate(contenders))[at + 1 :]:
            weight = math.sqrt(one.probability * other.probability)
            sides = [_beyond(view, a, b, outlook) for a, b in ((one, other), (other, one))]
            sides = [side for side in sides if side is not None]
            what = f"{' + '.join(names[at]) or 'nothing'} or {' + '.join(names[to]) or 'nothing'}"
            doubts += [
                Doubt(what=what, weight=weight / len(sides), difference_cps=side, temperature=view.heat)
                for side in sides
            ]
    return doubts


def _beyond(view: _View, one: _Contender, other: _Contender, outlook: Outlook) -> Array | None:
    """Return what one set has that the other cannot absorb; None where it has no phase of its own."""
    own = [part for phase, part in one.parts.items() if phase not in other.parts]
    return view.unabsorbed(np.sum(own, axis=0)[None], other, outlook)[0] if own else None


def _missed(
    view: _View, contenders: Sequence[_Contender], outlook: Outlook, least_weight: float
) -> tuple[tuple[Missed, ...], list[Doubt]]:
    """Return the phases that may not show yet, and the doubts about them."""
    best = contenders[0]
    shown = {phase for one in contenders for phase in one.parts}
    hidden = np.array([phase for phase in range(view.atlas.n_phases) if phase not in shown], dtype=int)
    if not len(hidden):
        return (), []
    faintest = _least_scale(view, best, least_weight)[hidden]
    lines = view.unabsorbed(faintest[:, None] * view.lines()[hidden], best, outlook)
    lines *= _seen_share(outlook, view.most_s)
    odds = np.exp(view.searcher.log_odds[hidden])
    now, most = (view.nats(lines, outlook, time_s) for time_s in (view.counted.time_s, view.most_s))
    missed, doubts = [], []
    for number, phase in enumerate(hidden):
        one = Missed(
            name=view.atlas.phases[phase].name,
            odds=float(odds[number]),
            chance=float(ndtr(DETECTED_Z - math.sqrt(2.0 * now[number]))),
            least_chance=float(ndtr(DETECTED_Z - math.sqrt(2.0 * most[number]))),
        )
        missed.append(one)
        if one.can_be_found:
            weight, known = best.probability * one.odds, float(now[number])
            doubts.append(
                Doubt(what=f"a little {one.name}", weight=weight, difference_cps=lines[number], known_nats=known)
            )
    return tuple(sorted(missed, key=lambda one: -one.odds * one.chance)), doubts


def _seen_share(outlook: Outlook, time_s: Array) -> Array:
    """Return the part of ``n`` differences that screening sees: beside strong lines it trusts no shape."""
    trusting = precision(outlook.rate_cps, outlook.error_cps, time_s)
    wary = precision(outlook.rate_cps, SHAPE_ERROR / MODEL_ERROR * outlook.error_cps, time_s)
    return np.sqrt(wary / np.maximum(trusting, 1e-300))


def _least_scale(view: _View, best: _Contender, least_weight: float) -> Array:
    """Return ``p`` scales in counts per second of phases of the least weight of interest."""
    per_scale = view.atlas.weight_per_scale.numpy()
    fitted = best.hypothesis.fitted
    if fitted is None or not best.parts:
        height = FAINT_SHARE * float(np.median(view.background_cps))
        return np.full(view.atlas.n_phases, height * view.width_deg)
    whole = view.cps * float(fitted.scales.numpy() @ per_scale[fitted.parameters.phase.numpy()])
    return least_weight / (1.0 - least_weight) * whole / per_scale


def _peak_doubt(view: _View, left: UnknownPeak) -> tuple[Doubt, ...]:
    """Return the doubt whether a peak that nothing explains is one."""
    here = int(np.abs(view.counted.two_theta_deg - left.two_theta_deg).argmin())
    # misfits of strong lines grow with counting as peaks do: there is an end to looking
    if not left.is_unsettled or view.counted.time_s[here] >= view.most_s.min():
        return ()
    away = (view.counted.two_theta_deg - left.two_theta_deg) / (view.width_deg / 2.355)
    doubt = Doubt(
        what=f"a peak at {left.two_theta_deg:.2f} deg",
        weight=UNKNOWN_SHARE * math.sqrt(left.probability * (1.0 - left.probability)),
        difference_cps=view.cps * left.height * np.exp(-0.5 * away**2),
    )
    return (doubt,)
