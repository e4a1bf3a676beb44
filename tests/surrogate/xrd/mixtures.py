"""What tests of phase identification share: a small library, and patterns of mixtures from the simulator."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simulators.materials.powder.levels import LEVELS
from simulators.materials.powder.library import structures
from simulators.materials.powder.pattern import Scan as SimulatedScan
from simulators.materials.powder.pattern import SimulatedPattern, simulate
from simulators.materials.powder.specimen import Mixture, Share
from surrogate.formats.record import Axis, Radiation, Scan, counted
from surrogate.xrd import identify
from surrogate.xrd.calibration import BANDS, Calibration
from surrogate.xrd.library import embedded_library
from surrogate.xrd.phase import Phase, Site

NAMES = (
    "rutile", "anatase", "corundum", "periclase", "halite", "zincite", "silicon", "calcite", "baddeleyite", "quartz",
)  # fmt: skip
COPPER = Radiation(wavelength_angstrom=(1.540598, 1.544426), ratio=(1.0, 0.5), anode="Cu")
LONE = Radiation(wavelength_angstrom=(1.540598,), ratio=(1.0,), anode="Cu")
"""What the clean level of the simulator shines."""

CALIBRATION = Calibration(
    temperatures=(6.0,) * (len(BANDS) + 1),
    set_weights=(0.78, 0.61, 0.68, -0.31, 0.66, 0.54, 1.65, 0.24),
    complete_weights=(1.44, 0.55, 0.58, -0.03, 0.9, 0.36, 0.42, -0.06),
    missing_weights=(
        0.24,
        0.63,
        1.05,
        -0.56,
        0.39,
        0.45,
        0.51,
        -0.03,
        -8.41,
        0.08,
        0.06,
        0.02,
        0.23,
        1.55,
        -0.28,
        -0.0,
        -0.84,
        1.59,
        1.18,
        -0.31,
        0.41,
        0.29,
        0.07,
        0.13,
        0.59,
    ),
    made_by={"command": "a test"},
)
"""One that does not change when the shipped one is fitted anew."""

OF_EACH_SYSTEM = {
    "cubic": "silicon",
    "tetragonal": "anatase",
    "orthorhombic": "aragonite",
    "hexagonal": "zincite",
    "trigonal": "corundum",
    "monoclinic": "baddeleyite",
    "triclinic": "kaolinite",
}


def phase_of(name: str) -> Phase:
    return embedded_library([name]).phases[0]


def rhombohedral(length: float = 5.13, angle_deg: float = 55.28) -> Phase:
    """Return a made-up phase on rhombohedral axes."""
    return Phase(
        name="rhombohedral",
        formula="Al2O3",
        space_group="R -3 c:R",
        space_group_number=167,
        crystal_system="trigonal",
        has_rhombohedral_axes=True,
        cell=(length, length, length, angle_deg, angle_deg, angle_deg),
        sites=tuple(
            Site(element=element, position=(x, y, z), occupancy=1.0, b_iso_angstrom2=None)
            for element, x, y, z in (
                *(("Al", s * x % 1.0, s * x % 1.0, s * x % 1.0) for s in (1, -1) for x in (0.3522, 0.8522)),
                *(
                    ("O", *(s * u % 1.0 for u in place))
                    for s in (1, -1)
                    for place in ((0.5563, -0.0563, 0.25), (0.25, 0.5563, -0.0563), (-0.0563, 0.25, 0.5563))
                ),
            )
        ),
        source="a test",
    )


def with_unique_axis(axis: str) -> Phase:
    """Return baddeleyite with its axes renamed so that the unique one is another."""
    phase = phase_of("baddeleyite")
    # new axes, in terms of which of the old ones they are
    old = {"a": (1, 2, 0), "b": (0, 1, 2), "c": (2, 0, 1)}[axis]
    lengths, angles = phase.cell[:3], phase.cell[3:]
    a, b, c = (lengths[i] for i in old)
    alpha, beta, gamma = (angles[i] for i in old)
    sites = tuple(replace(s, position=_permuted(s.position, old)) for s in phase.sites)
    return replace(phase, unique_axis=axis, cell=(a, b, c, alpha, beta, gamma), sites=sites)  # type: ignore[arg-type]


def _permuted(position: tuple[float, float, float], old: tuple[int, ...]) -> tuple[float, float, float]:
    x, y, z = (position[i] for i in old)
    return x, y, z


@lru_cache(maxsize=64)
def _mixed(level: str, parts: tuple[tuple[str, float], ...], seed: int, range_deg: tuple[float, float, float]):  # noqa: ANN202
    rng = np.random.default_rng(seed)
    found = LEVELS[level]
    start, stop, step = range_deg
    return simulate(
        Mixture(
            shares=tuple(Share(structure=structures()[name], weight=weight) for name, weight in parts),
            amorphous=0.0 if parts else 1.0,
        ),
        scan=SimulatedScan(start_deg=start, stop_deg=stop, step_deg=step),
        sample=found.sample,
        instrument=found.instrument(rng),
        rng=rng,
    )


def mixed_with(parts: Mapping[str, float], seed: int, **sample: object) -> Scan:
    """Return a scan of a mixture at level 1 whose specimen has other properties."""
    rng = np.random.default_rng(seed)
    found = LEVELS["L1"]
    made = simulate(
        Mixture(shares=tuple(Share(structure=structures()[name], weight=weight) for name, weight in parts.items())),
        scan=SimulatedScan(start_deg=20.0, stop_deg=70.0, step_deg=0.02),
        sample=replace(found.sample, **sample),
        instrument=found.instrument(rng),
        rng=rng,
    )
    return scan_of(made.two_theta_deg, made.counts)


def mixed(
    level: str, parts: Mapping[str, float], seed: int, range_deg: tuple[float, float, float] = (20.0, 70.0, 0.02)
) -> SimulatedPattern:
    """Return a simulated pattern of phases by weight; without any, it is amorphous."""
    return _mixed(level, tuple(parts.items()), seed, range_deg)


def scan_of(angles: NDArray[np.float64], counts: NDArray[np.generic], radiation: Radiation | None = COPPER) -> Scan:
    return Scan(
        kind="diffractogram",
        axis=Axis(quantity="two_theta", unit="deg", values=np.asarray(angles, float)),
        radiation=radiation,
        **counted(np.asarray(counts, float)),
    )


def simulated_scan(
    level: str, parts: Mapping[str, float], seed: int, range_deg: tuple[float, float, float] = (20.0, 70.0, 0.02)
) -> Scan:
    """Return a simulated pattern as a reader would give it."""
    found = mixed(level, parts, seed, range_deg)
    return scan_of(found.two_theta_deg, found.counts, LONE if level == "L0" else COPPER)


def gaussians(
    angles: NDArray[np.float64], peaks: Mapping[float, float], *, fwhm_deg: float = 0.1, background: float = 100.0
) -> NDArray[np.float64]:
    """Return peaks by angle and height on a flat background."""
    total = np.full_like(angles, background)
    for at, height in peaks.items():
        total += height * np.exp(-4.0 * np.log(2.0) * ((angles - at) / fwhm_deg) ** 2)
    return total


def write_xy(path: Path, scan: Scan, *, wavelength: bool = True) -> Path:
    """Write a scan as text with two columns."""
    head = [f"# wavelength: {COPPER.wavelength_angstrom[0]}"] if wavelength else []
    rows = [f"{x:.4f} {y:.0f}" for x, y in zip(scan.axis.values, scan.values, strict=True)]
    path.write_text("\n".join([*head, *rows]) + "\n", encoding="utf-8")
    return path


POISON = "poison.xy"


def work_or_die(path, curves):
    """Work on a file in a worker process, or end the process at once where the file is poison."""
    if path.name == POISON:
        os._exit(9)
    return identify._worker[0]._guarded(path, curves=curves)
