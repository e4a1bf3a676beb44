"""What a scan is to be, the name of the application that makes it, and whether a file holds just that."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from drivers.errors import Rejected
from drivers.instruments.xrdml import XrdmlScan

OVERHEAD_S = 10.0
SCAN_S = 6 * 3600.0
MOST_POINTS = 30_000
SAME_DEG = 1e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanOrder:
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
    def application(self) -> str:
        """The name of the application, ``START-STOP_STEP_TIMEs``."""
        return f"{self.start_deg:.10g}-{self.stop_deg:.10g}_{self.step_deg:.10g}_{self.count_time_s:.10g}s"

    @property
    def lasts_s(self) -> float:
        """How long it should take."""
        return self.n * self.count_time_s + OVERHEAD_S


def checked_scan(scan: ScanOrder) -> ScanOrder:
    """Return a scan that can be made.

    Raises:
        Rejected: It has no whole number of steps, or too many of them, or takes too long.
    """
    steps = (scan.stop_deg - scan.start_deg) / scan.step_deg
    if steps < 1.0 or abs(steps - round(steps)) > 1e-6 * max(1.0, steps):
        raise Rejected(f"{scan.start_deg} to {scan.stop_deg} deg is no whole number of steps of {scan.step_deg} deg")
    if scan.n > MOST_POINTS or scan.lasts_s > SCAN_S:
        raise Rejected(f"{scan.n} points in {scan.lasts_s:.0f} s are more than {MOST_POINTS} or than {SCAN_S:.0f} s")
    return scan


def check_same(found: XrdmlScan, scan: ScanOrder, tag: str) -> None:
    """Make sure that a file holds the scan that was asked for: a kept one may have been another.

    Raises:
        Rejected: It does not.
    """
    angles = found.two_theta_deg
    off_deg = max(abs(angles[0] - scan.start_deg), abs(angles[-1] - scan.stop_deg))
    is_same_time = np.isclose(found.count_time_s, scan.count_time_s, rtol=1e-3)
    if angles.size != scan.n or off_deg > SAME_DEG or not is_same_time:
        raise Rejected(
            f"what was measured as {tag!r} has {angles.size} points from {angles[0]:g} to {angles[-1]:g} deg at "
            f"{found.count_time_s:g} s, not the {scan.n} of {scan.application}; use another tag"
        )
