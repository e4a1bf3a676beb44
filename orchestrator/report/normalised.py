"""Reflectance as the analysis sees it: film spectra against the latest mirror and blank."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orchestrator.errors import StorageError
from orchestrator.measurements import MeasurementFile, read_measurement
from orchestrator.store import MeasurementRow

ROLES = ("mirror", "blank")


@dataclass(slots=True)
class Normaliser:
    """Finds the references that held for a trial and divides by them."""

    root: Path
    rows: Sequence[MeasurementRow]
    """All curves of the campaign, by time."""
    _by_role: dict[str, list[MeasurementRow]] = field(init=False)
    _cache: dict[str, MeasurementFile | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._by_role = {role: [row for row in self.rows if row.role == role] for role in ROLES}

    def reflectances(
        self, files: Sequence[tuple[MeasurementRow, MeasurementFile]]
    ) -> Mapping[str, NDArray[np.float64]]:
        """Return reflectance (``p``, NaN where a pixel is not valid) by measurement id; empty where there is none."""
        film = [(row, content) for row, content in files if row.role == "film" and "counts" in content.arrays]
        if not film:
            return {}
        references = {role: self._latest(role, film[-1][0].taken_s) for role in ROLES}
        if any(found is None for found in references.values()):
            return {}
        return _divided(film, {role: found for role, found in references.items() if found is not None})

    def _latest(self, role: str, before_s: float) -> tuple[MeasurementRow, MeasurementFile] | None:
        rows = self._by_role[role]
        index = bisect_right(rows, before_s, key=lambda row: row.taken_s)
        content = self._read(rows[index - 1]) if index else None
        return None if content is None else (rows[index - 1], content)

    def _read(self, row: MeasurementRow) -> MeasurementFile | None:
        if row.id not in self._cache:
            try:
                self._cache[row.id] = read_measurement(self.root / row.path, sha256=row.sha256)
            except StorageError:
                self._cache[row.id] = None
        return self._cache[row.id]


def _divided(
    film: Sequence[tuple[MeasurementRow, MeasurementFile]],
    references: Mapping[str, tuple[MeasurementRow, MeasurementFile]],
) -> dict[str, NDArray[np.float64]]:
    from surrogate.spectra.errors import CannotTell
    from surrogate.spectra.normalise import references as checked
    from surrogate.spectra.normalise import reflectance

    try:
        against = checked([_raw(*references["mirror"])], [_raw(*references["blank"])])
    except CannotTell:
        return {}
    found: dict[str, NDArray[np.float64]] = {}
    for row, content in film:
        try:
            one = reflectance([_raw(row, content)], against)
        except CannotTell:
            continue
        found[row.id] = np.where(one.valid[0], one.values[0], np.nan)
    return found


def _raw(row: MeasurementRow, content: MeasurementFile) -> Any:
    from surrogate.spectra.normalise import RawSpectrum

    facts = content.metadata
    return RawSpectrum(
        wavelength_nm=content.arrays["wavelength_nm"],
        counts=content.arrays["counts"],
        exposure_s=float(facts.get("exposure_s", 1.0)),
        averages=int(facts.get("averages", 1)),
        saturation_counts=float(facts.get("saturation_counts", np.inf)),
        offset_mm=float(facts.get("offset_mm") or 0.0),
        taken_s=row.taken_s,
    )
