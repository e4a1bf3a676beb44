"""Identify the phases of diffraction patterns: the way from a scan to an `Identification`."""

from __future__ import annotations

import difflib
import itertools
import math
import multiprocessing
import os
import signal
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.metadata import version
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from surrogate.formats import FormatError, read_file
from surrogate.formats.record import Radiation, Scan
from surrogate.xrd.amorphous import amorphous
from surrogate.xrd.atlas import make_atlas
from surrogate.xrd.calibration import N_LEFT, Calibration, sets_of, shipped
from surrogate.xrd.claims import (
    bent_by,
    chances_of_phases,
    claims_of,
    curves_of,
    misfit,
    remarks,
    signal_to_noise,
    unseen,
)
from surrogate.xrd.families import families, one_of_each_family
from surrogate.xrd.formats.source import misfit as radiation_misfit
from surrogate.xrd.gates import excess, gates
from surrogate.xrd.ghosts import without_ghosts
from surrogate.xrd.hypothesis import Hypothesis, SearchSettings
from surrogate.xrd.leaving import at_work, processes, watch
from surrogate.xrd.library import Library
from surrogate.xrd.network_proposals import Proposed, Proposer, make_proposer
from surrogate.xrd.pattern import Pattern, Unusable, make_pattern
from surrogate.xrd.phase import Phase
from surrogate.xrd.quantify import agreement
from surrogate.xrd.reflections import TooLarge
from surrogate.xrd.residual import Leftover, leftover
from surrogate.xrd.result import Alternative, Identification
from surrogate.xrd.search import Searcher
from surrogate.xrd.verdict import judge

Array = NDArray[np.floating[Any]]

VERSION = "5"
"""Changes when the same file and library would give other numbers."""
MOST_ALTERNATIVES = 8
IN_FLIGHT = 4
"""Files that are handed out beforehand, for each worker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to identify."""

    max_phases: int = 5
    wavelength_angstrom: float | None = None
    """In place of the file's."""
    tables: Path | None = None
    """A folder that keeps reflection tables by content; `default_tables` names the user's."""
    prior_odds: Mapping[str, float] | None = None
    """Logarithms of odds by phase name, from the recipe's chemistry or a network, in place of the usual ones."""
    network: Path | None = None
    """A file of `surrogate.xrd.network.save_network`: what it proposes is tried too. Each process reads it once."""


