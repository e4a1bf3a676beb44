"""Context: what was observed beside a trial but not chosen, such as its time, the humidity, or the lot of a powder."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field, model_validator

from orchestrator.fields import Scalar, StrictModel, mistake
from orchestrator.measurements import MeasurementFile

TIME = "started_h"
"""When the trial began, in hours since the campaign did."""
BATCH = "batch"
"""Which ask it came from."""


class ContextEntry(StrictModel):
    """One thing that was not chosen: a constant, or what a device read in the trial."""

    value: Scalar | None = Field(default=None, description="The same for every trial, until the file is changed")
    reading: str | None = Field(
        default=None, min_length=1, description="DEVICE.COMMAND of a step of the recipe whose last answer it is"
    )
    entry: str = Field(default="value", min_length=1, description="Which number of the answer, where it has several")

    @model_validator(mode="after")
    def _is_one(self) -> ContextEntry:
        if (self.value is None) == (self.reading is None):
            raise mistake("give either value or reading")
        return self


def context_of(
    entries: Mapping[str, ContextEntry],
    measurements: Sequence[MeasurementFile],
    *,
    started_s: float,
    batch: int,
) -> dict[str, Any]:
    """Return what the planner is told beside a trial; readings that were not taken are left out."""
    found: dict[str, Any] = {TIME: round(started_s / 3600.0, 9), BATCH: batch}
    for name, entry in entries.items():
        value = entry.value if entry.reading is None else _read(entry, measurements)
        if value is not None:
            found[name] = value
    return found


def _read(entry: ContextEntry, measurements: Sequence[MeasurementFile]) -> float | str | None:
    for measurement in reversed(measurements):
        if measurement.kind == "reading" and measurement.metadata.get("role") == entry.reading:
            value = measurement.metadata.get(entry.entry)
            if isinstance(value, str) or (isinstance(value, int | float) and math.isfinite(value)):
                return value
    return None
