"""What jobs of a kind take, learnt from those that ended: the cost model.

A histogram of durations per class, function, size and device, in bins of 1/32 octave (2.2 %), so that quantiles need no
assumption and a file of it is small. Its content hash names it: virtual time that is charged by it says by which.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from surrogate.compute.errors import WrongCosts
from surrogate.compute.jobs import Device, Job

FORMAT = "labpilot cost model"
VERSION = 1
PER_OCTAVE = 32
SIZES_PER_OCTAVE = 2
_LEAST_S = 1e-6

Histogram = Mapping[int, int]


def kind_of(job: Job, device: Device) -> str:
    """Return what durations are learnt of apart from sizes."""
    return f"{job.job_class} {job.function} {device}"


def size_bin(size: float) -> int:
    """Return the bin of a size, of half an octave."""
    return round(SIZES_PER_OCTAVE * math.log2(size))


@dataclass(frozen=True, slots=True)
class CostModel:
    """Durations seen, by kind and size."""

    seen: Mapping[str, Mapping[int, Histogram]] = field(default_factory=lambda: MappingProxyType({}))

    def learned(self, job: Job, device: Device, seconds: float) -> CostModel:
        """Return the model that has seen one more duration."""
        place = math.floor(PER_OCTAVE * math.log2(max(seconds, _LEAST_S)))
        kind, size = kind_of(job, device), size_bin(job.size)
        sizes = self.seen.get(kind, {})
        histogram = sizes.get(size, {})
        more = {**histogram, place: histogram.get(place, 0) + 1}
        return CostModel(MappingProxyType({**self.seen, kind: {**sizes, size: more}}))

    def quantile(self, job: Job, device: Device, part: float) -> float | None:
        """Return the upper edge of the bin in which a part of all durations has ended; None where none was seen.

        With few durations this is the order statistic that at least so much of the next ones stay below, or the
        longest. A size that was never seen is taken for the nearest one that was.
        """
        histogram = self._histogram(job, device)
        if not histogram:
            return None
        n = sum(histogram.values())
        wanted, counted = min(n, math.ceil(part * (n + 1))), 0
        places = sorted(histogram)
        for place in places:
            counted += histogram[place]
            if counted >= wanted:
                return 2.0 ** ((place + 1) / PER_OCTAVE)
        return 2.0 ** ((places[-1] + 1) / PER_OCTAVE)

    def draw(self, job: Job, device: Device, rng: np.random.Generator) -> float | None:
        """Return a duration as they were seen; None where none was."""
        histogram = self._histogram(job, device)
        if not histogram:
            return None
        places = sorted(histogram)
        counts = np.array([histogram[place] for place in places])
        place = places[int(np.searchsorted(np.cumsum(counts), rng.integers(counts.sum()), side="right"))]
        return float(2.0 ** ((place + rng.random()) / PER_OCTAVE))

    def estimate(self, job: Job, device: Device, part: float) -> float:
        """Return a quantile, or what the job expects, or 0 where nobody knows: then nothing is skipped for it."""
        known = self.quantile(job, device, part)
        return known if known is not None else (job.expected_s or 0.0)

    def _histogram(self, job: Job, device: Device) -> Histogram | None:
        sizes = self.seen.get(kind_of(job, device))
        if not sizes:
            return None
        wanted = size_bin(job.size)
        return sizes[min(sizes, key=lambda one: (abs(one - wanted), one))]

    @property
    def sha256(self) -> str:
        """Return the hash of the content; equal models have equal ones."""
        return hashlib.sha256(self.text().encode()).hexdigest()

    def text(self) -> str:
        """Return the model as JSON, in one order always."""
        counts = {
            kind: {str(size): {str(place): count for place, count in bins.items()} for size, bins in sizes.items()}
            for kind, sizes in self.seen.items()
        }
        head = {"format": FORMAT, "version": VERSION, "bins_per_octave": PER_OCTAVE}
        return json.dumps(head | {"durations_s": counts}, sort_keys=True, indent=1)

    def save(self, path: Path) -> None:
        """Write the model, on the disk before it takes its name."""
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.part")
        with part.open("w", encoding="utf-8") as file:
            file.write(self.text())
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)

    @staticmethod
    def load(path: Path) -> CostModel:
        """Read a model.

        Raises:
            FileNotFoundError: There is none.
            WrongCosts: The file holds something else, or is broken.
        """
        try:
            told: Any = json.loads(path.read_text(encoding="utf-8"))
            head = {"format": FORMAT, "version": VERSION, "bins_per_octave": PER_OCTAVE}
            if {name: told[name] for name in head} != head:
                raise ValueError(f"it is not of format {head}")
            return CostModel(MappingProxyType({kind: _sizes(sizes) for kind, sizes in told["durations_s"].items()}))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise WrongCosts(
                f"{path} holds no cost model ({_why(error)}); remove it, and durations are learnt anew"
            ) from error


def _why(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"it is no JSON: {error}"
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)


def _sizes(told: Mapping[str, Any]) -> dict[int, Histogram]:
    sizes: dict[int, Histogram] = {
        int(size): {int(place): count for place, count in bins.items()} for size, bins in told.items()
    }
    for bins in sizes.values():
        if not bins or not all(isinstance(count, int) and count > 0 for count in bins.values()):
            raise ValueError("a count is no positive whole number")
        if not all(-1000 < place < 2000 for place in bins):
            raise ValueError("a duration is out of all bounds")
    return sizes
