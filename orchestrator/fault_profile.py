"""Fault profiles: files with rates of what goes wrong in simulated worlds, over what the lab file says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orchestrator.errors import InputError
from orchestrator.yaml_source import read_source


def fault_overrides(path: Path) -> list[str]:
    """Return a profile as settings of the lab file, as after `--set`; `labpilot check` judges their names and values.

    path: a YAML file with options by simulated world, such as ``powder-lab: {faults: {dropped_per_transfer: 0.005}}``.

    Raises:
        InputError: It cannot be read, or is no mapping of mappings.
    """
    data = read_source(path).data
    if not isinstance(data, Mapping) or not data:
        raise InputError(
            f"{path}: a fault profile says, by simulated world, how often what goes wrong; see docs/simulate.md"
        )
    return [text for world, options in data.items() for text in _of_world(path, str(world), options)]


def _of_world(path: Path, world: str, options: Any) -> list[str]:
    if not isinstance(options, Mapping):
        raise InputError(f"{path}: {world}: must be a mapping of options, got {options!r}")
    found = []
    for name, value in options.items():
        if isinstance(value, Mapping):
            found += [f"lab.simulation.{world}.{name}.{key}={json.dumps(one)}" for key, one in value.items()]
        else:
            found.append(f"lab.simulation.{world}.{name}={json.dumps(value)}")
    return found
