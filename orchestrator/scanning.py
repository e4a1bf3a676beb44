"""Adaptive scans: the campaign's loop at the scale of one sample. Where to measure next follows from what was measured.

The scan's state follows from its spectra alone, so a scan that a crash interrupted is brought back by telling it again
what the journal holds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from zlib import crc32

import numpy as np

from orchestrator.measurements import MeasurementFile
from orchestrator.plan import AdaptiveScan
from orchestrator.records import TrialRecord
from orchestrator.runner import Runner

if TYPE_CHECKING:
    from surrogate.spectra.microscope import MicroscopePrior
    from surrogate.spectra.normalise import RawSpectrum


async def scan_points(
    runner: Runner, trial: TrialRecord, node: AdaptiveScan, taken: Sequence[MeasurementFile], *, seed: int
) -> list[MeasurementFile]:
    """Measure along the stripe and return the spectra, in the order in which they were taken.

    taken: what this trial measured before: its references, and its picture if it has one.
    """
    from planner.adaptive_scan import AdaptiveScan as Scan

    rng = np.random.default_rng([seed, crc32(b"adaptive scan"), trial.number])
    scan = Scan(node.policy, half_range_mm=node.half_range_mm, points=node.points, prior=_prior(taken), rng=rng)
    measured: list[MeasurementFile] = []
    while (offset_mm := scan.next()) is not None:
        offset_mm = round(offset_mm, 3)
        move, acquire = node.point(len(measured), offset_mm)
        await runner.act(trial.number, move)
        done = await runner.act(trial.number, acquire)
        if done.measurement is None:
            raise RuntimeError(f"acquisition {acquire.path} left no measurement")
        measured.append(done.measurement)
        scan.tell(offset_mm, *_features(done.measurement, taken))
    return measured


def _prior(taken: Sequence[MeasurementFile]) -> MicroscopePrior | None:
    from surrogate.spectra.microscope import prior_from_picture

    pictures = [item for item in taken if item.kind == "image"]
    if not pictures:
        return None
    return prior_from_picture(pictures[-1].arrays["pixels"], pixel_um=float(pictures[-1].metadata["pixel_um"]))


def _features(
    spectrum: MeasurementFile, taken: Sequence[MeasurementFile]
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Return the spectrum's coefficients and their standard deviations, or nothing where it cannot be used."""
    from surrogate.spectra.errors import CannotTell
    from surrogate.spectra.features import legendre_features
    from surrogate.spectra.normalise import references, reflectance

    of_role: Mapping[str, list[RawSpectrum]] = {
        role: [_raw(item) for item in taken if item.kind == "spectrum" and item.metadata["role"] == role]
        for role in ("mirror", "blank")
    }
    try:
        against = references(of_role["mirror"], of_role["blank"])
        divided = reflectance([_raw(spectrum)], against)
    except CannotTell:
        return None, None
    coefficients, variances = legendre_features(divided.values, divided.noise_sd, divided.valid)
    return coefficients[0], np.sqrt(variances[0])


def _raw(item: MeasurementFile) -> RawSpectrum:
    from surrogate.spectra.normalise import RawSpectrum

    facts: Mapping[str, Any] = item.metadata
    return RawSpectrum(
        wavelength_nm=np.asarray(item.arrays["wavelength_nm"], dtype=float),
        counts=np.asarray(item.arrays["counts"], dtype=float),
        exposure_s=float(facts["exposure_s"]),
        averages=int(facts["averages"]),
        saturation_counts=float(facts["saturation_counts"]),
        offset_mm=float(facts.get("offset_mm", 0.0)),
        taken_s=float(facts["taken_s"]),
    )
