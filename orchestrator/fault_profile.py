"""Fault profiles: files with rates of what goes wrong in simulated worlds, over what the lab file says."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from orchestrator.fields import did_you_mean
from orchestrator.worlds import WORLDS, load
from orchestrator.yaml_source import InvalidSource, Path_, Problem, Source, read_source

Leaf = tuple[Path_, Any]
"""One setting: its path in the file, which begins with the world, and its value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultProfile:
    """A profile that has been read."""

    overrides: tuple[str, ...]
    """Settings of the lab file, as after `--set`."""
    provenance: Mapping[str, Any]
    """What the journal says of it: the file's name and hash."""


def read_profile(path: Path) -> FaultProfile:
    """Read a profile, and have each world judge what is said of it.

    path: a YAML file with options by simulated world, such as ``powder-lab: {faults: {dropped_per_transfer: 0.005}}``.

    Raises:
        InvalidSource: It cannot be read, or a world refuses a name or a value; carries every mistake and its place.
    """
    source = _read(path)
    leaves, mistakes = _leaves(source)
    mistakes = [*source.mistakes, *mistakes, *(found for leaf in leaves for found in _refused(source, *leaf))]
    if mistakes:
        raise InvalidSource(mistakes)
    digest = hashlib.sha256(_canonical(source.data).encode()).hexdigest()
    facts = {"file": path.name, "sha256": digest, "summary": [f"rates of {path.name}, SHA-256 {digest}"]}
    return FaultProfile(overrides=tuple(_override(*leaf) for leaf in leaves), provenance={"fault profile": facts})


def _read(path: Path) -> Source:
    source = read_source(path)
    if not source.data:
        message = "a fault profile says, by simulated world, how often what goes wrong; see docs/simulate.md"
        raise InvalidSource([source.problem((), message)])
    return source


def _canonical(data: Mapping[str, Any]) -> str:
    """Write what a profile says without what it does not mean: comments, and the order of its lines."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"))


def _leaves(source: Source) -> tuple[list[Leaf], list[Problem]]:
    leaves: list[Leaf] = []
    mistakes: list[Problem] = []
    known = [entry.name for entry in entry_points(group=WORLDS)]
    for world, options in source.data.items():
        if world not in known:
            message = f"no simulated world is called {world!r}{did_you_mean(world, known)}"
            mistakes.append(source.problem((world,), message, of_key=True))
        elif not isinstance(options, Mapping) or not options:
            mistakes.append(source.problem((world,), f"must be a mapping of options, not {options!r}"))
        else:
            for name, value in options.items():
                found = list(_below((world, name), value))
                leaves += found
                mistakes += [] if found else [source.problem((world, name), "says nothing; leave it out")]
    return leaves, mistakes


def _below(path: Path_, value: Any) -> Iterator[Leaf]:
    if not isinstance(value, Mapping):
        yield path, value
        return
    for key, one in value.items():
        yield (*path, str(key)), one


def _refused(source: Source, path: Path_, value: Any) -> Iterator[Problem]:
    """Yield what a world says against one setting, and does not say when it is told nothing."""
    world = load(WORLDS, str(path[0]))
    before = world.check({})
    for message in world.check(_nested(path[1:], value)):
        if message not in before:
            yield source.problem(path, message)


def _nested(path: Path_, value: Any) -> Any:
    return value if not path else {path[0]: _nested(path[1:], value)}


def _override(path: Path_, value: Any) -> str:
    return f"lab.simulation.{'.'.join(map(str, path))}={json.dumps(value)}"
