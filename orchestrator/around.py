"""What the fields of a campaign file must know of each other, read before any of them is checked."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from orchestrator import units
from orchestrator.fields import Declared, Surroundings
from orchestrator.goals import leading


def around(data: Mapping[str, Any]) -> Surroundings:
    """Return what the fields of a campaign file must know of each other, as far as the file says it."""
    return Surroundings(
        parameters={name: _declared(item) for name, item in _named(data.get("parameters")).items()},
        objectives={name: _unit(item) for name, item in _named(data.get("objectives")).items()},
        better_unit=_better_unit(data.get("objectives")),
        has_labels=data.get("replay") is not None,
    )


def _named(items: object) -> dict[str, Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = {}
    for item in items if isinstance(items, list) else ():
        if isinstance(item, dict) and isinstance(item.get("name"), str):
            found.setdefault(item["name"], item)
    return found


def _better_unit(objectives: object) -> str:
    """Return the unit of how much better a result is: that of the leading objective, or none of a desirability."""
    named = [{"direction": None, **item} for item in _named(objectives).values()]
    first = leading(named) if named else {}
    return "1" if first.get("desirability") is not None else _unit(first)


def _declared(item: Mapping[str, Any]) -> Declared:
    levels, kind = item.get("levels"), str(item.get("kind"))
    words = tuple(level for level in levels if isinstance(level, str)) if isinstance(levels, list | dict) else ()
    kind = "categorical" if kind == "fidelity" else kind  # its values are words
    return Declared(kind, _unit(item), words, is_conditional=item.get("when") is not None)


def _unit(item: Mapping[str, Any]) -> str:
    # a misspelt key is reported as such; what it says still counts for everything that depends on it
    unit = item.get("unit", next((item[key] for key in item if get_close_matches(key, ["unit"])), "1"))
    return units.spell(unit) if isinstance(unit, str) else "1"
