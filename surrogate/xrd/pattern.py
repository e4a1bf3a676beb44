"""A diffractogram as the model sees it: equal steps, a variance for each point, and what is smooth.

Points are averaged into steps that still draw the narrowest peaks (a quarter of their width); steps without a point
get no weight, so that scans with gaps or changing steps are taken as they are. The variance is that of counting, plus
a part of the peaks' squared height: no model is right to better than a few percent, and without it the likelihood of a
long scan picks trace phases to mend the shapes of strong peaks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pybaselines import Baseline
from scipy.ndimage import gaussian_filter1d, percentile_filter
from scipy.signal import find_peaks, peak_widths

from surrogate.formats.record import Axis, Radiation, Scan
from surrogate.xrd.atlas import COPPER
from surrogate.xrd.flaws import checked
from surrogate.xrd.grid import Grid
from surrogate.xrd.task import Data

Array = NDArray[np.floating[Any]]

MODEL_ERROR = 0.06
"""Of a peak's height, as a standard deviation of each point."""
POINTS_PER_WIDTH = 4.0
BLUR_DEG = 0.04
"""Before peaks are looked for, so that noise makes none."""
MEAN_COPPER_ANGSTROM = 1.5418
SHORTEST_ANGSTROM, LONGEST_ANGSTROM = 0.1, 5.0
USUAL_WIDTH_DEG = 0.15
"""Where no peak tells."""
WIDEST_DEG = 2.0
"""Of a peak; what is wider is a hump, and must not make the steps coarse."""
SMOOTH_SHARE = 0.5
"""Of the range of all that is smooth: intensities are divided by no less."""
LEAST_LEVEL = 0.05
"""Of the range of intensities: noise is taken to grow from no lower level."""
LEAST_CHANGE = 1e-100
"""Of intensities; the square of less is no number."""
MOST_COUNTS = 1e12
LEAST_POINTS = 30
MOST_STEPS = 20_000
HUMP_FWHM_DEG = 8.0
NARROW_HUMP_FWHM_DEG = 5.0
"""Where nothing is as sharp as a peak, so that no phase needs to mend a glass's humps."""
SMOOTH_DEGREE = 6
BEAM_DEG = 20.0
"""Above which no direct beam is seen."""
BEAM_RISE = 1.8
"""Of the background within two degrees."""
BEAM_DECAYS_DEG = (0.4, 1.0, 2.5)
INSTRUMENT_DEG = (0.04, 0.1)
"""Bounds of the prior's median of the instrument's width."""


class Unusable(ValueError):
    """A scan cannot be compared with a library; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """A diffractogram of ``n`` steps."""

    grid: Grid
    intensity: Array
    """``n``; zero where nothing was measured."""
    variance: Array
    """``n``, of counting alone; infinite where nothing was measured."""
    weight: Array
    """``n``: one over the variance with the model's error."""
    baseline: Array
    """``n``: a first guess of all that is smooth."""
    smooth: Array
    """``n x b`` columns for background, free in sign."""
    humps: Array
    """``n x h`` columns for amorphous humps, not negative."""
    radiation: Radiation
    width_deg: float
    """Typical full width of a peak."""
    warnings: tuple[str, ...] = ()
    scale: float = field(default=1.0)
    """What intensities were divided by."""

    @property
    def two_theta_deg(self) -> Array:
        """Return the ``n`` angles."""
        return self.grid.start_deg + self.grid.step_deg * np.arange(self.grid.n)


