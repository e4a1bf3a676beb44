"""What `labpilot identify` says: where it stands, each pattern in a few lines, the library's losses, the end."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from surrogate.xrd import words
from surrogate.xrd.result import Alternative, Identification, PhaseClaim

if TYPE_CHECKING:
    from surrogate.xrd.library import Library

STYLES = {
    "identified": "green",
    "cannot tell": "yellow",
    "unknown phase present": "magenta",
    "amorphous": "magenta",
    "no crystalline phase": "cyan",
    "unusable": "red",
}
FEW = 3
"""Of a long list, so many are told by name."""
MOST_PEAKS = 5
SURE = 0.9
"""Probability of the best phase set from which the others are not told on the terminal."""
LINE_EVERY_S = 30.0
"""Where stderr is no terminal, a line of progress comes so often."""


class Teller:
    """Prints identifications as they come, with a bar of progress on stderr."""

    def __init__(self, total: int, *, is_quiet: bool) -> None:
        errors = Console(stderr=True)
        columns = (
            TextColumn("identifying"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[now]}", markup=False),
        )
        # what goes to a file or a pipe must not be taken for the bar's terminal, hence no redirection
        self._bar = Progress(
            *columns, console=errors, transient=True, disable=not errors.is_terminal, redirect_stdout=False
        )
        self._out = errors if errors.is_terminal and sys.stdout.isatty() else Console()
        self._task = self._bar.add_task("", total=total, now="")
        self._total, self._is_quiet = total, is_quiet
        self._told_at_s = time.monotonic()
        self.counts: Counter[str] = Counter()

    def __enter__(self) -> Teller:
        """Show the bar."""
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the bar away."""
        self._bar.stop()

    def tell(self, found: Identification) -> None:
        """Print one identification."""
        self.counts[found.verdict] += 1
        if not self._is_quiet:
            first, *rest = told(found)
            text = Text(first, style=f"bold {STYLES[found.verdict]}")
            self._out.print(Text("\n").join([text, *map(Text, rest)]), soft_wrap=True, highlight=False)
        self._bar.update(self._task, advance=1, now=found.file[-40:])
        self._tell_plainly()

    def _tell_plainly(self) -> None:
        now_s = time.monotonic()
        if self._bar.disable and now_s - self._told_at_s > LINE_EVERY_S:
            self._told_at_s = now_s
            print(f"{self.counts.total()} of {self._total} patterns", file=sys.stderr, flush=True)


def told(found: Identification) -> list[str]:
    """Return an identification as lines of text."""
    lines = [f"{found.file}: {found.verdict}", *map(_phase_line, found.phases)]
    if found.verdict != "unusable":
        lines.append("  " + _figures(found))
    if found.alternatives and (found.verdict == "cannot tell" or found.alternatives[0].probability < SURE):
        sets = [
            f"{' + '.join(one.phases) or 'no phase'} ({words.probability(one.probability)})"
            for one in found.alternatives
        ]
        lines += [f"  could be: {'; '.join(sets[:FEW])}"] if sets else []
    if found.unknown_peaks:
        lines.append("  " + _peaks(found))
    return [*lines, *(f"  - {reason}" for reason in found.reasons)]


def _phase_line(claim: PhaseClaim) -> str:
    formula = f" {claim.formula}" if claim.formula.lower() not in claim.name.lower() else ""
    cell = "  ".join(f"{one.name} {one.text}" for one in words.free_parameters(claim.cell, claim.reference_cell))
    note = "  solid solution" if claim.is_solid_solution else ""
    return f"  {claim.name}{formula}  P {words.probability(claim.probability)}  {words.weight(claim)}  {cell}{note}"


def _figures(found: Identification) -> str:
    parts = [
        f"Rwp {words.number(found.rwp)} %",
        f"GoF {words.number(found.gof)}",
        f"unknown phase {words.probability(found.unknown_probability)}",
    ]
    if found.amorphous_fraction is not None:
        parts.append(f"amorphous {words.share(found.amorphous_fraction)}")
    return "  ".join([*parts, f"{found.seconds:.2f} s"])


def _sets(alternatives: Sequence[Alternative]) -> str:
    return "; ".join(
        f"{' + '.join(one.phases) or 'no phase'} ({words.probability(one.probability)})" for one in alternatives
    )


def _peaks(found: Identification) -> str:
    highest = sorted(found.unknown_peaks, key=lambda peak: -peak.height_sigma)
    named = [f"{peak.d_angstrom:.3f} ({peak.height_sigma:.0f} sigma)" for peak in highest[:MOST_PEAKS]]
    more = f" and {len(highest) - MOST_PEAKS} more" if len(highest) > MOST_PEAKS else ""
    return f"not explained, d in angstrom: {', '.join(named)}{more}"


def library_losses(library: Library) -> list[str]:
    """Say what of a library was not taken, or taken once only."""
    notes = []
    if library.rejected:
        some = [f"{one.file}: {one.reason}" for one in library.rejected]
        notes.append(f"{_count(len(some), 'structure')} of the library could not be used: {_some(some, '; ')}")
    if library.merged:
        some = [f"{twin} is {kept}" for twin, kept in library.merged]
        notes.append(f"{_count(len(some), 'duplicate')} in the library count once: {_some(some, ', ')}")
    return notes


def all_losses(library: Library) -> list[str]:
    """Name all that `library_losses` only counts; nothing where it names all itself."""
    if max(len(library.rejected), len(library.merged)) <= FEW:
        return []
    rejected = [f"{one.file}: {one.reason}" for one in library.rejected]
    return [*rejected, *(f"{twin} is {kept}, and counts once" for twin, kept in library.merged)]


def library_dict(library: Library) -> dict[str, Any]:
    """Return what patterns were compared with, as JSON knows it: how many phases, and what was not taken."""
    return {
        "phases": len(library.phases),
        "rejected": [{"file": one.file, "reason": one.reason} for one in library.rejected],
        "merged": [{"name": twin, "kept": kept} for twin, kept in library.merged],
    }


def _some(items: Sequence[str], separator: str) -> str:
    more = f" and {len(items) - FEW} more" if len(items) > FEW else ""
    return separator.join(items[:FEW]) + more


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def summary(counts: Counter[str]) -> str:
    """Say how many patterns got which verdict."""
    return f"{_count(counts.total(), 'pattern')}: " + ", ".join(f"{n} {verdict}" for verdict, n in counts.most_common())
