"""The library of crystal phases that patterns are compared with."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from surrogate.xrd.phase import CrystalSystem, Phase, Site, UniqueAxis

__all__ = ["CrystalSystem", "Library", "Phase", "Rejected", "Site", "UniqueAxis", "embedded_library", "load_library"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """A file, or a block of one, that the library could not take."""

    file: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """Phases with unique names, and what became of the rest."""

    phases: tuple[Phase, ...]
    rejected: tuple[Rejected, ...] = ()
    merged: tuple[tuple[str, str], ...] = ()
    """(name of a duplicate, name of the phase that was kept)."""
    key: str = field(init=False)
    """SHA-256 of the names and keys of all phases."""

    def __post_init__(self) -> None:
        text = repr(sorted((phase.name, phase.key) for phase in self.phases))
        object.__setattr__(self, "key", hashlib.sha256(text.encode()).hexdigest())

    def within(self, chemistry: Sequence[str]) -> Library:
        """Return the library of those phases that are made of these elements only.

        Nothing is added: name O, H or C where air, water or carbonate can take part.
        """
        allowed = frozenset(chemistry)
        return replace(self, phases=tuple(phase for phase in self.phases if phase.elements <= allowed))


def embedded_library(names: Sequence[str] | None = None) -> Library:
    """Return the phases that are shipped with labpilot, all or those named."""
    raise NotImplementedError


def load_library(folder: Path, *, chemistry: Sequence[str] | None = None) -> Library:
    """Read all CIF files of a folder."""
    raise NotImplementedError
