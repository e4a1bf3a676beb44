"""Where the results of a series are kept: a file for each seed, in a folder named by what was run.

    OUT/POLICY-1a2b3c4d/series.json      what was run: campaign, lab, files, versions
    OUT/POLICY-1a2b3c4d/seed-0007.json   what came out with one seed

What is there is not made again. Whatever else is run has another folder, so that nothing is mixed and nothing lost.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.errors import InputError, StorageError
from orchestrator.measurements import write_durably
from orchestrator.series.parcels import Parcel

FORMAT = 1
_TERMS = "series.json"
_SHOWN = 4
_LATELY = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """The folder of one series."""

    folder: Path
    terms: Mapping[str, Any]
    fingerprint: str = field(init=False)

    def __post_init__(self) -> None:
        text = json.dumps(self.terms, sort_keys=True)
        object.__setattr__(self, "fingerprint", hashlib.sha256(text.encode()).hexdigest())

    @classmethod
    def of(cls, out: Path, parcel: Parcel, *, versions: Mapping[str, str], provenance: Mapping[str, Any]) -> Shelf:
        """Return where the results of a campaign are kept below a directory."""
        terms = {
            "format": FORMAT,
            "campaign": {**parcel.campaign, "seed": None},
            "lab": parcel.lab,
            "files": [need.sha256 for need in parcel.needs if need.is_settled],
            "versions": dict(versions),
            "provenance": dict(provenance),
        }
        shelf = cls(folder=out, terms=json.loads(json.dumps(terms)))
        policy = parcel.campaign["planner"]["policy"]
        return cls(folder=out / f"{policy}-{shelf.fingerprint[:8]}", terms=shelf.terms)

    def opened(self) -> None:
        """Make the folder.

        Raises:
            InputError: There is a file where it should be.
            StorageError: It cannot be written.
        """
        for path in (self.folder, *self.folder.parents):
            if path.exists() and not path.is_dir():
                raise InputError(f"{path} is a file; name a directory with --out, in which results are kept")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_durably(self.folder / _TERMS, (json.dumps(self.terms, indent=1, sort_keys=True) + "\n").encode())
        except OSError as error:
            raise StorageError(f"{self.folder} cannot be written ({error.strerror}); name another --out") from error

    def file(self, seed: int) -> Path:
        """Return where the result of a seed is kept."""
        return self.folder / f"seed-{seed:04d}.json"

    def kept(self, seed: int) -> dict[str, Any] | None:
        """Return a result that is kept; None where it is missing, damaged, or of other terms."""
        try:
            found = json.loads(self.file(seed).read_text(encoding="utf-8"))
            if found["fingerprint"] != self.fingerprint or found["result"]["seed"] != seed:
                return None
            return found["result"]
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def keep(self, seed: int, result: Mapping[str, Any]) -> None:
        """Keep a result; its file is whole or absent, and on the disk.

        Raises:
            StorageError: It cannot be written; carries where.
        """
        value = {"format": FORMAT, "fingerprint": self.fingerprint, "result": result}
        try:
            write_durably(self.file(seed), (json.dumps(value, allow_nan=False) + "\n").encode())
        except OSError as error:
            raise StorageError(
                f"cannot write {self.file(seed)}: {error.strerror}; results so far are kept, make room and give the "
                "same command again"
            ) from error

    def others(self) -> str:
        """Say what was run lately under other terms in folders beside this one; empty: nothing was."""
        lines: list[str] = []
        beside = [folder for folder in self.folder.parent.glob("*/") if (folder / _TERMS).exists()]
        for folder in sorted(beside, key=lambda one: one.stat().st_mtime, reverse=True)[:_LATELY]:
            count = len(list(folder.glob("seed-*.json")))
            if folder == self.folder or not count:
                continue
            try:
                differs = list(_differences(self.terms, json.loads((folder / _TERMS).read_text(encoding="utf-8"))))
            except (OSError, ValueError):
                continue
            more = f" and {len(differs) - _SHOWN} more" if len(differs) > _SHOWN else ""
            lines.append(f"{count} in {folder} (other {', '.join(differs[:_SHOWN])}{more})")
        return "; ".join(lines)


def _differences(here: Any, there: Any, name: str = "") -> Iterator[str]:
    """Yield the keys by which two series differ."""
    if isinstance(here, Mapping) and isinstance(there, Mapping):
        for key in sorted({*here, *there}):
            yield from _differences(here.get(key), there.get(key), f"{name}.{key}" if name else key)
    elif here != there:
        yield name
