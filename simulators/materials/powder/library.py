"""The crystal structures that are shipped: facts with their sources, the same file that the analysis may know."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any

from simulators.materials.powder.structure import Cell, Site, Structure


@cache
def structures() -> Mapping[str, Structure]:
    """Return all shipped structures, by name."""
    text = (resources.files("surrogate") / "facts" / "structures.json").read_text(encoding="utf-8")
    read = [_structure(row) for row in json.loads(text)["phases"]]
    return MappingProxyType({structure.name: structure for structure in read})


def _structure(row: Mapping[str, Any]) -> Structure:
    a, b, c, alpha, beta, gamma = (float(value) for value in row["cell"])
    return Structure(
        name=row["name"],
        formula=row["formula"],
        space_group=row["space_group"],
        cell=Cell(a=a, b=b, c=c, alpha=alpha, beta=beta, gamma=gamma),
        sites=tuple(_site(*site) for site in row["sites"]),
    )


def _site(element: str, x: float, y: float, z: float, occupancy: float = 1.0) -> Site:
    return Site(element=element, xyz=(float(x), float(y), float(z)), occupancy=float(occupancy))
