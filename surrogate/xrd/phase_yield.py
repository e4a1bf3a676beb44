"""The analysis `phase_yield`: how much of a sample is the target, from its diffractogram.

The value ``yield`` is the target's weight fraction among crystalline phases, with a standard deviation from its 90 %
interval. Beside it stand, for each phase that was found, ``phase:NAME``, its weight fraction, and ``probability:NAME``,
that it is there: what a planner of reactions learns from. Where the pattern cannot tell, there is no value: a campaign
must not learn from a guess. Whether a target may be claimed to be made can be told from the details: the verdict, the
intervals of weight fractions, and the gates that failed (`surrogate.xrd.gates`). Options:

- ``target``: the phase that is wanted, by its name in the library;
- ``phases``: names of the library's phases that could be there (all of it where left out);
- ``may_lack``: how probable an unknown phase may be before its pattern tells nothing, 0.9 by default.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from surrogate.analysis import AnalysisResult, Finding, MeasurementData
from surrogate.options import is_number, unknown_keys

if TYPE_CHECKING:
    from surrogate.formats.record import Radiation, Scan
    from surrogate.xrd.identify import Identifier
    from surrogate.xrd.result import Identification

OPTIONS = ("target", "phases", "may_lack", "parameters")
MAY_LACK = 0.9
WIDTH_90 = 3.29
"""Standard deviations that a 90 % interval of a normal distribution is wide."""
LEAST_SD = 0.02
"""Of a weight fraction: what an interval leaves out (micro-absorption, texture) does not shrink with counts."""
UNTOLD = ("unusable", "cannot tell")


def problems(options: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with options, as sentences."""
    from surrogate.xrd.library import embedded_library

    found = unknown_keys(options, OPTIONS, "the analysis 'phase_yield'")
    known = {phase.name for phase in embedded_library().phases}
    target, phases = options.get("target"), options.get("phases")
    if not isinstance(target, str):
        found.append("the analysis 'phase_yield' needs a target, the name of a phase")
    if phases is not None and (not isinstance(phases, Sequence) or isinstance(phases, str)):
        found.append(f"the phases of 'phase_yield' are a list of names, not {phases!r}")
        phases = None
    for name in dict.fromkeys([*([target] if isinstance(target, str) else []), *(phases or [])]):
        if name not in known:
            found.append(f"the library has no phase {name!r}")
    if phases is not None and isinstance(target, str) and target not in phases:
        found.append(f"the target {target!r} is not among the phases")
    if "may_lack" in options and not is_number(options["may_lack"], above=0.0):
        found.append(f"may_lack is a probability above 0, not {options['may_lack']!r}")
    return found


def analyse(measurements: Sequence[MeasurementData], *, options: Mapping[str, Any]) -> AnalysisResult:
    """Identify the phases of the last diffractogram of a trial, and return the target's weight fraction.

    Raises:
        ValueError: An option is unknown or has no such value.
    """
    if found := problems(options):
        raise ValueError("; ".join(found))
    patterns = [one for one in measurements if one.kind == "diffractogram"]
    if not patterns:
        return AnalysisResult(cannot_tell="the trial has no diffractogram")
    found = _identifier(tuple(options["phases"]) if options.get("phases") else None).identify(
        _scan(patterns[-1]), curves=False
    )
    details = _details(found)
    if reason := _untold(found, float(options.get("may_lack", MAY_LACK))):
        return AnalysisResult(cannot_tell=reason, details=details)
    claim = next((phase for phase in found.phases if phase.name == options["target"]), None)
    fraction, (low, high) = (0.0, (0.0, LEAST_SD)) if claim is None else (claim.weight_fraction, claim.weight_interval)
    sd = max((high - low) / WIDTH_90, LEAST_SD)
    values = {"yield": fraction, **_phases(found)}
    finding = Finding(parameters=dict(options.get("parameters", {})), values=values, sd={"yield": sd})
    return AnalysisResult(findings=(finding,), values={"yield": fraction}, details=details)


def _phases(found: Identification) -> dict[str, float]:
    weights = {f"phase:{phase.name}": phase.weight_fraction for phase in found.phases}
    return {**weights, **{f"probability:{phase.name}": phase.probability for phase in found.phases}}


def _untold(found: Identification, may_lack: float) -> str | None:
    if found.verdict in UNTOLD:
        return "; ".join(found.reasons) or f"the pattern is {found.verdict}"
    if found.unknown_probability > may_lack:
        return f"a phase is there that the library lacks (probability {found.unknown_probability:.2f})"
    return None


def _details(found: Identification) -> dict[str, Any]:
    return {
        "verdict": found.verdict,
        "phases": {phase.name: phase.weight_fraction for phase in found.phases},
        "probabilities": {phase.name: phase.probability for phase in found.phases},
        "weight_intervals": {phase.name: list(phase.weight_interval) for phase in found.phases},
        "failed_gates": [gate.name for gate in found.gates if gate.passed is False],
        "unknown_probability": found.unknown_probability,
        "rwp": found.rwp,
        "reasons": list(found.reasons),
    }


def _scan(measurement: MeasurementData) -> Scan:
    from surrogate.formats.record import Axis, Scan, counted

    facts = measurement.metadata
    axis = Axis(quantity="two_theta", unit="deg", values=measurement.arrays["two_theta_deg"])
    radiation = _radiation(float(facts["wavelength_angstrom"]))
    return Scan(kind="diffractogram", axis=axis, radiation=radiation, **counted(measurement.arrays["counts"]))


def _radiation(wavelength_angstrom: float) -> Radiation:
    """Return the lines of the tube that a wavelength is the first one of: drivers tell the first only."""
    from surrogate.formats.record import Radiation
    from surrogate.xrd.formats.source import K_ALPHA_1, K_ALPHA_2, LARGEST_MISFIT, USUAL_RATIO

    for anode, line in K_ALPHA_1.items():
        if abs(wavelength_angstrom / line - 1.0) < LARGEST_MISFIT:
            lines = (wavelength_angstrom, K_ALPHA_2[anode])
            return Radiation(wavelength_angstrom=lines, ratio=(1.0, USUAL_RATIO), anode=anode)
    return Radiation(wavelength_angstrom=(wavelength_angstrom,), ratio=(1.0,))


@lru_cache(maxsize=4)
def _identifier(phases: tuple[str, ...] | None) -> Identifier:
    from surrogate.xrd.identify import Identifier
    from surrogate.xrd.library import embedded_library

    return Identifier(embedded_library(phases) if phases else embedded_library())
