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

    @classmethod
    def of(cls, campaign: Campaign) -> Analysis:
        """Find the analysis that a campaign names."""
        from surrogate import ANALYSES

        found = ANALYSES[campaign.analysis.kind]
        return cls(
            name=campaign.analysis.kind, version=found.version, options=campaign.analysis.options, function=found
        )

    @property
    def label(self) -> str:
        """Name and version, for provenance."""
        return f"{self.name} {self.version}"

    def of_trial(self, measurements: Sequence[MeasurementFile], parameters: Mapping[str, Any]) -> Any:
        """Return the `surrogate.AnalysisResult` of one trial."""
        from surrogate import MeasurementData

        data = [MeasurementData(kind=item.kind, arrays=item.arrays, metadata=item.metadata) for item in measurements]
        return self.function(data, options={**self.options, "parameters": dict(parameters)})
