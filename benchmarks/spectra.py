"""Score the processing of spectra on simulated truth: ``python benchmarks/spectra.py [PART]...``.

Baselines: fluorescence-like backgrounds of four shapes, 0.5 to 10 times as high as the strongest peak can be, under 5,
15 or 40 peaks of 4 to 14 points full width, at 10, 30 or 100 times the noise, 1,000 points. Each fixed method has one
setting, the best of its grid on other seeds. Peaks, spikes and maps as their functions say. Parts: baseline, despike,
peaks, unmix; all of them where none is named.
"""

from __future__ import annotations

import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable

import numpy as np

from surrogate.spectra.baseline import estimate_baseline
from surrogate.spectra.baseline_candidates import PERIODS, Candidate, candidates
from surrogate.spectra.baseline_peaks import PeakModel, fit_peaks
from surrogate.spectra.despike import despike, modified_z
from surrogate.spectra.factors import Constraints
from surrogate.spectra.line_shapes import SHAPES, area, line
from surrogate.spectra.peaks import PeakOptions, find_peaks
from surrogate.spectra.rank import choose_rank
from surrogate.spectra.unmix import match, unmix

POINTS = 1000
WIDEST = 25.0
BACKGROUNDS = ("falling edge", "broad hump", "polynomial", "step")
DENSITIES = (5, 15, 40)
SNRS = (10.0, 30.0, 100.0)
TUNING_SEEDS, SEEDS, FEW_SEEDS = range(1000, 1002), range(6), range(2)

Case = tuple[str, int, float, int]


