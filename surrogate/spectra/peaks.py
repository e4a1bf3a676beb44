"""Peaks of a spectrum: position, height, width and area, each with a standard deviation.

Peaks are detected with a stated number of false alarms (`surrogate.spectra.peak_detection`), neighbours are fitted
together by weighted least squares (`surrogate.spectra.peak_fit`), and what stands out of the fit is added and fitted
again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from surrogate.spectra.errors import CannotTell
from surrogate.spectra.line_shapes import Shape, fixed_share, line
from surrogate.spectra.noise import noise_sd
from surrogate.spectra.peak_detection import detect
from surrogate.spectra.peak_fit import Fit, fit_lines
from surrogate.spectra.peak_groups import MAX_IN_GROUP, WINDOW_FWHMS, Start, groups_of, leading

Array = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]

MIN_POINTS = 16
MIN_VALID = 0.5
CLIPPED_RUN = 3
CLIPPED_SDS = 10.0
"""So many equal values in a row, at the very top and this far above the median, are a clipped peak."""
SWEEPS = 5
"""Fits of all groups, each with the tails of the others taken off, and additions in between."""
ADDED_SHARE = 0.04
"""What is left by a fit counts as a further peak only above this share of the signal around: shapes err too."""
APART_FWHMS = 0.4
SPLIT_CHI2 = 1.4
SPLIT_GAIN = 30.0
"""A line of a poor fit is split in two where that lowers chi-square by as much."""
SURE_SDS = 2.5
"""A line whose fitted height is less sure than this, beside others, is given up."""
MIN_VALID_TOP = 0.75
POOR_CHI2 = 2.5
DETECTION_WIDTHS = (1.0, 2.0)
"""In typical widths."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A number with its standard deviation."""

    value: float
    sd: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Peak:
    """One line of a spectrum, in the units of its axis and values."""

    position: Estimate
    height: Estimate
    fwhm: Estimate
    area: Estimate
    lorentz_share: Estimate
    """sd 0 where the shape fixes it, or it lies at its bound."""
    significance: float
    """Height in standard deviations of the noise, filtered with the width of a peak."""
    group: int
    """Peaks of one group were fitted together and their errors are correlated."""
    reduced_chi2: float
    """Of the group."""
    flags: tuple[str, ...] = ()
    """``masked top``, ``at the edge``, ``width at its bound``, ``poor fit``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeakOptions:
    """How to look for peaks."""

    fwhm: float
    """Full width at half maximum of a typical peak, in units of the axis."""
    narrowest: float = 0.5
    widest: float = 3.0
    """Bounds of the width, in typical ones."""
    shape: Shape = "pseudo_voigt"
    false_alarms: float = 0.01
    """Expected number of false peaks in a spectrum of noise."""
    has_local_background: bool = False
    """Fit a straight line under each group; not needed where the baseline was taken off well."""


def find_peaks(
    x: Array, y: Array, *, options: PeakOptions, sd: Array | None = None, valid: Mask | None = None
) -> tuple[Peak, ...]:
    """Return the peaks of a spectrum whose baseline was taken off, by position.

    Args:
        x: ``p`` positions, rising or falling; the spacing may vary slowly.
        y: ``p`` values.
        options: how to look.
        sd: ``p`` standard deviations, the baseline's included; estimated from second differences where not given.
        valid: ``p``; other points are not used.

    Raises:
        CannotTell: The spectrum is too short, flat or clipped, its noise unknown, or its axis not monotonic.
    """
    rising = slice(None, None, -1) if len(x) > 1 and x[-1] < x[0] else slice(None)
    x, y = np.asarray(x, dtype=float)[rising], np.asarray(y, dtype=float)[rising]
    good = np.isfinite(y) if valid is None else np.asarray(valid, dtype=bool)[rising] & np.isfinite(y)
    y = np.where(good, y, 0.0)
    require_usable(x, y, good)
    noise = noise_sd(y[None], good[None])[0] if sd is None else np.broadcast_to(sd, y.shape)[rising]
    _require_noise(noise, good)
    _require_unclipped(x, y, noise, good)
    return _Search(x=x, y=y, sd=np.where(good, noise, np.inf), options=options).run()


def require_usable(x: Array, y: Array, good: Mask) -> None:
    """Refuse spectra in which no peak can be measured.

    Raises:
        CannotTell: Too few points, too many of them masked, all of them equal, or an axis that does not rise.
    """
    if good.sum() < MIN_POINTS:
        raise CannotTell(f"{int(good.sum())} usable points are too few to find peaks in; {MIN_POINTS} are needed")
    if good.mean() < MIN_VALID:
        raise CannotTell(f"only {good.mean():.0%} of {len(good)} points are usable, the others are masked")
    if not (np.isfinite(x).all() and (np.diff(x) > 0).all()):
        raise CannotTell("the axis of the spectrum neither rises nor falls throughout")
    if np.ptp(y[good]) == 0:
        raise CannotTell(f"the spectrum is flat: all {int(good.sum())} usable points are {y[good][0]:g}")


def _require_noise(noise: Array, good: Mask) -> None:
    if not (np.isfinite(noise[good]).all() and (noise[good] > 0).all()):
        raise CannotTell("the noise of the spectrum is zero or unknown; give the standard deviation of its points")


def _require_unclipped(x: Array, y: Array, noise: Array, good: Mask) -> None:
    top = float(y[good].max())
    at_top = (y == top) & good
    if top - float(np.median(y[good])) < CLIPPED_SDS * float(np.median(noise[good])):
        return
    runs = np.convolve(at_top, np.ones(CLIPPED_RUN), mode="valid")
    if runs.max() >= CLIPPED_RUN:
        raise CannotTell(
            f"{int(at_top.sum())} points are at exactly {top:g}, some in a row (at {x[np.argmax(runs)]:g}): "
            "the detector was saturated; shorten the exposure"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Search:
    """One spectrum of ``p`` rising points, 0 and of infinite sd where masked."""

    x: Array
    y: Array
    sd: Array
    options: PeakOptions

    def run(self) -> tuple[Peak, ...]:
        starts = leading(self._seen(self.y))
        fits: list[tuple[list[Start], Fit]] = []
        for sweep in range(SWEEPS):
            fits = self._fitted(starts)
            starts = [start for group, _ in fits for start in group]
            more = self._more(starts) if sweep < SWEEPS - 1 else []
            if sweep > 0 and not more:
                break
            starts = sorted(starts + more, key=lambda start: start.position)
        peaks = [peak for number, (group, fit) in enumerate(fits) for peak in self._peaks(number, group, fit)]
        return tuple(sorted(peaks, key=lambda peak: peak.position.value))

    def _seen(self, signal: Array) -> list[Start]:
        step = float(np.median(np.diff(self.x)))
        fwhms = [factor * self.options.fwhm / step for factor in DETECTION_WIDTHS if factor <= self.options.widest]
        share = fixed_share(self.options.shape)
        found = detect(
            np.where(np.isfinite(self.sd), signal, 0.0), self.sd, fwhms=fwhms, false_alarms=self.options.false_alarms
        )
        return [
            Start(
                values=(
                    float(self.x[one.index]),
                    max(float(signal[one.index]), 0.5 * float(np.median(self.sd))),
                    one.fwhm * step,
                    0.5 if share is None else share,
                ),
                significance=one.significance,
            )
            for one in found
        ]

    def _fitted(self, starts: list[Start]) -> list[tuple[list[Start], Fit]]:
        """Fit all groups, each with what is now known of the others taken off; lines without height are given up."""
        fits = []
        total = self._total(starts)
        for group in groups_of(starts):
            own = self._total(group)
            signal = self.y - (total - own)
            kept, fit = self._pruned(*self._split(group, self._fit(group, signal), signal), signal)
            total = total - own + self._total(kept)
            if kept:
                fits.append((kept, fit))
        return fits

    def _split(self, group: list[Start], fit: Fit, signal: Array) -> tuple[list[Start], Fit]:
        """Replace one line of a poor fit by two, where that is much better: blends have one maximum."""
        if fit.reduced_chi2 < SPLIT_CHI2 or len(group) >= MAX_IN_GROUP:
            return group, fit
        trials = [[*group[:i], *_halves(fit.lines[i], group[i]), *group[i + 1 :]] for i in range(len(group))]
        fitted = [(trial, self._fit(trial, signal)) for trial in trials]
        best = min(fitted, key=lambda one: one[1].reduced_chi2)
        return best if fit.reduced_chi2 - best[1].reduced_chi2 > SPLIT_GAIN / self._n_points(group) else (group, fit)

    def _n_points(self, group: Sequence[Start]) -> int:
        return int(np.sum(self._near(group)))

    def _pruned(self, group: list[Start], fit: Fit, signal: Array) -> tuple[list[Start], Fit]:
        """Give up lines whose heights, with all that overlaps free, are not above zero, the least sure one first."""
        while group:
            sure = fit.lines[:, 1] / np.maximum(np.sqrt(np.diagonal(fit.covariance))[1::4], 1e-300)
            least = int(np.argmin(np.where(fit.lines[:, 1] > 0.0, sure, -1.0)))
            if fit.lines[least, 1] > 0.0 and (sure[least] >= SURE_SDS or len(group) == 1):
                break
            group = group[:least] + group[least + 1 :]
            fit = self._fit(group, signal) if group else fit
        return [Start.of(line, one.significance) for line, one in zip(fit.lines, group, strict=False)], fit

    def _near(self, group: Sequence[Start]) -> Mask:
        lines = np.array([start.values for start in group])
        reach = WINDOW_FWHMS * np.maximum(lines[:, 2], self.options.fwhm)
        return np.any(np.abs(self.x[:, None] - lines[:, 0]) <= reach, axis=1) & np.isfinite(self.sd)

    def _fit(self, group: Sequence[Start], signal: Array) -> Fit:
        lines, near = np.array([start.values for start in group]), self._near(group)
        return fit_lines(
            self.x[near],
            signal[near],
            self.sd[near],
            lines,
            shape=self.options.shape,
            widths=(self.options.narrowest * self.options.fwhm, self.options.widest * self.options.fwhm),
            reach=self.options.fwhm,
            has_background=self.options.has_local_background,
        )

    def _more(self, starts: list[Start]) -> list[Start]:
        """Return what stands out of what is left, and is neither next to a line nor small beside one."""
        total = self._total(starts)
        return [
            one
            for one in self._seen(self.y - total)
            if one.values[1] > ADDED_SHARE * float(total[np.abs(self.x - one.position) <= 2.0 * one.width].max())
            and all(abs(one.position - other.position) > APART_FWHMS * other.width for other in starts)
        ]

    def _total(self, starts: Sequence[Start]) -> Array:
        if not starts:
            return np.zeros(len(self.x))
        return line(self.x, np.array([start.values for start in starts])).sum(axis=1)

    def _peaks(self, number: int, group: list[Start], fit: Fit) -> list[Peak]:
        sds = np.sqrt(np.diagonal(fit.covariance)).reshape(-1, 4)
        return [
            Peak(
                position=_estimate(fit.lines[i, 0], sds[i, 0]),
                height=_estimate(fit.lines[i, 1], sds[i, 1]),
                fwhm=_estimate(fit.lines[i, 2], sds[i, 2]),
                lorentz_share=_estimate(fit.lines[i, 3], sds[i, 3]),
                area=_estimate(fit.areas[i], fit.area_sds[i]),
                significance=group[i].significance,
                group=number,
                reduced_chi2=fit.reduced_chi2,
                flags=self._flags(fit, i),
            )
            for i in range(len(group))
        ]

    def _flags(self, fit: Fit, i: int) -> tuple[str, ...]:
        position, _, width, _ = fit.lines[i]
        top = np.abs(self.x - position) <= max(0.5 * width, float(np.median(np.diff(self.x))))
        flags = {
            "masked top": top.any() and float(np.isfinite(self.sd[top]).mean()) < MIN_VALID_TOP,
            "at the edge": min(position - self.x[0], self.x[-1] - position) < 0.5 * width,
            "width at its bound": bool(fit.is_bound[i, 2]),
            "poor fit": fit.reduced_chi2 > POOR_CHI2,
        }
        return tuple(flag for flag, is_set in flags.items() if is_set)


def _halves(line: Array, whole: Start) -> list[Start]:
    """Return two narrower lines to either side of the middle of one."""
    position, height, width, share = line
    return [
        Start.of(np.array([position + side * width, 0.7 * height, 0.7 * width, share]), whole.significance)
        for side in (-0.3, 0.3)
    ]


def _estimate(value: float, sd: float) -> Estimate:
    return Estimate(value=float(value), sd=float(sd))
