"""A diffraction scan that decides while it runs where to count next, and when it has counted enough.

A quick survey comes first. Then, after each window, all that was counted is searched anew; the next window is the one
that settles most doubts per second (`surrogate.xrd.adaptive_plan`): between the leading sets of phases, about phases
that may not show yet, about peaks that nothing explains (`surrogate.xrd.adaptive_belief`). The idea of steering a scan
by an identification that runs along is that of Szymanski et al., npj Comput. Mater. 9, 31 (2023),
doi:10.1038/s41524-023-00984-y, who resample where a network's attention to its two best guesses differs, and widen the
range.

Nothing here waits or moves: `AdaptiveScan.propose` says what to measure, `AdaptiveScan.tell` takes what was counted.
The same counts give the same proposals, so that a scan can be taken up again: ask and tell once more from the start,
with the counts that are on file.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from surrogate.formats.record import Scan
from surrogate.xrd.adaptive_belief import Belief, Temperature, believe, shipped_temperature
from surrogate.xrd.adaptive_counts import Counted, Window
from surrogate.xrd.adaptive_plan import Choice, Costs, choose
from surrogate.xrd.grid import Grid
from surrogate.xrd.pattern import Unusable
from surrogate.xrd.search import Searcher

__all__ = ["AdaptiveScan", "Belief", "ScanSettings", "Stop", "Temperature", "Window", "shipped_temperature"]

LONGEST_SHARE = 0.5
"""Of the time spent so far: no window counts for longer than this, so that what is decided is reconsidered."""
DISAPPOINTED = 0.5
"""Factor of the trust in what is expected of a window's points, if less than this part of it came true."""
FAINTER = 3.0
"""Factor of the counting time of a survey in which nothing was seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanSettings:
    """What an instrument can do, and what is wanted of it.

    The defaults are for a benchtop diffractometer with a strip detector.
    """

    range_deg: tuple[float, float] = (10.0, 80.0)
    """Of two theta, as far as the sample and the instrument allow."""
    step_deg: float = 0.02
    """Of all windows."""
    survey_deg: tuple[float, float] = (15.0, 65.0)
    survey_s: float = 40.0
    """Counting in the survey."""
    shortest_s: float = 15.0
    """Counting in a window."""
    least_count_time_s: float = 0.01
    """Of a point: the goniometer is no faster."""
    overhead_s: float = 10.0
    """Of each window, besides counting: to its start, shutter, file."""
    budget_s: float = 1200.0
    """In all, overheads included."""
    sure: float = 0.95
    """Probability at which the scan ends."""
    least_weight: float = 0.05
    """Weight fraction of a phase of the library that must not be missed."""

    def __post_init__(self) -> None:
        low, high = self.range_deg
        first, last = self.survey_deg
        if not (0.0 < low <= first < last <= high < 180.0):
            raise ValueError(f"a survey of {self.survey_deg} deg does not lie within the range of {self.range_deg} deg")
        positive = (self.step_deg, self.survey_s, self.shortest_s, self.least_count_time_s, self.budget_s)
        if min(positive) <= 0.0 or self.overhead_s < 0.0:
            raise ValueError("steps and times must be positive")
        if not (0.0 < self.sure < 1.0 and 0.0 < self.least_weight < 1.0):
            raise ValueError(f"sure ({self.sure}) and least_weight ({self.least_weight}) must lie between 0 and 1")

    @property
    def grid(self) -> Grid:
        """Return the lattice of angles."""
        low, high = self.range_deg
        return Grid(start_deg=low, step_deg=self.step_deg, n=int((high - low) / self.step_deg + 1e-6) + 1)

    def survey(self, *, times: float = 1.0) -> Window:
        """Return the first window, or one that counts some times as long."""
        low = self.range_deg[0]
        first, last = (round((deg - low) / self.step_deg) for deg in self.survey_deg)
        last = min(last, self.grid.n - 1)
        each_s = times * self.survey_s / (last - first + 1)
        return Window(
            start_deg=round(low + first * self.step_deg, 9),
            stop_deg=round(low + last * self.step_deg, 9),
            step_deg=self.step_deg,
            count_time_s=max(round(each_s, 2), self.least_count_time_s),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """The scan is over."""

    reason: Literal["sure", "nothing to gain", "out of time"]
    text: str
    """One sentence for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Hope:
    """What was expected of a window, and what was in doubt before it."""

    choice: Choice
    bound: float