def make_pattern(scan: Scan, *, wavelength_angstrom: float | None = None, step_deg: float | None = None) -> Pattern:
    """Bring a scan into the form that is fitted.

    Args:
        scan: A diffractogram, by 2 theta, q or d; an axis without a name is taken as 2 theta.
        wavelength_angstrom: In place of that of the file.
        step_deg: In place of one chosen by the widths of peaks.

    Raises:
        Unusable: Too few points, nothing but one value, or an axis that is none of a diffractogram.
    """
    radiation, warnings = _radiation(scan, wavelength_angstrom)
    angle, value, variance, ignored, more = _points(scan, radiation)
    warnings += more
    native = float(np.median(np.diff(angle)))
    sharp = _sharp_width_deg(angle, value, variance, native)
    width = USUAL_WIDTH_DEG if sharp is None else sharp
    step = step_deg or max(native, width / POINTS_PER_WIDTH)
    step = max(step, (angle[-1] - angle[0]) / MOST_STEPS)
    grid = Grid(start_deg=float(angle[0]), step_deg=step, n=int(np.floor((angle[-1] - angle[0]) / step + 0.5)) + 1)
    intensity, summed = _binned(grid, angle, value, variance)
    summed[_steps_of(grid, angle[ignored], native)] = np.inf
    seen = np.isfinite(summed)
    if int(seen.sum()) < min(LEAST_POINTS, grid.n) // 2:
        raise Unusable(f"{'; '.join(more)}: {int(seen.sum())} steps are left, too few to compare")
    baseline = _baseline(intensity, seen, step)
    # a hump without peaks is to be of the order of one too, as its prior has it
    smooth_range = SMOOTH_SHARE * float(np.ptp(baseline[seen]))
    scale = float(max((intensity - baseline)[seen].max(), smooth_range, 1e-9 * abs(intensity).max(), 1e-300))
    relative, error = intensity / scale, np.where(seen, summed / scale**2, np.inf)
    height = np.maximum(gaussian_filter1d(relative - baseline / scale, 1.0), 0.0)
    smooth, humps = _background_columns(grid, HUMP_FWHM_DEG if sharp is not None else NARROW_HUMP_FWHM_DEG)
    if _rises_to_the_beam(grid, baseline):
        smooth = np.column_stack([smooth, *_decays(grid)])
    return Pattern(
        grid=grid,
        intensity=np.where(seen, relative, 0.0),
        variance=error,
        weight=np.where(seen, 1.0 / (np.where(seen, error, 1.0) + (MODEL_ERROR * height) ** 2), 0.0),
        baseline=baseline / scale,
        smooth=smooth,
        humps=humps,
        radiation=radiation,
        width_deg=width,
        warnings=tuple(warnings),
        scale=scale,
    )


def _radiation(scan: Scan, wavelength_angstrom: float | None) -> tuple[Radiation, list[str]]:
    if wavelength_angstrom is not None:
        if not SHORTEST_ANGSTROM < wavelength_angstrom < LONGEST_ANGSTROM:
            raise Unusable(
                f"a wavelength of {wavelength_angstrom:g} angstrom is none of X-rays in a diffractometer "
                f"({SHORTEST_ANGSTROM:g} to {LONGEST_ANGSTROM:g}): set wavelength_angstrom of the Settings, or "
                "--wavelength of labpilot identify, to 1.5406 for copper, or to None to take the file's"
            )
        if _is_copper(wavelength_angstrom):
            return COPPER, []
        return Radiation(wavelength_angstrom=(wavelength_angstrom,), ratio=(1.0,)), []
    if scan.radiation is None:
        return COPPER, ["the file names no wavelength: copper K-alpha was assumed; give --wavelength if it is another"]
    named, strengths = scan.radiation.wavelength_angstrom, scan.radiation.ratio
    if len(named) != len(strengths):
        raise Unusable(
            f"the file names {len(named)} wavelengths and {len(strengths)} ratios, which cannot be matched: "
            "give the strongest by --wavelength, or in Settings(wavelength_angstrom=...)"
        )
    lines = [
        (wavelength, ratio)
        for wavelength, ratio in zip(named, strengths, strict=True)
        if SHORTEST_ANGSTROM < wavelength < LONGEST_ANGSTROM and 0.0 < ratio < math.inf
    ]
    if not lines:
        raise Unusable(
            f"the file's wavelengths {named} angstrom are none of X-rays, or have no strength {strengths}: "
            "give the right one by --wavelength, or in Settings(wavelength_angstrom=...)"
        )
    wavelengths, ratios = zip(*lines, strict=True)
    if len(lines) == 1 and abs(wavelengths[0] - MEAN_COPPER_ANGSTROM) < 6e-4:
        return COPPER, ["the file names the mean copper wavelength: its two K-alpha lines were assumed"]
    if len(lines) == 1 and not scan.radiation.anode and _is_copper(wavelengths[0]):
        return COPPER, [
            f"the file names the wavelength {wavelengths[0]:g} angstrom and no anode: both K-alpha lines of copper "
            "were assumed; where a monochromator let only the first pass, name the anode in the file beside it"
        ]
    return Radiation(wavelength_angstrom=wavelengths, ratio=ratios, anode=scan.radiation.anode), []


