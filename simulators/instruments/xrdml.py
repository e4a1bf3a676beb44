"""Writes result files as PANalytical's XRDML has them (schema XRDMeasurement 1.5)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from simulators.instruments.powder import K_ALPHA_1, K_ALPHA_2, RATIO

SCHEMA = "http://www.xrdml.com/XRDMeasurement/1.5"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """A scan of two theta in equal steps."""

    start_deg: float
    stop_deg: float
    step_deg: float
    count_time_s: float

    @property
    def n(self) -> int:
        """How many points it has."""
        return round((self.stop_deg - self.start_deg) / self.step_deg) + 1

    @property
    def two_theta_deg(self) -> NDArray[np.float64]:
        """``n`` angles."""
        return np.linspace(self.start_deg, self.stop_deg, self.n)


def written(scan: Scan, counts: NDArray[np.integer], *, name: str, began_s: float) -> bytes:
    """Return the file of a scan of ``n`` counts."""
    began = datetime.fromtimestamp(began_s, UTC).isoformat(timespec="seconds")
    text = f"""<?xml version="1.0" encoding="UTF-8"?>
<xrdMeasurements xmlns="{SCHEMA}" status="Completed">
  <sample type="To be analyzed"><id>{name}</id></sample>
  <xrdMeasurement measurementType="Scan" status="Completed">
    <usedWavelength intended="K-Alpha">
      <kAlpha1 unit="Angstrom">{K_ALPHA_1:.7f}</kAlpha1>
      <kAlpha2 unit="Angstrom">{K_ALPHA_2:.7f}</kAlpha2>
      <ratioKAlpha2KAlpha1>{RATIO:.4f}</ratioKAlpha2KAlpha1>
    </usedWavelength>
    <scan appendNumber="0" mode="Continuous" scanAxis="Gonio" status="Completed">
      <header><startTimeStamp>{began}</startTimeStamp></header>
      <dataPoints>
        <positions axis="2Theta" unit="deg">
          <startPosition>{scan.start_deg:.8f}</startPosition>
          <endPosition>{scan.stop_deg:.8f}</endPosition>
        </positions>
        <commonCountingTime unit="seconds">{scan.count_time_s:.6f}</commonCountingTime>
        <intensities unit="counts">{" ".join(str(int(count)) for count in counts)}</intensities>
      </dataPoints>
    </scan>
  </xrdMeasurement>
</xrdMeasurements>
"""
    return text.encode()