def background(shape: str, x: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Return a background of height about 1."""
    draw = generator.uniform
    if shape == "falling edge":
        return draw(0.5, 1.5) * np.exp(-x / draw(0.04, 0.3)) + draw(0.1, 0.5) * np.exp(-x / draw(0.5, 2.0))
    if shape == "broad hump":
        humps = [(draw(0.4, 1.2), draw(0.1, 0.9), draw(0.1, 0.3)) for _ in range(int(generator.integers(1, 3)))]
        return np.sum([h * np.exp(-0.5 * ((x - c) / w) ** 2) for h, c, w in humps], axis=0)
    if shape == "polynomial":
        values = np.polynomial.legendre.legval(2.0 * x - 1.0, generator.normal(0.0, 1.0, generator.integers(3, 7)))
        values = values - values.min() + 0.1
        return values / values.max() * draw(0.5, 1.5)
    edge = 1.0 / (1.0 + np.exp(-(x - draw(0.25, 0.75)) / draw(0.004, 0.02)))
    return draw(0.3, 1.0) * edge + draw(0.0, 0.5) * x


def spectrum(case: Case) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return values, the true baseline, and the true standard deviation of the noise."""
    shape, density, snr, seed = case
    generator = np.random.default_rng([seed, BACKGROUNDS.index(shape), density, int(snr)])
    base = background(shape, np.linspace(0.0, 1.0, POINTS), generator)
    base = base * np.exp(generator.uniform(np.log(0.5), np.log(10.0)))
    lines = np.stack(
        [
            generator.uniform(0.0, POINTS, density),
            generator.uniform(0.3, 1.0, density),
            generator.uniform(4.0, 14.0, density),
            generator.uniform(0.0, 1.0, density),
        ],
        axis=1,
    )
    peaks = line(np.arange(float(POINTS)), lines).sum(axis=1)
    sd = np.sqrt((0.3 + peaks + base) / (1.3 + base.mean())) / snr
    return base + peaks + sd * generator.standard_normal(POINTS), base, sd


def cases(seeds: range) -> list[Case]:
    """Return every shape, density and noise for each seed."""
    return [(shape, n, snr, seed) for seed in seeds for shape in BACKGROUNDS for n in DENSITIES for snr in SNRS]


def error(found: np.ndarray, base: np.ndarray) -> float:
    """Return the root mean square error, in heights of the strongest peak that can be."""
    return float(np.sqrt(np.mean((found - base) ** 2)))


def peak_model(y: np.ndarray, sd: np.ndarray) -> PeakModel:
    """Return the peaks that the candidate `smooth` needs."""
    return fit_peaks(y, sd, widest=WIDEST, periods=tuple(WIDEST * factor for factor in PERIODS))


def tuned() -> dict[str, Candidate]:
    """Return the best single setting of each method on the tuning seeds, by the median error."""
    errors: dict[Candidate, list[float]] = defaultdict(list)
    for case in cases(TUNING_SEEDS):
        y, base, sd = spectrum(case)
        model = peak_model(y, sd)
        for one in candidates(POINTS, WIDEST):
            drawn = one(y, model)
            errors[one].append(np.inf if drawn is None else error(drawn, base))
    methods = {one.method for one in errors}
    return {
        method: min((one for one in errors if one.method == method), key=lambda one: np.median(errors[one]))
        for method in sorted(methods)
    }


def quartiles(values: list[float]) -> str:
    """Write median and quartiles."""
    low, middle, high = np.percentile(values, [25, 50, 75])
    return f"{middle:.4f} [{low:.4f}, {high:.4f}]"


def baseline() -> None:
    """Print errors of the choice by evidence and of every fixed method."""
    fixed, errors, by_shape = tuned(), defaultdict(list), defaultdict(list)
    chosen: Counter[str] = Counter()
    covered, seconds = [], 0.0
    for case in cases(SEEDS):
        y, base, sd = spectrum(case)
        start = time.process_time()
        found = estimate_baseline(y, generator=np.random.default_rng(0), widest_peak=WIDEST)
        seconds += time.process_time() - start
        chosen[found.chosen.method] += 1
        covered.append(float(np.mean(np.abs(found.values - base) < 2.0 * found.sd)))
        model = peak_model(y, found.noise_sd)
        drawn = {"chosen by evidence": found.values} | {
            f"{one.name}": values for one in fixed.values() if (values := one(y, model)) is not None
        }
        for name, values in drawn.items():
            errors[name].append(error(values, base))
            by_shape[name, case[0]].append(errors[name][-1])
        if case[3] in FEW_SEEDS:
            variants(y, base, sd, errors)
    n = len(errors["chosen by evidence"])
    print(f"{n} spectra, seeds {list(SEEDS)}; fixed settings from seeds {list(TUNING_SEEDS)}; noise estimated")
    print("| method | RMSE / peak height | " + " | ".join(BACKGROUNDS) + " |\n|---|---|" + "---|" * len(BACKGROUNDS))
    for name in sorted(errors, key=lambda name: np.median(errors[name])):
        shapes = [f"{np.median(by_shape[name, s]):.4f}" if by_shape[name, s] else "" for s in BACKGROUNDS]
        print(f"| {name} ({len(errors[name])}) | {quartiles(errors[name])} | {' | '.join(shapes)} |")
    print(f"largest weight: {dict(chosen)}; {seconds / n:.2f} CPU s a spectrum")
    print(f"points within 2 sd of the truth: {np.mean(covered):.2f}")


def variants(y: np.ndarray, base: np.ndarray, sd: np.ndarray, errors: dict[str, list[float]]) -> None:
    """Note the errors with the noise given, and among the candidates of pybaselines alone."""
    given = estimate_baseline(y, generator=np.random.default_rng(0), widest_peak=WIDEST, sd=sd)
    errors["by evidence, noise given, few seeds"].append(error(given.values, base))
    others = [one for one in candidates(POINTS, WIDEST) if one.method != "smooth"]
    among = estimate_baseline(y, generator=np.random.default_rng(0), widest_peak=WIDEST, among=others)
    errors["by evidence, pybaselines only, few seeds"].append(error(among.values, base))


def spikes() -> None:
    """Print spikes found, and real points eaten, with and without the test of the line's width."""
    found, struck_tops, eaten, eaten_plainly, z = 0, 0, 0, 0, []
    for seed in range(100):
        generator = np.random.default_rng(seed)
        fwhm, strongest = generator.uniform(3.0, 6.0), 10.0 ** generator.uniform(1.0, 4.0)
        lines = np.stack(
            [
                generator.uniform(0, 800, 20),
                strongest * generator.uniform(0.05, 1.0, 20),
                fwhm * generator.uniform(1.0, 2.5, 20),
                generator.uniform(0, 1, 20),
            ],
            axis=1,
        )
        clean = 50.0 + line(np.arange(800.0), lines).sum(axis=1)
        sd = np.sqrt(1.0 + 0.01 * clean)
        y = clean + sd * generator.standard_normal(800)
        eaten += int(despike(y, line_fwhm=fwhm).struck.sum())
        eaten_plainly += int(np.sum(np.abs(modified_z(np.diff(y))) > 6.0))
        tops = generator.choice(np.arange(10, 790), 4, replace=False)
        for top in tops:
            width = int(generator.integers(1, 4))
            y[top : top + width] += generator.uniform(12, 200) * sd[top] * np.array([1.0, 0.7, 0.3])[:width]
        result = despike(y, line_fwhm=fwhm)
        found, struck_tops = found + int(result.struck[tops].sum()), struck_tops + len(tops)
        z += list(((result.values - clean) / result.sd)[result.struck])
    print(f"100 spectra of 800 points, 20 lines, seeds 0 to 99: {found} of {struck_tops} spikes found")
    print(f"points of clean spectra called struck: {eaten} (differences alone, |z| > 6: {eaten_plainly})")
    print(f"bridged values against truth, rms in stated sds: {np.sqrt(np.mean(np.square(z))):.2f}")


def peaks() -> None:
    """Print coverage of intervals by shape, and false alarms."""
    x = np.linspace(400.0, 1000.0, 600)
    print("| shape | found | false | quantity: within 1 sd, within 1.96 sd |\n|---|---|---|---|")
    for shape in SHAPES:
        share = {"gauss": 0.0, "lorentz": 1.0, "pseudo_voigt": 0.5}[shape]
        z, found, false = defaultdict(list), 0, 0
        for seed in range(150):
            generator = np.random.default_rng(seed)
            centres = [*(450.0 + 100.0 * np.arange(5) + generator.uniform(-10, 10, 5)), 632.0 + generator.uniform(0, 3)]
            lines = np.array([[c, generator.uniform(10, 100), generator.uniform(5, 9), share] for c in centres])
            clean = line(x, lines).sum(axis=1)
            sd = np.sqrt(1.0 + 0.05 * clean)
            seen = find_peaks(
                x, clean + sd * generator.standard_normal(600), sd=sd, options=PeakOptions(fwhm=6.0, shape=shape)
            )
            matched = 0
            for row, whole in zip(lines, area(lines), strict=True):
                near = [peak for peak in seen if abs(peak.position.value - row[0]) < 3.0]
                matched += len(near) > 0
                for name, truth in zip(("position", "height", "fwhm", "area"), (*row[:3], whole), strict=True):
                    z[name] += [(getattr(peak, name).value - truth) / getattr(peak, name).sd for peak in near[:1]]
            found, false = found + matched, false + len(seen) - matched
        text = ", ".join(f"{k}: {np.mean(np.abs(v) < 1):.2f} {np.mean(np.abs(v) < 1.96):.2f}" for k, v in z.items())
        print(f"| {shape} | {found} of 900 | {false} in 150 spectra | {text} |")
    options = PeakOptions(fwhm=6.0, false_alarms=0.1)
    alarms = [
        len(find_peaks(x, np.random.default_rng(seed).standard_normal(600), sd=np.ones(600), options=options))
        for seed in range(1000)
    ]
    print(f"false peaks in a spectrum of pure noise, 0.1 allowed: {np.mean(alarms):.3f}")


def phase_map(k: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return spectra, sd, weights and components of a map of 15 x 20 spectra of 200 points."""
    generator = np.random.default_rng([k, seed])
    index = np.arange(200)
    components = np.zeros((k, 200))
    for row in components:
        for _ in range(5):
            u = (index - generator.uniform(0, 200)) / generator.uniform(2.0, 8.0)
            row += generator.uniform(0.2, 1.0) * np.exp(-0.5 * u**2)
    place = np.indices((15, 20)).reshape(2, -1).T / (15.0, 20.0)
    away = np.sum((place[:, None, :] - generator.uniform(0, 1, (k, 2))) ** 2, axis=2)
    weights = np.exp(-away / 0.03)
    weights /= weights.sum(axis=1, keepdims=True)
    clean = weights @ components
    sd = np.sqrt(0.3 + clean) / 30.0
    return clean + sd * generator.standard_normal(clean.shape), sd, weights, components


def maps() -> None:
    """Print ranks found, likeness of components and errors of weights."""
    print("| phases | rank found | determined | least cosine, median | weight error, median | CPU s for the rank |")
    print("|---|---|---|---|---|---|")
    for k in (3, 4, 5):
        right, sure, cosines, errors, seconds = 0, 0, [], [], []
        for seed in range(4):
            values, sd, weights, components = phase_map(k, seed)
            closed = Constraints(is_closed=True)
            start = time.process_time()
            choice = choose_rank(values, sd, range(2, 8), generator=np.random.default_rng(0), constraints=closed)
            seconds.append(time.process_time() - start)
            right, sure = right + (choice.rank == k), sure + choice.is_determined
            found = unmix(values, sd, k, generator=np.random.default_rng(0), constraints=closed)
            paired = match(found.components, components)
            cosines.append(min(paired.cosines))
            errors.append(float(np.abs(found.weights[:, paired.order] - weights).mean()))
        print(
            f"| {k} | {right} of 4 | {sure} of 4 | {np.median(cosines):.4f} | {np.median(errors):.4f} | "
            f"{np.median(seconds):.1f} |"
        )


PARTS: dict[str, Callable[[], None]] = {"baseline": baseline, "despike": spikes, "peaks": peaks, "unmix": maps}


def main() -> None:
    """Run the parts that are named, or all."""
    for name in sys.argv[1:] or PARTS:
        print(f"-- {name}")
        PARTS[name]()


if __name__ == "__main__":
    main()