class Identifier:
    """Identifies patterns with one library.

    Raises:
        ValueError: Prior odds name no phase of the library, or are no numbers.
        WrongNetwork: A ValueError: the network cannot be read, or can propose nothing here.
    """

    def __init__(
        self, library: Library, *, settings: Settings = Settings(), calibration: Calibration | None = None
    ) -> None:
        if problem := _odds_problem(library, settings.prior_odds or {}):
            raise ValueError(problem)
        self.library = library
        self.settings = settings
        self.calibration = calibration or shipped()
        self.proposer: Proposer | None = None
        if (file := settings.network) is not None:
            self.proposer = make_proposer(file, library, wavelength_angstrom=settings.wavelength_angstrom)
        self._searcher = lru_cache(maxsize=8)(self._make_searcher)

    def identify(self, scan: Scan, *, file: str = "", curves: bool = True) -> Identification:
        """Identify one scan; what cannot be used has the verdict ``unusable`` and says why."""
        began_s = time.process_time()
        try:
            pattern = make_pattern(scan, wavelength_angstrom=self.settings.wavelength_angstrom)
            _, left_out = self._searcher(pattern.radiation, _limit_deg(pattern))
        except Unusable as error:
            return Identification(file=file, verdict="unusable", reasons=(str(error),))
        found = self._identified(pattern, file, curves=curves, notes=(*pattern.warnings, *left_out))
        return replace(found, seconds=time.process_time() - began_s)

    def identify_file(self, path: Path, *, curves: bool = True) -> list[Identification]:
        """Identify all scans of a file; a file that cannot be read gives one ``unusable``."""
        try:
            file = read_file(path)
        except (FormatError, OSError) as error:
            return [Identification(file=str(path), verdict="unusable", reasons=(_sentence(error),))]
        several = len(file.scans) > 1
        origin = {"sha256": file.sha256, "format": file.format, "reader": f"{file.reader} {file.version}"}
        found = []
        for number, scan in enumerate(file.scans, start=1):
            name = f"{path}#{number}" if several else str(path)
            one = self.identify(scan, file=name, curves=curves)
            more = [warning for warning in file.warnings if not any(warning in reason for reason in one.reasons)]
            found.append(replace(one, reasons=(*one.reasons, *more), provenance={**origin, **one.provenance}))
        return found

    def identify_files(
        self, paths: Iterable[Path], *, workers: int = 1, curves: bool = False
    ) -> Iterator[Identification]:
        """Identify file after file, in order and as they are done; a bad one does not stop the rest."""
        if workers <= 1:
            for path in paths:
                yield from self._guarded(path, curves=curves)
            return
        rest = iter(paths)
        while True:
            lost: list[Path] = []
            yield from self._shared(rest, workers, lost, curves=curves)
            if not lost:
                return
            yield from self._one_by_one(deque(lost), curves=curves)

    def _pool(self, workers: int) -> AbstractContextManager[ProcessPoolExecutor]:
        context = multiprocessing.get_context("spawn")
        return processes(workers, context, _begin, (self.library, self.settings, self.calibration))

    def _shared(
        self, rest: Iterator[Path], workers: int, lost: list[Path], *, curves: bool
    ) -> Iterator[Identification]:
        """Identify files in several processes; when one dies, name the files that were in flight."""
        pending: deque[tuple[Path, Future[list[Identification]]]] = deque()
        with self._pool(workers) as pool:
            path = None
            try:
                for path in itertools.chain(rest, [None]):
                    if path is not None:
                        pending.append((path, pool.submit(_work, path, curves)))
                    while pending and (path is None or len(pending) > IN_FLIGHT * workers):
                        found = pending[0][1].result()
                        pending.popleft()
                        yield from found
            except BrokenProcessPool:
                lost += [one for one, _ in pending]
                if path is not None and path not in lost:
                    lost.append(path)
            finally:
                for _, future in pending:
                    future.cancel()

    def _one_by_one(self, paths: deque[Path], *, curves: bool) -> Iterator[Identification]:
        """Identify files in one process, so that it is known which one it died of."""
        while paths:
            with self._pool(1) as pool:
                try:
                    while paths:
                        found = pool.submit(_work, paths[0], curves).result()
                        paths.popleft()
                        yield from found
                except BrokenProcessPool:
                    reason = "the process that worked on it died, for want of memory perhaps; the other files are done"
                    yield Identification(file=str(paths.popleft()), verdict="unusable", reasons=(reason,))

    def _guarded(self, path: Path, *, curves: bool) -> list[Identification]:
        """Identify a file as the supervisor of many: whatever goes wrong is told in its place."""
        try:
            return self.identify_file(path, curves=curves)
        except Exception as error:  # the supervisor of a series: one pattern must not stop thousands
            reason = f"a defect of labpilot ({type(error).__name__}: {error}); please report it with the file"
            return [Identification(file=str(path), verdict="unusable", reasons=(reason,))]

    def _make_searcher(self, radiation: Radiation, highest_deg: float) -> tuple[Searcher, tuple[str, ...]]:
        phases, left_out = _usable(self.library.phases, radiation, highest_deg, self.settings.tables)
        atlas = make_atlas(phases, radiation=radiation, highest_deg=highest_deg, folder=self.settings.tables)
        settings = SearchSettings(max_phases=self.settings.max_phases)
        odds = None
        if self.settings.prior_odds is not None:
            given = self.settings.prior_odds
            odds = np.array([given.get(phase.name, settings.log_prior_odds) for phase in phases])
        return Searcher(atlas, settings=settings, log_odds=odds, families=families(phases)), left_out

    def searcher(self, pattern: Pattern) -> Searcher:
        """Return what searches patterns of this radiation and range; made once."""
        return self._searcher(pattern.radiation, _limit_deg(pattern))[0]

    def proposed(self, pattern: Pattern, searcher: Searcher) -> Proposed:
        """Return what the network proposes; nothing if there is none."""
        return Proposed() if self.proposer is None else self.proposer.proposed(pattern, searcher.atlas.phases)

    def left_over(self, pattern: Pattern, searcher: Searcher, best: Hypothesis) -> Leftover:
        """Return what a hypothesis leaves unexplained."""
        model, background = searcher.model(pattern, best)
        return leftover(pattern, model, background, bent=bent_by(searcher.atlas, best))

    def _identified(self, pattern: Pattern, file: str, *, curves: bool, notes: Sequence[str]) -> Identification:
        searcher = self.searcher(pattern)
        proposed = self.proposed(pattern, searcher)
        tried = one_of_each_family(searcher.search(pattern, proposed=proposed.phases), searcher.families)
        leftovers = [self.left_over(pattern, searcher, one) for one in tried[:N_LEFT]]
        sets, signal, unfit = sets_of(tried, leftovers), signal_to_noise(pattern), misfit(pattern, tried[0])
        chance = self.calibration.set_probabilities(sets, signal, unfit)
        unknown = self.calibration.unknown_probability(sets, signal, unfit)
        order = np.argsort(-chance, kind="stable")
        hypotheses, chance = [tried[at] for at in order], chance[order]
        best, first = hypotheses[0], int(order[0])
        model, background = searcher.model(pattern, best)
        left = leftovers[first] if first < len(leftovers) else self.left_over(pattern, searcher, best)
        by_phase = chances_of_phases(hypotheses, chance, searcher.atlas.n_phases)
        claims, found = claims_of(searcher.atlas, best, by_phase, pattern)
        alternatives = tuple(
            Alternative(
                phases=tuple(searcher.atlas.phases[one].name for one in hypothesis.phases), probability=float(p)
            )
            for hypothesis, p in zip(hypotheses[:MOST_ALTERNATIVES], chance, strict=False)
        )
        n_free = 0 if best.fitted is None else int((torch.diagonal(best.fitted.hessian[0]) != 1.0).sum())
        rwp, rexp, gof = agreement(pattern.intensity, model, pattern.variance, n_free)
        over = excess(pattern.two_theta_deg, pattern.intensity, model, background, pattern.variance)
        humps = amorphous(pattern, model - background)
        strange = without_ghosts(left.peaks, pattern, model, background)
        judged = judge(
            claims,
            alternatives,
            unknown_probability=unknown,
            unknown_peaks=left.peaks,
            amorphous_fraction=humps.fraction,
            warnings=(*remarks(searcher, found), *notes, *proposed.notes, *unseen(searcher.atlas, pattern)),
            radiation_doubt=radiation_misfit(pattern.radiation.anode, pattern.radiation.wavelength_angstrom[0]),
        )
        zero, displacement = (0.0, 0.0)
        if best.fitted is not None and best.phases:
            zero, displacement = (float(one) for one in best.fitted.parameters.shared[0, :2])
        return Identification(
            file=file,
            verdict=judged.verdict,
            reasons=judged.reasons,
            phases=claims,
            alternatives=alternatives,
            unknown_probability=unknown,
            unknown_peaks=left.peaks,
            amorphous_fraction=humps.fraction,
            amorphous_interval=humps.interval,
            rwp=rwp,
            rexp=rexp,
            gof=gof,
            zero_deg=zero,
            displacement_deg=displacement,
            gates=gates(searcher.atlas, found, alternatives, strange, rwp=rwp, gof=gof, over=over) if claims else (),
            provenance=self._provenance(pattern),
            curves=curves_of(pattern, searcher.atlas, best, model, background) if curves else None,
        )

    def _provenance(self, pattern: Pattern) -> dict[str, object]:
        return {
            "wavelength_angstrom": list(pattern.radiation.wavelength_angstrom),
            "library": self.library.key,
            "identify": VERSION,
            "labpilot": version("labpilot"),
            "calibration": str(self.calibration.made_by.get("command", "own")),
            "max_phases": self.settings.max_phases,
            **({} if self.proposer is None else {"network": self.proposer.sha256}),
        }