def _is_copper(wavelength_angstrom: float) -> bool:
    """Say whether a wavelength given by hand is copper's first line, or the mean of its two."""
    first = abs(wavelength_angstrom - COPPER.wavelength_angstrom[0]) < 2e-4
    return first or abs(wavelength_angstrom - MEAN_COPPER_ANGSTROM) < 6e-4


def _points(scan: Scan, radiation: Radiation) -> tuple[Array, Array, Array, NDArray[np.bool_], list[str]]:
    """Return angles in ascending order, values, variances, which points tell nothing, and what was left out."""
    angle = _two_theta_deg(scan.axis, radiation.wavelength_angstrom[0])
    value = np.asarray(scan.values, dtype=float)
    warnings = []
    usable = np.isfinite(value) & np.isfinite(angle) & (angle > 0.0) & (angle < 180.0)
    if not usable.all():
        warnings.append(f"{int((~usable).sum())} of {len(usable)} points are no numbers or out of range; left out")
    sigma = scan.sigma
    order = np.argsort(angle[usable], kind="stable")
    if np.any(np.diff(angle[usable]) <= 0) and not np.all(np.diff(angle[usable]) < 0):
        warnings.append("the angles do not ascend; the points were put in order")
    angle, value = angle[usable][order], value[usable][order]
    if len(angle) < LEAST_POINTS:
        raise Unusable(f"{len(angle)} usable points; at least {LEAST_POINTS} are needed")
    if np.ptp(value) < LEAST_CHANGE:
        raise Unusable(f"all {len(value)} intensities are {value[0]:g}: there is nothing to see")
    if angle[-1] - angle[0] < 1.0:
        raise Unusable(f"the scan covers {angle[-1] - angle[0]:.2f} deg; at least 1 deg is needed")
    if (value < 0.0).any():
        warnings.append(f"{int((value < 0).sum())} intensities are negative: a background was taken off before")
    if scan.counts is None and sigma is not None and np.all(sigma > 0):
        variance = sigma[usable][order] ** 2
    elif scan.counts is not None or _looks_counted(value):
        variance = _counting_variance(scan, usable, order, value)
    else:
        variance = _estimated_variance(value)
        warnings.append("the intensities are no counts: their noise was estimated from the scatter of neighbours")
    variance = np.maximum(variance, 1e-12 * np.ptp(value) ** 2)
    per_time = _per_time(scan, usable, order)
    counts = None if scan.counts is None else np.asarray(scan.counts, float)[usable][order]
    found = checked(angle, per_time * value, per_time**2 * variance, counts)
    angle, value, variance, ignored = _merged(angle, found.value, found.variance, found.ignored)
    if len(angle) < LEAST_POINTS:
        raise Unusable(f"{len(angle)} different angles; at least {LEAST_POINTS} are needed")
    return angle, value, variance, ignored, [*warnings, *found.warnings]


def _per_time(scan: Scan, usable: NDArray[np.bool_], order: NDArray[np.int64]) -> Array:
    """Return factors that bring counts to one counting time, where the file says that it changed."""
    if scan.count_time_s is None or scan.unit != "counts":
        return np.ones(len(order))
    time_s = np.asarray(scan.count_time_s, dtype=float)[usable][order]
    if not (np.isfinite(time_s).all() and time_s.min() > 0.0):
        return np.ones(len(order))
    return float(np.median(time_s)) / time_s


def _merged(
    angle: Array, value: Array, variance: Array, ignored: NDArray[np.bool_]
) -> tuple[Array, Array, Array, NDArray[np.bool_]]:
    """Average points that lie at one angle, as those of several passes do."""
    apart = 1e-3 * (angle[-1] - angle[0]) / len(angle)
    place = np.concatenate([[0], np.cumsum(np.diff(angle) > apart)])
    n = np.bincount(place)
    total_angle, total, summed = (np.bincount(place, weights=one) for one in (angle, value, variance))
    return total_angle / n, total / n, summed / n**2, np.bincount(place, weights=ignored) > 0


