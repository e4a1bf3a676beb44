"""Options of the policy of reactions, and the precursor sets that a space is made of."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from planner.errors import BadOption
from planner.policies.options import Choice, Range, option

if TYPE_CHECKING:
    from surrogate.reactions.substances import Table


@dataclass(frozen=True, slots=True)
class _Given:
    """A value of one of some kinds, in words."""

    kinds: tuple[type, ...]
    words: str

    def problem(self, value: Any) -> str | None:
        """Say what is wrong with a value."""
        return None if isinstance(value, self.kinds) and value else f"must be {self.words}, not {value!r}"


@dataclass(frozen=True, slots=True)
class ReactionsOptions:
    """Options of `Reactions`."""

    target: str | None = option(None, _Given((str,), "the name of a phase"))  # type: ignore[arg-type]
    """The phase that is wanted, by its name in the table; must be given."""
    table: Any = option(None, _Given((str, list, tuple), "a path of a file, or a list of rows"))  # type: ignore[arg-type]
    """Energies: a CSV or JSON file, or rows as such a file has them; the shipped table where left out."""
    table_sha256: str | None = option(None, _Given((str,), "the SHA-256 of the file, in hexadecimal"))  # type: ignore[arg-type]
    """Of the table's file, which is refused where it has changed since."""
    precursors: str = option("precursors", _Given((str,), "the name of a parameter"))  # type: ignore[arg-type]
    """The categorical parameter whose levels are sets, such as `BaCO3 + TiO2`."""
    temperature: str = option("temperature", _Given((str,), "the name of a parameter"))  # type: ignore[arg-type]
    """The parameter that is the temperature, in degC."""
    hold_h: float = option(8.0, Range(0.01, 1000.0))
    """How long recipes are held, in hours."""
    atmosphere: str = option("air", Choice(("air", "oxygen", "inert", "carbon dioxide")))
    """The gas around the samples."""
    wanted: float = option(0.5, Range(0.01, 1.0))
    """The yield that is aimed at, as a weight fraction."""
    goal: str = option("best", Choice(("best", "routes")))
    """One good recipe, then better ones; or every recipe that reaches what is wanted."""
    explore: float = option(0.3, Range(0.0, 10.0))
    """Worth of a standard deviation of the yield, in probabilities of success."""


def precursor_levels(
    target: str, precursors: Sequence[str], table: str | Path | Sequence[Mapping[str, Any]] | None = None
) -> list[str]:
    """Return the balanced precursor sets of a target, as levels of a categorical parameter.

    Args:
        target: name of the phase that is wanted.
        precursors: names of the phases at hand.
        table: energies; the shipped table where left out.

    Raises:
        BadOption: The table has no such phase, or no set balances; says why.
    """
    from surrogate.reactions.errors import ReactionError
    from surrogate.reactions.precursors import precursor_sets

    try:
        return [one.name for one in precursor_sets(table_of(table), target, precursors)]
    except ReactionError as error:
        raise BadOption(str(error)) from error


def table_of(given: Any, sha256: str | None = None) -> Table:
    """Return the table that an option gives: a path, rows, or the shipped one.

    Raises:
        BadTable: It is no table, or another than it was; says why.
    """
    from surrogate.reactions.substances import read_rows, read_table, shipped_table

    if sha256 is not None:
        _refuse_changed(given, sha256)
    if given is None:
        return shipped_table()
    return read_table(given) if isinstance(given, str | Path) else read_rows(given)


def _refuse_changed(given: Any, sha256: str) -> None:
    from surrogate.reactions.errors import BadTable

    if not isinstance(given, str | Path):
        raise BadTable(
            "option 'table_sha256' is that of a file: give its path as option 'table', or leave the hash out"
        )
    try:
        found = hashlib.sha256(Path(given).read_bytes()).hexdigest()
    except OSError as error:
        raise BadTable(f"{given}: cannot be read ({error})") from error
    if found != sha256.lower():
        raise BadTable(
            f"{given} was changed (its SHA-256 is {found[:12]}... and was {sha256[:12].lower()}...): put the file "
            "back, or begin anew with this one"
        )
