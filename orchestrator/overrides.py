"""`--set key=value`: changes to a campaign or lab file from the command line, by dotted path.

A part of a path is a key, a position in a list, or the `name` of an item in it: ``parameters.dwell.count=9``. A path
that begins with ``lab.`` changes the lab file. Keys with dots in them (``limits.laser.anneal``) are found.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from orchestrator.fields import did_you_mean
from orchestrator.yaml_source import InvalidSource, Path_, Place, Problem, Source, dotted, kind_of, parse_value

_LONGEST_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Override:
    """One change."""

    key: str
    value: Any
    written: str
    """``--set budget.trials=5``, for messages."""


def read_override(text: str) -> Override:
    """Read ``key=value``; the value is YAML.

    Raises:
        InvalidSource: There is no key or no "=", or the value is no YAML.
    """
    key, equals, value = text.partition("=")
    written = f"--set {text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + '...'}"
    if not equals or not key.strip():
        raise InvalidSource([Problem(Place(written), "", "write key=value, as in --set budget.trials=5")])
    return Override(key.strip(), parse_value(value, written), written)


def split_overrides(overrides: Sequence[Override]) -> tuple[list[Override], list[Override]]:
    """Part the changes of the campaign file from those of the lab file (``lab.`` is left out there)."""
    for_lab = [item for item in overrides if item.key.startswith("lab.")]
    for_campaign = [item for item in overrides if item not in for_lab]
    return for_campaign, [replace(item, key=item.key.removeprefix("lab.")) for item in for_lab]


def overridden(source: Source, overrides: Sequence[Override]) -> Source:
    """Return a source with the changes made; their values are placed at the option that gave them.

    Raises:
        InvalidSource: A path leads nowhere; carries every such mistake.
    """
    data = copy.deepcopy(source.data)
    keys, values = dict(source.keys), dict(source.values)
    mistakes: list[Problem] = []
    for override in overrides:
        try:
            path = _assign(data, override.key.split("."), copy.deepcopy(override.value))
        except LookupError as error:
            mistakes.append(Problem(Place(override.written), "", str(error.args[0])))
            continue
        for places in (keys, values):
            for inside in [known for known in places if known[: len(path)] == path]:
                del places[inside]
            for length in range(1, len(path)):
                places.setdefault(path[:length], Place(override.written))
            places[path] = Place(override.written)
    if mistakes:
        raise InvalidSource(mistakes)
    return replace(source, data=data, keys=keys, values=values)


def _assign(data: dict[str, Any], parts: list[str], value: Any) -> Path_:
    here: Any = data
    path: list[str | int] = []
    while True:
        key, used = _next_key(here, parts, tuple(path))
        parts = parts[used:]
        path.append(key)
        if not parts:
            here[key] = value
            return tuple(path)
        if isinstance(here, dict) and here.get(key) is None:
            here[key] = {}
        here = here[key]


def _next_key(here: Any, parts: list[str], path: Path_) -> tuple[str | int, int]:
    if isinstance(here, dict):
        for used in range(len(parts), 1, -1):
            if ".".join(parts[:used]) in here:
                return ".".join(parts[:used]), used
        return parts[0], 1
    if isinstance(here, list):
        return _index(here, parts[0], path), 1
    raise LookupError(f"{dotted(path)} is {kind_of(here)}, which has nothing inside")


def _index(items: list[Any], part: str, path: Path_) -> int:
    names = [str(item["name"]) for item in items if isinstance(item, dict) and "name" in item]
    for index, item in enumerate(items):
        if isinstance(item, dict) and str(item.get("name")) == part:
            return index
    if part.isdecimal() and int(part) < len(items):
        return int(part)
    known = [*names, *(str(index) for index in range(len(items)))] if len(items) <= 20 else names
    raise LookupError(f"{dotted(path)} has no item {part!r}{did_you_mean(part, known)}")