class AdaptiveScan:
    """A scan of one sample.

    Args:
        searcher: Of the library, with the prior odds of its phases.
        settings: Of the instrument.
        temperature: Gives what evidence is divided by; the package's calibration if left out.
    """

    def __init__(
        self,
        searcher: Searcher,
        settings: ScanSettings | None = None,
        *,
        temperature: Temperature = shipped_temperature,
    ) -> None:
        self.settings = settings or ScanSettings()
        self._searcher = searcher
        self._temperature = temperature
        self._counted = Counted.nothing(self.settings.grid)
        self._windows: list[Window] = []
        self._belief: Belief | None = None
        self._before: Belief | None = None
        self._proposal: Window | Stop | None = None
        self._hope: _Hope | None = None
        self._trust = np.ones(self.settings.grid.n)

    @property
    def windows(self) -> tuple[Window, ...]:
        """Return what was measured so far."""
        return tuple(self._windows)

    @property
    def spent_s(self) -> float:
        """Return how long that took, by the settings."""
        return sum(window.counting_s + self.settings.overhead_s for window in self._windows)

    @property
    def scan(self) -> Scan:
        """Return all that was counted as one scan, with counts and times."""
        return self._counted.as_scan(self._searcher.atlas.radiation)

    def tell(self, window: Window, counts: ArrayLike) -> None:
        """Take the counts of a window, as detected.

        Raises:
            ValueError: The counts are none, or the window's points are not those of this scan.
        """
        self._counted = self._counted.plus(window, np.asarray(counts, dtype=float))
        self._windows.append(window)
        self._before = self._belief
        self._belief = self._proposal = None

    def belief(self) -> Belief:
        """Return what is believed now.

        Raises:
            Unusable: Too little was measured to see anything.
        """
        if self._belief is None:
            self._belief = believe(
                self._searcher,
                self._counted,
                temperature=self._temperature,
                least_weight=self.settings.least_weight,
            )
        return self._belief

    def is_sure(self) -> bool:
        """Say whether nothing is in doubt any more; what a window has just turned over is looked at once more."""
        return self._is_settled() and (self._before is None or self._before.phases == self.belief().phases)

    def _is_settled(self) -> bool:
        belief = self.belief()
        return belief.probability >= self.settings.sure and belief.is_looked_for and not belief.is_unknown_open

    def propose(self) -> Window | Stop:
        """Return what to measure next, or that the scan is over; the same until something is told."""
        if self._proposal is None:
            self._proposal = self._proposed()
        return self._proposal

    @property
    def _left_s(self) -> float:
        return self.settings.budget_s - self.spent_s

    def _proposed(self) -> Window | Stop:
        if not self._windows:
            return self._affordable(self.settings.survey())
        try:
            belief = self.belief()
        except Unusable:
            # next to nothing was counted: look again, longer
            return self._affordable(self.settings.survey(times=FAINTER ** len(self._windows)))
        if self.is_sure():
            return Stop(reason="sure", text=_words(belief))
        if self._left_s < self.settings.overhead_s + self.settings.shortest_s:
            return Stop(reason="out of time", text=f"{self.spent_s:.0f} s are spent; {_words(belief)}")
        self._learn(belief)
        choice = choose(self._counted, belief.outlook, self._costs(), trust=self._trust)
        if choice is None and self._is_settled():
            return Stop(reason="sure", text=_words(belief))
        if choice is None:
            return Stop(reason="nothing to gain", text=f"no window would tell more in the time left; {_words(belief)}")
        self._hope = _Hope(choice=choice, bound=belief.outlook.bound)
        return choice.window

    def _learn(self, belief: Belief) -> None:
        """Trust less in what was expected where the last window did not bring it.

        What a set can absorb is worked out for small changes only; without this, a difference that a set absorbs after
        all would be measured again and again.
        """
        hope, self._hope = self._hope, None
        if hope is None or hope.choice.window != self._windows[-1]:
            return
        if hope.bound - belief.outlook.bound < DISAPPOINTED * hope.choice.gain:
            self._trust[self._counted.part(hope.choice.window)] *= DISAPPOINTED

    def _costs(self) -> Costs:
        return Costs(
            left_s=self._left_s,
            overhead_s=self.settings.overhead_s,
            longest_s=LONGEST_SHARE * self.spent_s,
            shortest_s=self.settings.shortest_s,
            least_count_time_s=self.settings.least_count_time_s,
        )

    def _affordable(self, window: Window) -> Window | Stop:
        most_s = (self._left_s - self.settings.overhead_s) / window.n
        if most_s < self.settings.least_count_time_s:
            return Stop(reason="out of time", text=f"{self._left_s:.0f} s are too few for a survey")
        return replace(window, count_time_s=min(window.count_time_s, np.floor(100.0 * most_s) / 100.0))


def _words(belief: Belief) -> str:
    text = f"{' + '.join(belief.phases) or 'no phase of the library'} with probability {belief.probability:.3f}"
    if belief.unknown_probability > 0.5:
        text += f"; unexplained peak with probability {belief.unknown_probability:.2f}"
    if belief.not_excluded:
        text += f"; not excluded: {', '.join(belief.not_excluded)}"
    return text
