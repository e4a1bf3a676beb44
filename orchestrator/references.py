"""References: the mirror and blank spectra that a reflectance needs, measured again when they are too old."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from drivers.clock import Clock
from orchestrator.measurements import MeasurementFile
from orchestrator.outcomes import Done
from orchestrator.plan import Reference
from orchestrator.runner import Runner


@dataclass(slots=True)
class References:
    """The newest measurement of each role."""

    clock: Clock
    latest: dict[str, MeasurementFile] = field(default_factory=dict)
    chosen: dict[str, Sequence[MeasurementFile]] = field(default_factory=dict)
    """What trials that a restart found open had found young enough, by trial and path."""

    async def measured(self, runner: Runner, trial: int, node: Reference) -> Sequence[MeasurementFile]:
        """Return the references for a trial: the latest, measured again first if one is too old or missing."""
        key = f"{trial:06d}.{node.path}"
        if key in self.chosen:  # they may have grown too old since; the trial goes on with what it began with
            return self.chosen[key]
        roles = {act.measure.role for act in node.acts if act.measure is not None}
        if self._are_young(roles, node.max_age_s) and not runner.has_begun(trial, node.acts):
            return self._choose(runner, trial, node, roles)
        for act in node.acts:
            self._note(await runner.act(trial, act))
        return [self.latest[role] for role in sorted(roles)]

    def _choose(self, runner: Runner, trial: int, node: Reference, roles: set[str]) -> Sequence[MeasurementFile]:
        found = [self.latest[role] for role in sorted(roles)]
        ids = [item.metadata["command_id"] for item in found]
        is_durable = not self.clock.is_virtual
        runner.journal.append(
            "references_chosen", {"measurements": ids}, trial=trial, step=node.path, durable=is_durable
        )
        return found

    def _note(self, done: Done) -> None:
        if done.measurement is not None:
            self.latest[done.measurement.metadata["role"]] = done.measurement

    def _are_young(self, roles: set[str], max_age_s: float) -> bool:
        ages = [self._age_s(self.latest[role]) for role in roles if role in self.latest]
        return len(ages) == len(roles) and max(ages, default=0.0) <= max_age_s

    def _age_s(self, measurement: MeasurementFile) -> float:
        return self.clock.now_s() - float(measurement.metadata["taken_s"])
