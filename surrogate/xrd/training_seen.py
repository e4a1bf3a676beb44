"""Adjudicated patterns from a list of results: what ``labpilot identify --json`` wrote, or a person in the same form.

Of each result ``file`` and ``phases`` are read (``name``, ``probability``, ``weight_fraction``), ``alternatives`` and
``unknown_probability``. A phase's probability is that of all sets that hold it. A person's verdict is a result with
``file`` and the names of ``phases`` only: they are certain then, and everything else is absent. Phases that the network
does not know are what it calls unknown.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from surrogate.formats import FormatError, MeasurementFile, read_file
from surrogate.xrd.pattern import Pattern, Unusable, make_pattern
from surrogate.xrd.training_fine import Adjudicated

MOST_TOGETHER = 1.001
"""Sum of weight fractions, rounding included."""


logger = logging.getLogger(__name__)


def adjudicated_patterns(
    path: Path, known: Collection[str], *, wavelength_angstrom: float | None = None
) -> list[Adjudicated]:
    """Read a list of results and the patterns that they name; results that are ``unusable`` are left out.

    Args:
        path: Of the list.
        known: Names of the phases that the network knows.
        wavelength_angstrom: In place of the files'.

    Raises:
        ValueError: The list is none, names something else than patterns, or a pattern has changed since.
    """
    seen = [_adjudicated(result, path, wavelength_angstrom) for result in _results(path)]
    if foreign := sorted({name for one in seen for name in one.probability} - set(known)):
        logger.warning("taken as unknown, for the network knows no such phase: %s", ", ".join(foreign))
    return [_as_known(one, known) for one in seen]


def _as_known(one: Adjudicated, known: Collection[str]) -> Adjudicated:
    """Take phases that a network does not know as what is unknown."""
    absent = 1.0 - one.unknown_probability
    for name, chance in one.probability.items():
        absent *= 1.0 if name in known else 1.0 - chance
    return replace(
        one,
        probability={name: chance for name, chance in one.probability.items() if name in known},
        unknown_probability=1.0 - absent,
        weight_fraction=one.weight_fraction if set(one.weight_fraction) <= set(known) else {},
    )


def _adjudicated(result: Mapping[str, Any], path: Path, wavelength_angstrom: float | None) -> Adjudicated:
    try:
        probability, weights = _probabilities(result), _weights(result)
        unknown = float(result.get("unknown_probability") or 0.0)
    except (TypeError, KeyError, ValueError) as error:
        raise ValueError(f"{path}, entry of {result['file']}: phases or alternatives are no result: {error}") from error
    if sum(weights.values()) > MOST_TOGETHER:
        raise ValueError(f"{result['file']}: weight fractions add up to {sum(weights.values()):.3f}, more than 1")
    return Adjudicated(
        pattern=_pattern(result, path, wavelength_angstrom),
        probability=probability,
        unknown_probability=unknown,
        weight_fraction=weights,
    )


def _results(path: Path) -> Iterator[Mapping[str, Any]]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} holds no list of results: {error}") from error
    if not isinstance(found, list):
        raise ValueError(f"{path} holds no list of results; `labpilot identify --json FILE` writes one")
    for number, result in enumerate(cast("list[Any]", found), start=1):
        if not _is_result(result):
            raise ValueError(f"{path}: entry {number} has no file, or its phases have no names")
        if result.get("verdict") != "unusable":
            yield result


def _is_result(result: Any) -> bool:  # noqa: ANN401
    if not isinstance(result, dict) or not isinstance(result.get("file"), str):
        return False
    phases = result.get("phases", [])
    return isinstance(phases, list) and all(isinstance(one, dict) and "name" in one for one in phases)


def _probabilities(result: Mapping[str, Any]) -> dict[str, float]:
    total: dict[str, float] = {}
    for one in result.get("alternatives", []):
        for name in one["phases"]:
            total[name] = min(1.0, total.get(name, 0.0) + float(one["probability"]))
    return total | {one["name"]: float(one.get("probability", 1.0)) for one in result.get("phases", [])}


def _weights(result: Mapping[str, Any]) -> dict[str, float]:
    phases: Sequence[Mapping[str, Any]] = result.get("phases", [])
    if not all("weight_fraction" in one for one in phases):
        return {}
    return {one["name"]: float(one["weight_fraction"]) for one in phases}


def _pattern(result: Mapping[str, Any], path: Path, wavelength_angstrom: float | None) -> Pattern:
    name, number = _place(result["file"])
    try:
        file = _read(name)
        scan = file.scans[number - 1]
    except (FormatError, OSError, IndexError) as error:
        raise ValueError(f"{path} names {result['file']}, which cannot be read: {error}") from error
    wanted = result.get("provenance", {}).get("sha256")
    if wanted and wanted != file.sha256:
        raise ValueError(f"{name} is not the file that was identified (its hash differs); identify it again")
    try:
        return make_pattern(scan, wavelength_angstrom=wavelength_angstrom)
    except Unusable as error:
        raise ValueError(f"{result['file']}: {error}") from error


@lru_cache(maxsize=1)
def _read(name: Path) -> MeasurementFile:
    """Read a file once for all of its scans, which stand together in a list."""
    return read_file(name)


def _place(name: str) -> tuple[Path, int]:
    """Split ``name#2`` into the file and the number of its scan; a file may have such a name itself."""
    head, mark, number = name.rpartition("#")
    if mark and number.isdigit() and int(number) > 0 and not Path(name).exists():
        return Path(head), int(number)
    return Path(name), 1
