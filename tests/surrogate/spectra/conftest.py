"""Simulated stripes, measured as an orchestrator would."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from simulators.materials.detector import Detector
from simulators.materials.film import FilmMaterial
from simulators.materials.options import FilmOptions
from surrogate.analysis import MeasurementData

OFFSETS_MM = tuple(np.linspace(-0.6, 0.6, 25))
PIXEL_UM = 5.0


@dataclass(kw_only=True)
class Station:
    """One stripe under a spectrometer and a camera."""

    seed: int = 1
    options: FilmOptions = field(default_factory=lambda: FilmOptions.from_mapping({"failures": False}))
    peak_c: float = 1000.0
    dwell_us: float = 1000.0
    exposure_s: float = 0.05
    averages: int = 4
    event: str | None = None
    """Make this happen to the shot, whatever luck says."""

    def __post_init__(self) -> None:
        self.film, self.detector = FilmMaterial(self.seed, self.options), Detector(self.seed, self.options)
        fired = {"x_mm": 0.0, "y_mm": 0.0, "peak_temperature_c": self.peak_c, "dwell_us": self.dwell_us}
        self.shot = self.film.shoot(shot_number=0, **fired)
        if self.event is not None:
            self.shot["event"] = self.event

    @property
    def parameters(self) -> dict[str, float]:
        """What the campaign asked for."""
        return {"peak_temperature": self.peak_c, "dwell": self.dwell_us}

    def spectrum(
        self, role: str, offset_mm: float = 0.0, *, taken_s: float = 0.0, **settings: float
    ) -> MeasurementData:
        """Take one spectrum."""
        chosen: dict[str, Any] = {"exposure_s": self.exposure_s, "averages": self.averages, **settings}
        light = self.film.reflectance([self.shot], np.array([offset_mm]))[0] if role == "film" else None
        tag = f"{role} {offset_mm:.6f} {taken_s:.3f}"
        counts = self.detector.counts(light, target=role, time_s=taken_s, tag=tag, **chosen)  # type: ignore[arg-type]
        facts = {
            "role": role,
            "offset_mm": offset_mm,
            "taken_s": taken_s,
            "saturation_counts": self.detector.saturation_counts,
            **chosen,
        }
        arrays = {"wavelength_nm": self.film.wavelength_nm, "counts": counts}
        return MeasurementData(kind="spectrum", arrays=arrays, metadata=facts)

    def picture(self, *, width: int = 400, height: int = 3) -> MeasurementData:
        """Take a picture of the stripe."""
        x_mm = 1e-3 * PIXEL_UM * (np.arange(width, dtype=np.float64) - 0.5 * (width - 1))
        pixels = np.repeat(self.film.rgb([self.shot], x_mm)[None], height, axis=0)
        return MeasurementData(kind="image", arrays={"pixels": pixels}, metadata={"pixel_um": PIXEL_UM})

    def measure(self, offsets_mm: Sequence[float] = OFFSETS_MM, *, has_picture: bool = True) -> list[MeasurementData]:
        """Take references, a picture, and a film spectrum at each offset."""
        taken = [self.spectrum("mirror"), self.spectrum("blank")]
        taken += [self.picture()] if has_picture else []
        return taken + [self.spectrum("film", float(offset)) for offset in offsets_mm]


@pytest.fixture(scope="session")
def station() -> Callable[..., Station]:
    """Return what builds a stripe: ``station(seed=3, peak_c=900.0)``."""
    return Station