def _steps_of(grid: Grid, angle: Array, native: float) -> NDArray[np.int64]:
    """Return the steps that points have a part in."""
    at = (angle - grid.start_deg) / grid.step_deg
    reach = 0.5 * native / grid.step_deg
    steps = np.concatenate([np.round(at - reach), np.round(at), np.round(at + reach)]).astype(np.int64)
    return np.unique(np.clip(steps, 0, grid.n - 1))


def _two_theta_deg(axis: Axis, wavelength_angstrom: float) -> Array:
    match axis.quantity:
        case "two_theta":
            return axis.values
        case "unknown" if axis.values.min() >= 0.0 and axis.values.max() <= 180.0:
            return axis.values
        case "q" | "d_spacing":
            per_angstrom = {"/nm": 0.1, "nm": 0.1}.get(axis.unit, 1.0)
            with np.errstate(divide="ignore", invalid="ignore"):
                q = axis.values * per_angstrom if axis.quantity == "q" else 2.0 * np.pi / (axis.values / per_angstrom)
                return 2.0 * np.degrees(np.arcsin(q * wavelength_angstrom / (4.0 * np.pi)))
    raise Unusable(f"the axis is {axis.quantity} in {axis.unit}, not 2 theta, q or d of a diffractogram")


def _looks_counted(value: Array) -> bool:
    """Say whether values are whole, as counts are, and many enough to tell."""
    if not np.all(value == np.round(value)) or value.min() < 0.0 or value.max() > MOST_COUNTS:
        return False
    # multiples of one number were scaled
    return len(np.unique(value)) > 8 and int(np.gcd.reduce(value.astype(np.int64))) == 1


def _counting_variance(scan: Scan, usable: NDArray[np.bool_], order: NDArray[np.int64], value: Array) -> Array:
    counts = value if scan.counts is None else np.asarray(scan.counts, float)[usable][order]
    ratio = value[counts > 0] / counts[counts > 0]
    gain = np.full(len(counts), float(np.median(ratio)) if len(ratio) else 1.0)
    gain[counts > 0] = ratio
    # the variance of a rate of which few counts are known is better told by its neighbours than by itself
    return gaussian_filter1d(np.maximum(counts, 0.0), 2.0) * gain**2 + gain**2


def _estimated_variance(value: Array) -> Array:
    second = (value[2:] - 2.0 * value[1:-1] + value[:-2]) / np.sqrt(6.0)
    quiet = 1.4826 * percentile_filter(np.abs(second), 50, size=min(201, len(second)))
    floor = 1.4826 * float(np.median(np.abs(second)))
    quiet = np.pad(np.maximum(quiet, 0.3 * floor), 1, mode="edge")
    # noise grows with the root of the intensity, as far as it is counting
    level = np.maximum(gaussian_filter1d(value, 2.0), 0.0)
    # where a background was taken off, what is left of it says nothing about how strong peaks scatter
    typical = max(float(np.median(level)), LEAST_LEVEL * float(np.ptp(value)))
    return quiet**2 * np.maximum(level / typical, 1.0)


def _sharp_width_deg(angle: Array, value: Array, variance: Array, native: float) -> float | None:
    """Return the width at half height that a fifth of the strong peaks stay below; None where no peak is sharp."""
    blur = max(1.0, BLUR_DEG / native)
    level = gaussian_filter1d(value, blur)
    noise = float(np.sqrt(np.median(variance) / (2.0 * np.sqrt(np.pi) * blur)))
    peaks, facts = find_peaks(level, prominence=max(8.0 * noise, 0.02 * float(np.ptp(level))))
    if not len(peaks):
        return None
    strongest = np.argsort(-facts["prominences"])[:25]
    widths = peak_widths(level, peaks[strongest], rel_height=0.5)[0]
    # the smoothing itself broadened them
    true = np.sqrt(np.maximum(widths**2 - (2.355 * blur) ** 2, 2.0**2)) * native
    sharp = true[true < WIDEST_DEG]
    return float(np.quantile(sharp, 0.2)) if len(sharp) else None


