"""Which phases a network proposes for a pattern, out of the library of whoever asks; evidence decides about them.

A network may have been trained for another library: it proposes the phases that both have, by content (a phase may have
another name) or else by name. A pattern at another wavelength, or of less than the range that it learnt from, gets no
proposals and a note that says so: the search then screens as it does without a network.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from surrogate.model_file import sha256_of
from surrogate.xrd.library import Library
from surrogate.xrd.network import PhaseNetwork, load_network
from surrogate.xrd.network_file import WrongNetwork
from surrogate.xrd.network_input import MUST_SEE_PER_ANGSTROM
from surrogate.xrd.pattern import Pattern
from surrogate.xrd.phase import Phase

MOST = 4
"""Proposals for one pattern."""
LEAST_PROBABILITY = 0.02
"""Of a proposal."""
FEW = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposed:
    """What a network says of a pattern."""

    phases: tuple[int, ...] = ()
    """Indices into the phases that were asked about, the most probable first."""
    notes: tuple[str, ...] = ()
    """Why there are none, where the network cannot say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposer:
    """A network, and where the phases of a library stand in it."""

    network: PhaseNetwork
    sha256: str
    """Of the network's file."""
    outputs: Mapping[str, int]
    """Of the network, by the name that the library gives to a phase; phases that it does not know are not here."""
    note: str
    """What of the library it does not know; empty if nothing."""

    def proposed(self, pattern: Pattern, phases: Sequence[Phase]) -> Proposed:
        """Return which of some phases of the library a pattern may hold."""
        try:
            self.network.check_wavelength(pattern.radiation.wavelength_angstrom[0])
            _check_range(pattern)
        except WrongNetwork as error:
            return Proposed(notes=(f"the network proposed nothing: {error}",))
        said = self.network.propose(pattern).probability
        chance = np.array([said[self.outputs[one.name]] if one.name in self.outputs else 0.0 for one in phases])
        best = np.argsort(-chance, kind="stable")[:MOST]
        return Proposed(phases=tuple(int(one) for one in best if chance[one] >= LEAST_PROBABILITY))


def _check_range(pattern: Pattern) -> None:
    """Refuse a pattern that shows too little.

    Raises:
        WrongNetwork: It does.
    """
    wavelength = pattern.radiation.wavelength_angstrom[0]
    begin, end = (math.degrees(2.0 * math.asin(one * wavelength / 2.0)) for one in MUST_SEE_PER_ANGSTROM)
    low, high = float(pattern.two_theta_deg[0]), float(pattern.two_theta_deg[-1])
    if low > begin or high < end:
        raise WrongNetwork(
            f"it has to see {begin:.1f} to {end:.1f} deg, and the pattern goes from {low:.1f} to {high:.1f}"
        )


def make_proposer(path: Path, library: Library, *, wavelength_angstrom: float | None = None) -> Proposer:
    """Read a network and find a library's phases in it.

    Args:
        path: What `surrogate.xrd.network.save_network` wrote.
        library: Of the phases that are looked for.
        wavelength_angstrom: Of all patterns, if they do not name theirs.

    Raises:
        WrongNetwork: The file holds no network, or one that can propose nothing here.
    """
    try:
        sha256, network = sha256_of(path), load_network(path)
    except OSError as error:
        raise WrongNetwork(f"the network {path} cannot be read: {error.strerror or error}") from error
    if wavelength_angstrom is not None:
        network.check_wavelength(wavelength_angstrom)
    outputs, changed = _outputs(network, library)
    if not outputs:
        raise WrongNetwork(
            f"the network {path} knows none of the library's {len(library.phases)} phases (it knows "
            f"{_some(network.names)}); train one for this library, or go on without one"
        )
    return Proposer(network=network, sha256=sha256, outputs=outputs, note=_note(library, outputs, changed))


def _outputs(network: PhaseNetwork, library: Library) -> tuple[dict[str, int], list[str]]:
    """Return the outputs of a library's phases, and which of these are other structures of the same name."""
    by_name = {name: number for number, name in enumerate(network.names)}
    keys: Mapping[str, str] = network.facts.get("phase_keys", {})
    by_key = {key: by_name[name] for name, key in keys.items()}
    outputs, changed = {}, []
    for phase in library.phases:
        number = by_key.get(phase.key, by_name.get(phase.name))
        if number is None:
            continue
        outputs[phase.name] = number
        if keys and phase.key not in by_key:
            changed.append(phase.name)
    return outputs, changed


def _note(library: Library, outputs: Mapping[str, int], changed: Sequence[str]) -> str:
    unknown = [phase.name for phase in library.phases if phase.name not in outputs]
    parts = []
    if unknown:
        parts.append(
            f"the network knows {len(outputs)} of the library's {len(library.phases)} phases; it never proposes "
            f"{_some(unknown)}"
        )
    if changed:
        parts.append(f"the network was trained with other structures of {_some(changed)}")
    return "; ".join(parts)


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - FEW} more" if len(names) > FEW else ""
    return ", ".join(names[:FEW]) + more
