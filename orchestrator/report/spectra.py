"""The spectra and pictures behind the trials, read from their files and packed into what a page can carry."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orchestrator.errors import StorageError
from orchestrator.measurements import MeasurementFile, read_measurement
from orchestrator.reading import Snapshot
from orchestrator.report.normalised import Normaliser
from orchestrator.report.pack import base64_array, block_means, png_uri, quantised, shrunk
from orchestrator.status.facts import best_trial
from orchestrator.store import MeasurementRow
from orchestrator.words import plural

MOST_SPECTRA = 4_000
MOST_VALUES = 1_200_000
"""About 3 MB of the page."""
MOST_POINTS = 512
PICTURE_SIZE = (240, 60)
MOST_PICTURES = 60
"""More trials than this keep the pictures of some of them only."""


@dataclass(slots=True)
class SpectraPack:
    """What the page embeds, and what had to be left out."""

    curves: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    """Spectra by trial."""
    grids: list[str] = field(default_factory=list)
    """Wavelengths (``p`` float32, base64), each as often as it differs."""
    axis: tuple[str, str] = ("wavelength_nm", "counts")
    pictures: dict[int, dict[str, Any]] = field(default_factory=dict)
    """Pictures by trial: a data URI, and how wide the picture is in mm (None: unknown)."""
    notices: list[str] = field(default_factory=list)
    n_points: int = MOST_POINTS
    _grid_index: dict[bytes, int] = field(default_factory=dict)

    def payload(self) -> dict[str, Any]:
        """Return the page's data."""
        return {"curves": self.curves, "grids": self.grids, "axis": self.axis, "pictures": self.pictures}

    def grid(self, x: NDArray[np.float64]) -> int:
        """Return the index of a wavelength axis, kept once."""
        short = block_means(x, self.n_points).astype(np.float32)
        key = short.tobytes()
        if key not in self._grid_index:
            self._grid_index[key] = len(self.grids)
            self.grids.append(base64_array(short))
        return self._grid_index[key]


def pack_spectra(snapshot: Snapshot) -> SpectraPack:
    """Read the spectra and pictures of as many trials as the page can carry."""
    pack = SpectraPack()
    missing = [row for row in snapshot.measurements if not (snapshot.path / row.path).is_file()]
    if missing:
        total = plural(len(snapshot.measurements), "measurement file")
        pack.notices.append(f"{len(missing)} of {total} are missing, {missing[0].path} first; their rows are kept")
    gone = {row.id for row in missing}
    present = [row for row in snapshot.measurements if row.id not in gone]
    _pack_curves(pack, snapshot, [row for row in present if row.kind not in ("image", "result", "reading")])
    _pack_pictures(pack, snapshot, [row for row in present if row.kind == "image"])
    return pack