def _odds_problem(library: Library, odds: Mapping[str, float]) -> str:
    names = [phase.name for phase in library.phases]
    for name, value in odds.items():
        if name not in names:
            close = difflib.get_close_matches(name, names, n=1)
            return f"prior_odds: no phase is called {name!r}" + (f"; did you mean {close[0]!r}?" if close else "")
        if not math.isfinite(value):
            return f"prior_odds: the logarithm of the odds of {name} is {value}; give a finite number"
    return ""


def default_tables() -> Path:
    """Return the user's folder of reflection tables."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "labpilot" / "reflections"


def _limit_deg(pattern: Pattern) -> float:
    """Return how far reflections are needed, in steps of ten degrees, so that scans alike share their tables."""
    return min(10.0 * float(np.ceil((pattern.two_theta_deg[-1] + 3.0) / 10.0)), 170.0)


def _usable(
    phases: Sequence[Phase], radiation: Radiation, highest_deg: float, tables: Path | None
) -> tuple[tuple[Phase, ...], tuple[str, ...]]:
    """Return the phases that have reflections in range, and what was left out."""
    kept, left_out = [], []
    for phase in phases:
        try:
            make_atlas([phase], radiation=radiation, highest_deg=highest_deg, folder=tables)
        except (TooLarge, ValueError) as error:
            left_out.append(f"{phase.name} was left out: {error}")
        else:
            kept.append(phase)
    return tuple(kept), tuple(left_out)


def _sentence(error: Exception) -> str:
    return f"it cannot be read: {error.strerror}" if isinstance(error, OSError) and error.strerror else str(error)


_worker: list[Identifier] = []
"""The identifier of a worker process."""


def _begin(library: Library, settings: Settings, calibration: Calibration, watched: Connection) -> None:
    """Prepare a worker process: Ctrl-C is for its parent, and one core is enough."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    watch(watched)
    torch.set_num_threads(1)
    _worker[:] = [Identifier(library, settings=settings, calibration=calibration)]


def _work(path: Path, curves: bool) -> list[Identification]:
    return at_work(lambda: _worker[0]._guarded(path, curves=curves), [])


__all__ = ["Identifier", "Leftover", "Settings", "default_tables"]
