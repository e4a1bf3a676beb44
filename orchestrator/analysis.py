"""Analyses: measurements of one trial handed to a pure function of `surrogate`, by the name in the campaign file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.campaign import Campaign
from orchestrator.measurements import MeasurementFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """One analysis bound to a campaign's options."""

    name: str
    version: str
    options: Mapping[str, Any]
    function: Any
    targets: tuple[str, ...] = ()
    """The campaign's objectives, which it must yield."""

    @classmethod
    def of(cls, campaign: Campaign) -> Analysis:
        """Find the analysis that a campaign names."""
        from surrogate import ANALYSES

        found = ANALYSES[campaign.analysis.kind]
        return cls(
            name=campaign.analysis.kind,
            version=found.version,
            options=campaign.analysis.options,
            function=found,
            targets=tuple(objective.name for objective in campaign.objectives),
        )

    @property
    def label(self) -> str:
        """Name and version, for provenance."""
        return f"{self.name} {self.version}"

    def missing(self, result: Any) -> str:
        """Say which objective a result says nothing of, and what it has instead; nothing where all are there."""
        given = {name for finding in result.findings for name in (*finding.values, *finding.fingerprints)}
        lacking = [target for target in self.targets if target not in given]
        if not lacking:
            return ""
        told = ", ".join(sorted(given)) or "nothing"
        return (
            f"the analysis {self.label} gives no value of {lacking[0]!r}; it gives {told}. Name the objective so, or "
            "rename the value in the campaign's analysis (values)"
        )

    @property
    def is_heavy(self) -> bool:
        """Say whether it is one of `surrogate`'s that may take its time."""
        from surrogate import ANALYSES

        return self.function is ANALYSES.get(self.name) and not self.function.is_quick

    def of_trial(self, measurements: Sequence[MeasurementFile], parameters: Mapping[str, Any]) -> Any:
        """Return the `surrogate.AnalysisResult` of one trial."""
        return self.function(self.data_of(measurements), options=self.options_of(parameters))

    @staticmethod
    def data_of(measurements: Sequence[MeasurementFile]) -> list[Any]:
        """Return measurements as `surrogate.MeasurementData`."""
        from surrogate import MeasurementData

        return [MeasurementData(kind=item.kind, arrays=item.arrays, metadata=item.metadata) for item in measurements]

    def options_of(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return the options for a trial."""
        return {**self.options, "parameters": dict(parameters)}
