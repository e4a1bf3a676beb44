"""Analyses: versioned pure functions from the measurements of one trial to findings with uncertainty, or a reason.

An analysis is called as ``ANALYSES["stripe_gradient"](measurements, options=...)``, where options hold what the
campaign file says and, under ``parameters``, the trial's parameters (peak temperature in degC, dwell in us). The same
input gives the same output on every machine; a changed output needs a changed version. The functions are imported
when first called.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from numpy.typing import NDArray

Value = float | int | str


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasurementData:
    """One measurement as an analysis sees it."""

    kind: str
    """``spectrum``, ``image``, ``result``, ``reading`` or ``diffractogram``."""
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Values of targets at one point, with standard deviations where they are known."""

    parameters: Mapping[str, Value]
    values: Mapping[str, float]
    sd: Mapping[str, float] = field(default_factory=dict)
    fingerprints: Mapping[str, Sequence[float]] = field(default_factory=dict)
    """By target that is to be classified: channels of a pattern or spectrum, of one length in all trials."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisResult:
    """What the measurements of a trial say."""

    findings: tuple[Finding, ...] = ()
    values: Mapping[str, float] = field(default_factory=dict)
    """The trial in a few numbers."""
    cannot_tell: str | None = None
    """Why there are no findings, for a person to read."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """Arrays, numbers and texts for the report: curves, flags."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """An analysis by name; its module is imported when it is first called."""

    name: str
    version: str
    module: str
    """Holds ``analyse(measurements, *, options)`` and ``problems(options)``."""
    is_quick: bool = False
    """A matter of milliseconds whatever it is given, for which no process of its own is worth while."""

    def __call__(self, measurements: Sequence[MeasurementData], *, options: Mapping[str, Any]) -> AnalysisResult:
        """Analyse the measurements of one trial.

        Raises:
            ValueError: An option is unknown or has no such value; `problems` says so beforehand.
        """
        return import_module(self.module).analyse(measurements, options=options)

    def problems(self, options: Mapping[str, Any]) -> list[str]:
        """Return what is wrong with options, as sentences; ``parameters`` may still be missing."""
        return import_module(self.module).problems(options)


ANALYSES: Mapping[str, Analysis] = {
    analysis.name: analysis
    for analysis in (
        Analysis(name="stripe_gradient", version="1", module="surrogate.spectra.stripe_gradient"),
        Analysis(name="reading", version="1", module="surrogate.reading", is_quick=True),
        Analysis(name="phase_yield", version="3", module="surrogate.xrd.phase_yield"),
        Analysis(name="fingerprint", version="1", module="surrogate.xrd.fingerprint"),
        Analysis(name="peaks", version="1", module="surrogate.spectra.peak_analysis"),
    )
}
"""All analyses, by the name that a campaign file uses."""
