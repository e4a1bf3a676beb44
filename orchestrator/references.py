"""References: the mirror and blank spectra that a reflectance needs, measured again when they are too old."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from drivers.clock import Clock
from orchestrator.measurements import MeasurementFile
from orchestrator.plan import Reference
from orchestrator.runner import Runner


@dataclass(slots=True)
class References:
    """The newest measurement of each role."""

    clock: Clock
    latest: dict[str, MeasurementFile] = field(default_factory=dict)

    async def measured(self, runner: Runner, trial: int, node: Reference) -> Sequence[MeasurementFile]:
        """Return the references for a trial: the latest, measured again first if one is too old or missing."""
        roles = {act.measure.role for act in node.acts if act.measure is not None}
        if not self._are_young(roles, node.max_age_s) or runner.has_begun(trial, node.acts):
            for act in node.acts:
                done = await runner.act(trial, act)
                if done.measurement is not None:
                    self.latest[done.measurement.metadata["role"]] = done.measurement
        return [self.latest[role] for role in sorted(roles)]

    def _are_young(self, roles: set[str], max_age_s: float) -> bool:
        ages = [self._age_s(self.latest[role].metadata) for role in roles if role in self.latest]
        return len(ages) == len(roles) and max(ages) <= max_age_s

    def _age_s(self, metadata: Mapping[str, object]) -> float:
        return self.clock.now_s() - float(str(metadata["taken_s"]))
