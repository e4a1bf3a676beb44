"""A laboratory out of a table of measured results.

As a *pool* it answers for the settings that were measured, and draws each answer from the real repeats. As an
*emulator* it answers for every setting within the measured range, by a regression with the table's noise and failures;
how far that can be trusted (its cross-validated error) goes with its identity and with `ReplayLab.describe`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from simulators.instruments.base import Now
from simulators.instruments.bench import BenchInstrument
from simulators.replay_bench import EmulatorBench, PoolBench, emulator, named, provenance
from simulators.replay_options import ReplayOptions, TableProblems, Value, read_options
from simulators.replay_table import Table, read_table
from simulators.world import Instrument, WorldFile, claim


class ReplayLab:
    """The world of a measured table: one robot bench, ``sim:replay/robot``."""

    def __init__(self, *, state: WorldFile, clock: Now, seed: int, options: Mapping[str, Any]) -> None:
        """Read the table and, for an emulator, fit it.

        Raises:
            TableProblems: The options or the table cannot be used, or this is not the table that the world began with.
            ValueError: The file belongs to another world.
        """
        told = read_options(options)
        table = read_table(told)
        _check_same_table(state, told, table)
        claim(state, "replay", seed=seed, options={"mode": told.mode}, began_s=clock.now_s())
        self._state = state
        bench = PoolBench(told, table, seed) if told.mode == "pool" else EmulatorBench(told, table, seed)
        self.provenance = bench.provenance
        """Where the answers come from, as `describe` says it."""
        self.instruments: Mapping[str, Instrument] = {
            "robot": BenchInstrument(bench, name="robot", state=state, clock=clock)
        }

    @property
    def latest_s(self) -> float:
        """When an instrument last did something."""
        return self._state.latest_s

    def close(self) -> None:
        """Release the world's file."""
        self._state.close()

    @classmethod
    def open(cls, path: Path, *, clock: Now, seed: int, options: Mapping[str, Any]) -> ReplayLab:
        """Construct the world on its state file; arguments and errors as in the constructor."""
        with ExitStack() as undo:
            state = WorldFile(path)
            undo.callback(state.close)
            lab = cls(state=state, clock=clock, seed=seed, options=options)
            undo.pop_all()
        return lab

    @classmethod
    def check(cls, options: Mapping[str, Any]) -> list[str]:
        """Return everything that is wrong with the options and the table, as sentences; fits nothing."""
        try:
            read_table(read_options(options))
        except TableProblems as error:
            return error.problems
        return []

    @classmethod
    def pool(cls, options: Mapping[str, Any]) -> list[dict[str, Value]] | None:
        """Return the measured conditions that lie in the campaign's search space; None for an emulator.

        Raises:
            TableProblems: See `check`.
        """
        told = read_options(options)
        if told.mode != "pool":
            return None
        table = read_table(told)
        return [dict(table.conditions[i]) for i in table.admissible]

    @classmethod
    def describe(cls, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return the provenance in plain JSON values, sentences for a person under `summary`; fits the emulator.

        Raises:
            TableProblems: See `check`.
        """
        told = read_options(options)
        return provenance(told, read_table(told))


class ReplayTruth:
    """The noiseless values of a replayed laboratory, for scorers and tests only."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        """Read the table.

        Raises:
            TableProblems: See `ReplayLab.check`.
        """
        self._told = read_options(options)
        self._table = read_table(self._told)

    def values(self, points: Sequence[Mapping[str, Value]]) -> list[dict[str, float]]:
        """Return the mean over the repeats (pool) or the emulator's mean at each point; empty where unknown."""
        if not points:
            return []
        if self._told.mode == "emulator":
            return emulator(self._told, self._table.sha256).means(points)
        return [self._mean_of_repeats(point) for point in points]

    def measured(self) -> list[dict[str, float]]:
        """Return the values at every measured condition in the search space that has a result."""
        known = [i for i in self._table.admissible if self._table.good_counts[i]]
        return self.values([self._table.conditions[i] for i in known])

    def _mean_of_repeats(self, point: Mapping[str, Value]) -> dict[str, float]:
        found = self._table.find(point)
        if found is None or not self._table.good_counts[found]:
            return {}
        return named(self._table, self._table.means[found])


def _check_same_table(state: WorldFile, told: ReplayOptions, table: Table) -> None:
    began_with = state.get("replay/table_sha256")
    if began_with is None:
        state.update({"replay/table_sha256": table.sha256})
    elif began_with != table.sha256:
        raise TableProblems(
            [
                f"table {told.table}: the file is not the one that this campaign began with (SHA-256 "
                f"{table.sha256[:12]} instead of {began_with[:12]}); give back that file, or start a new campaign"
            ]
        )
