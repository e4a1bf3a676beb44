"""Evidence: the measurement files of a campaign, kept when taken, found again after a crash."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from drivers.clock import Clock
from orchestrator.errors import StorageError
from orchestrator.measurements import MeasurementFile, read_measurement, sync_folder, write_measurement
from orchestrator.plain import not_finite, plain
from orchestrator.plan import Act

NOT_FINITE = "not_finite"
"""Where a result names the numbers that were none; the numbers themselves are null."""

LONG = 2000
"""Characters of a text from which it is kept in the measurement's file only."""
_ADDED = ("role", "trial", "command_id", "device", "taken_s", "taken_utc")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A measurement and the file that holds it."""

    measurement: MeasurementFile
    path: str
    """Relative to the campaign directory."""
    sha256: str
    size_bytes: int

    def row(self) -> dict[str, Any]:
        """Return the journal's description of it; what is long stays in the file."""
        return {
            "kind": self.measurement.kind,
            "role": self.measurement.metadata["role"],
            "path": self.path,
            "sha256": self.sha256,
            "size_bytes": self.size_bytes,
            "facts": without_long(self.measurement.metadata),
        }

    def result(self) -> dict[str, Any]:
        """Return what the driver answered, without what was added when it was kept."""
        return {name: value for name, value in self.measurement.metadata.items() if name not in _ADDED}


@dataclass(slots=True)
class Evidence:
    """Keeps and finds measurement files below one campaign directory."""

    root: Path
    clock: Clock
    fsync: bool = True
    """Push each file to the disk. Its name follows at once, in virtual time when its trial's plan ends."""

    def settle(self, trial: int) -> None:
        """Make sure that the names of a trial's files are on the disk, before anything is concluded from them."""
        folder = self.root / "measurements" / f"{trial:06d}"
        if self.fsync and self.clock.is_virtual and folder.exists():
            sync_folder(folder)

    def keep(
        self, trial: int, command_id: str, act: Act, result: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
    ) -> Kept:
        """Write one measurement.

        Raises:
            StorageError: It could not be written.
        """
        if act.measure is None:
            raise ValueError(f"act {command_id} is not declared to measure anything")
        metadata = {
            **result,
            **act.measure.facts,
            "role": act.measure.role,
            "trial": trial,
            "command_id": command_id,
            "device": act.device,
            "taken_s": self.clock.now_s(),
            "taken_utc": self.clock.utc().isoformat(),
        }
        measurement = MeasurementFile(kind=act.measure.kind, arrays=arrays, metadata=metadata)
        path = _path(trial, command_id)
        written = write_measurement(
            self.root / path, measurement, fsync=self.fsync, fsync_folder=not self.clock.is_virtual
        )
        return Kept(measurement=measurement, path=path, sha256=written.sha256, size_bytes=written.size_bytes)

    def find(self, trial: int, command_id: str) -> Kept | None:
        """Return the complete measurement that a killed process left for this command, if there is one."""
        path = _path(trial, command_id)
        file = self.root / path
        try:
            measurement = read_measurement(file)
        except StorageError:
            return None
        data = file.read_bytes()
        return Kept(
            measurement=measurement,
            path=path,
            sha256=hashlib.sha256(data).hexdigest(),
            size_bytes=len(data),
        )

    def recall(self, path: str, sha256: str | None) -> MeasurementFile:
        """Read a measurement that the journal knows, and hold it against its hash.

        Raises:
            StorageError: It is missing or was changed.
        """
        return read_measurement(self.root / path, sha256=sha256)


def without_long(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out texts that belong in a file and not in a journal: a vendor's file, say."""
    return {name: value for name, value in facts.items() if not isinstance(value, str) or len(value) <= LONG}


def taken_apart(answer: Any) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Split a driver's answer into JSON facts and arrays.

    Raises:
        TypeError: It holds what is neither.
    """
    facts = _facts(answer)
    arrays = {name: value for name, value in facts.items() if isinstance(value, np.ndarray)}
    rest = {name: value for name, value in facts.items() if name not in arrays}
    odd = [place for name, value in rest.items() for place in not_finite(value, name)]
    return plain(rest) | ({NOT_FINITE: odd} if odd else {}), arrays


def _facts(answer: Any) -> dict[str, Any]:
    if answer is None:
        return {}
    if dataclasses.is_dataclass(answer) and not isinstance(answer, type):
        return {item.name: getattr(answer, item.name) for item in dataclasses.fields(answer)}
    return {"value": answer}


def _path(trial: int, command_id: str) -> str:
    return f"measurements/{trial:06d}/{command_id}.npz"
