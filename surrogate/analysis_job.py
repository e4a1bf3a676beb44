"""An analysis as a job of `surrogate.compute`: what it is given and what it finds, as plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from surrogate.analysis import ANALYSES, AnalysisResult, Finding, MeasurementData
from surrogate.compute.plain import Plain

FUNCTION = "surrogate.analysis_job:analysed"
_WORDS, _RAISED = "words", "raised"


class AnalysisRaised(RuntimeError):
    """The analysis raised, as it would again; the message is its error's type and text."""


def arguments(name: str, measurements: Sequence[MeasurementData], options: Mapping[str, Any]) -> dict[str, Plain]:
    """Return what `analysed` is to be given."""
    return {"name": name, "measurements": [_told(one) for one in measurements], "options": dict(options)}


def analysed(name: str, measurements: Sequence[Mapping[str, Plain]], options: Mapping[str, Plain]) -> Plain:
    """Analyse the measurements of one trial; `result_of` makes an `AnalysisResult` of what comes back.

    What it raises is an answer too: a pure function that is tried again would raise again.
    """
    try:
        found = ANALYSES[name]([_heard(one) for one in measurements], options=options)
    except MemoryError:
        raise  # with more memory it may do better
    except Exception as error:  # the supervisor of analyses in a worker
        return {_RAISED: f"{type(error).__name__}: {error}"}
    told = {field.name: getattr(found, field.name) for field in fields(found)}
    return told | {"findings": [{one.name: getattr(item, one.name) for one in fields(item)} for item in found.findings]}


def result_of(told: Mapping[str, Plain]) -> AnalysisResult:
    """Return what `analysed` found.

    Raises:
        AnalysisRaised: It raised.
    """
    if _RAISED in told:
        raise AnalysisRaised(told[_RAISED])
    return AnalysisResult(**{**told, "findings": tuple(Finding(**one) for one in told["findings"])})


def _told(measurement: MeasurementData) -> dict[str, Plain]:
    """Return a measurement as plain data, which has no arrays of words."""
    arrays = {
        name: {_WORDS: one.tolist()} if one.dtype.kind == "U" else one for name, one in measurement.arrays.items()
    }
    return {"kind": measurement.kind, "arrays": arrays, "metadata": dict(measurement.metadata)}


def _heard(told: Mapping[str, Plain]) -> MeasurementData:
    arrays = {name: np.array(one[_WORDS]) if isinstance(one, dict) else one for name, one in told["arrays"].items()}
    return MeasurementData(kind=told["kind"], arrays=arrays, metadata=told["metadata"])
