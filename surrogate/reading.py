"""The analysis `reading`: values that an instrument reports are observations as they stand.

Options: ``noise`` gives the standard deviation of a value, by target, where it is known. ``values`` picks and renames:
``{yield: area_percent}`` takes the target `yield` from what the instrument calls `area_percent`, and nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from surrogate.analysis import AnalysisResult, Finding, MeasurementData
from surrogate.options import is_number, unknown_keys

OPTIONS = ("values", "noise", "parameters")
_BOOKKEEPING = frozenset({"taken_s", "trial", "exposure_s", "averages", "remaining_s", "offset_mm"})


def problems(options: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with options, as sentences."""
    found = unknown_keys(options, OPTIONS, "the analysis 'reading'")
    for name, sd in _mapping(options, "noise", found).items():
        if not is_number(sd, above=0.0):
            found.append(f"the noise of {name!r} is a standard deviation above 0, not {sd!r}")
    for name, source in _mapping(options, "values", found).items():
        if not isinstance(source, str):
            found.append(f"the value {name!r} needs the instrument's name for it, not {source!r}")
    return found


def analyse(measurements: Sequence[MeasurementData], *, options: Mapping[str, Any]) -> AnalysisResult:
    """Pass reported values through; replicates of a value are averaged.

    Raises:
        ValueError: An option is unknown or has no such value.
    """
    if found := problems(options):
        raise ValueError("; ".join(found))
    reported: dict[str, list[float]] = {}
    for measurement in measurements:
        for name, value in _reported(measurement).items():
            reported.setdefault(name, []).append(value)
    wanted: Mapping[str, str] = options.get("values") or {name: name for name in reported}
    if reason := _reason(reported, wanted, measurements):
        return AnalysisResult(cannot_tell=reason)
    values = {target: sum(reported[name]) / len(reported[name]) for target, name in wanted.items()}
    noise = {name: float(sd) for name, sd in (options.get("noise") or {}).items() if name in values}
    sd = {name: noise[name] / math.sqrt(len(reported[wanted[name]])) for name in noise}
    finding = Finding(parameters=dict(options.get("parameters", {})), values=values, sd=sd)
    return AnalysisResult(findings=(finding,), values=values)


def _reported(measurement: MeasurementData) -> dict[str, float]:
    """Return the numbers of a robot's result, or of a driver's answer; a bare number goes by its command's name."""
    facts = measurement.metadata
    if isinstance(facts.get("values"), Mapping):
        return {name: float(value) for name, value in facts["values"].items()}
    numbers = {name: value for name, value in facts.items() if name not in _BOOKKEEPING and _is_plain(value)}
    command = str(facts.get("role", "value")).rpartition(".")[2]
    return {command if name == "value" else name: float(value) for name, value in numbers.items()}


def _is_plain(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _reason(
    reported: Mapping[str, Sequence[float]], wanted: Mapping[str, str], measurements: Sequence[MeasurementData]
) -> str | None:
    if not reported:
        return f"none of {len(measurements)} measurements reports a number"
    missing = sorted(set(wanted.values()) - set(reported))
    if missing:
        return f"the instrument reported {', '.join(sorted(reported))}, but no {missing[0]!r}"
    bad = [name for name in wanted.values() if not all(math.isfinite(value) for value in reported[name])]
    if bad:
        return f"the instrument reported {bad[0]} = {reported[bad[0]][0]}, which is no number to learn from"
    return None


def _mapping(options: Mapping[str, Any], key: str, found: list[str]) -> Mapping[str, Any]:
    value = options.get(key) or {}
    if isinstance(value, Mapping):
        return value
    found.append(f"the option {key!r} of the analysis 'reading' maps names to values; it is {value!r}")
    return {}