def _pack_curves(pack: SpectraPack, snapshot: Snapshot, rows: Sequence[MeasurementRow]) -> None:
    by_trial = _by_trial(rows)
    chosen = _chosen(snapshot, {number: len(found) for number, found in by_trial.items()}, MOST_SPECTRA)
    n_spectra = sum(len(by_trial[number]) for number in chosen)
    pack.n_points = max(1, min(MOST_POINTS, MOST_VALUES // max(1, n_spectra)))
    if len(chosen) < len(by_trial):
        pack.notices.append(
            f"The page holds the spectra of {len(chosen)} of {len(by_trial)} trials ({n_spectra} of {len(rows)} "
            "spectra): the best, some that failed, and others at even distances. All are in the measurement files, "
            "and `labpilot export` writes them as one table."
        )
    normaliser = Normaliser(snapshot.path, rows)
    damaged: list[str] = []
    for number in sorted(chosen):
        files = list(_read(snapshot.path, by_trial[number], damaged))
        pack.curves[number] = _trial_curves(pack, files, normaliser)
    if damaged:
        pack.notices.append(f"{plural(len(damaged), 'measurement file')} cannot be used: {damaged[0]}")


def _trial_curves(
    pack: SpectraPack, files: Sequence[tuple[MeasurementRow, MeasurementFile]], normaliser: Normaliser
) -> list[dict[str, Any]]:
    reflectances = normaliser.reflectances(files)
    found = []
    for row, content in files:
        axis = _curve(content)
        if axis is None:
            continue
        pack.axis = axis
        x, raw = content.arrays[axis[0]], content.arrays[axis[1]]
        y = reflectances.get(row.id, raw).astype(np.float64)
        steps, low, high = quantised(block_means(y, pack.n_points))
        found.append(
            {
                "id": row.id,
                "role": row.role,
                "at": row.taken_s,
                "x": row.facts.get("offset_mm"),
                "relative": row.id in reflectances,
                "grid": pack.grid(x.astype(np.float64)),
                "low": low,
                "high": high,
                "data": base64_array(steps),
            }
        )
    return found


def _curve(content: MeasurementFile) -> tuple[str, str] | None:
    """Return the names of the two arrays that make a curve, or None where the measurement is none."""
    lines = [name for name, array in content.arrays.items() if array.ndim == 1 and array.size > 1]
    names = sorted(lines, key=lambda name: name.startswith(("counts", "intensity")))
    if len(names) < 2 or content.arrays[names[0]].shape != content.arrays[names[-1]].shape:
        return None
    return names[0], names[-1]


def _pack_pictures(pack: SpectraPack, snapshot: Snapshot, rows: Sequence[MeasurementRow]) -> None:
    by_trial = _by_trial(rows)
    chosen = _chosen(snapshot, dict.fromkeys(by_trial, 1), MOST_PICTURES)
    damaged: list[str] = []
    for number in sorted(chosen):
        for _, content in _read(snapshot.path, by_trial[number][-1:], damaged):
            pixels = content.arrays.get("pixels")
            if pixels is not None and pixels.ndim == 3 and pixels.shape[2] == 3 and pixels.dtype == np.uint8:
                pixel_um = content.metadata.get("pixel_um")
                width_mm = None if pixel_um is None else 1e-3 * float(pixel_um) * pixels.shape[1]
                pack.pictures[number] = {"uri": png_uri(shrunk(pixels, *PICTURE_SIZE)), "width_mm": width_mm}
    if len(chosen) < len(by_trial):
        pack.notices.append(f"The page holds the pictures of {len(chosen)} of {len(by_trial)} trials.")


def _read(
    root: Path, rows: Iterable[MeasurementRow], damaged: list[str]
) -> Iterable[tuple[MeasurementRow, MeasurementFile]]:
    for row in rows:
        try:
            yield row, read_measurement(root / row.path, sha256=row.sha256)
        except StorageError as error:
            damaged.append(str(error))


def _by_trial(rows: Iterable[MeasurementRow]) -> dict[int, list[MeasurementRow]]:
    found: dict[int, list[MeasurementRow]] = {}
    for row in rows:
        found.setdefault(row.trial, []).append(row)
    return found


def _chosen(snapshot: Snapshot, sizes: Mapping[int, int], most: int) -> set[int]:
    """Return the trials to embed: all if they fit, otherwise those that tell most, then others at even distances."""
    numbers = [trial.number for trial in snapshot.trials if trial.number in sizes]
    total = sum(sizes[number] for number in numbers)
    if total <= most:
        return set(numbers)
    best = best_trial(snapshot.trials, snapshot.campaign.config)
    odd = [t.number for t in snapshot.trials if t.outcome in ("failed", "lost") and t.number in sizes]
    telling = [number for number in [best.trial if best else numbers[-1]] if number in sizes]
    even = [numbers[int(i)] for i in np.arange(0, len(numbers), total / most)]
    chosen: set[int] = set()
    room = most
    for number in [*telling, *odd[: max(1, len(numbers) // 20)], *even, *numbers]:
        if number not in chosen and sizes[number] <= room:
            chosen.add(number)
            room -= sizes[number]
    return chosen