def _binned(grid: Grid, angle: Array, value: Array, variance: Array) -> tuple[Array, Array]:
    """Average points into steps; a step without a point has infinite variance."""
    index = np.clip(np.round((angle - grid.start_deg) / grid.step_deg).astype(int), 0, grid.n - 1)
    # where steps are as fine as the data, a point also belongs a little to its neighbour: interpolate instead
    if grid.step_deg < 1.5 * float(np.median(np.diff(angle))):
        at = grid.start_deg + grid.step_deg * np.arange(grid.n)
        near = np.abs(angle[np.clip(np.searchsorted(angle, at), 1, len(angle) - 1)] - at)
        near = np.minimum(near, np.abs(angle[np.clip(np.searchsorted(angle, at) - 1, 0, len(angle) - 1)] - at))
        empty = near > 1.5 * grid.step_deg
        return np.interp(at, angle, value), np.where(empty, np.inf, np.interp(at, angle, variance))
    counts = np.bincount(index, minlength=grid.n)
    filled = np.maximum(counts, 1)
    mean = np.bincount(index, weights=value, minlength=grid.n) / filled
    summed = np.bincount(index, weights=variance, minlength=grid.n) / filled**2
    return np.interp(np.arange(grid.n), np.flatnonzero(counts), mean[counts > 0]), np.where(counts > 0, summed, np.inf)


def _baseline(intensity: Array, seen: NDArray[np.bool_], step_deg: float) -> Array:
    half = max(2, int(round(2.5 / step_deg)))
    half = min(half, (len(intensity) - 1) // 2)
    smoothed = gaussian_filter1d(intensity, max(1.0, 0.05 / step_deg))
    found, _ = Baseline(check_finite=False).snip(smoothed, max_half_window=half, decreasing=True, smooth_half_window=2)
    return np.minimum(found, smoothed) if seen.all() else np.where(seen, np.minimum(found, smoothed), smoothed)


def _background_columns(grid: Grid, fwhm_deg: float) -> tuple[Array, Array]:
    angle = grid.start_deg + grid.step_deg * np.arange(grid.n)
    x = np.linspace(-1.0, 1.0, grid.n)
    degree = min(SMOOTH_DEGREE, max(2, int((angle[-1] - angle[0]) / 6.0)))
    smooth = np.column_stack([np.polynomial.chebyshev.chebvander(x, degree), angle[0] / np.maximum(angle, 1.0)])
    centres = np.arange(max(angle[0], 12.0), min(angle[-1], 60.0), fwhm_deg / 2.0)
    return smooth, np.exp(-4.0 * np.log(2.0) * ((angle[:, None] - centres) / fwhm_deg) ** 2)


def _rises_to_the_beam(grid: Grid, baseline: Array) -> bool:
    """Say whether the first degrees see the edge of the direct beam: no polynomial rises like that."""
    per_deg = 1.0 / grid.step_deg
    if grid.n < 20.0 * per_deg or grid.start_deg > BEAM_DEG:
        return False
    first, later = baseline[: round(0.5 * per_deg)], baseline[round(2.0 * per_deg) : round(3.0 * per_deg)]
    return len(first) > 0 and float(np.median(first)) > BEAM_RISE * float(np.median(later)) > 0.0


def _decays(grid: Grid) -> list[Array]:
    away = grid.step_deg * np.arange(grid.n)
    return [np.exp(-away / decay) for decay in BEAM_DECAYS_DEG]


def as_data(pattern: Pattern) -> Data:
    """Return a pattern as a fit takes it."""
    return Data(
        grid=pattern.grid,
        intensity=torch.tensor(pattern.intensity)[None],
        weight=torch.tensor(pattern.weight)[None],
        background=torch.tensor(np.concatenate([pattern.smooth, pattern.humps], axis=1)),
        baseline=torch.tensor(pattern.baseline)[None],
        n_free=pattern.smooth.shape[1],
        width_deg=torch.tensor([float(np.clip(0.6 * pattern.width_deg, *INSTRUMENT_DEG))], dtype=torch.float64),
    )
