"""From a campaign file to what the planner understands: a search space in the parameters' units, and objectives."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from orchestrator import units
from orchestrator.campaign import Campaign
from orchestrator.goals import planned
from orchestrator.parameter_values import Value
from orchestrator.parameters import Categorical, Continuous, Fidelity, Integer
from orchestrator.pools import category

if TYPE_CHECKING:
    from planner.constraints import LinearConstraint
    from planner.nonlinear import NonlinearConstraint
    from planner.objective import Objective
    from planner.parameters import Parameter
    from planner.space import SearchSpace

_NUMBER = r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_WORD = r"[^\W\d]\w*|[%°µμΩÅ][A-Za-z]*"
_TOKEN = re.compile(
    rf"`(?P<quoted>[^`]+)`|(?P<number>{_NUMBER})(?P<gap>\s*)(?P<unit>{_WORD})?|(?P<name>{_WORD})|(?P<mark>\S)"
)
_UNIT_TAIL = re.compile(rf"(?:\^?-?\d)?(?:\s*[/*·]\s*(?P<next>{_WORD})(?:\^?-?\d)?)?")


def search_space(
    campaign: Campaign, candidates: Iterable[Mapping[str, Value]] | Mapping[str, Any] | None = None
) -> SearchSpace:
    """Return the planner's search space.

    Args:
        campaign: Its parameters and constraints.
        candidates: The points of a pool, or a column for each parameter, where only those may be proposed.

    Raises:
        SpaceError: Something contradicts itself; the message says what.
        UnitError: A constraint mixes dimensions.
    """
    from planner.space import SearchSpace

    parameters = [_parameter(item) for item in campaign.parameters]
    return SearchSpace(parameters, constraints(campaign), candidates, campaign.shared)


def objectives(campaign: Campaign) -> list[Objective]:
    """Return the planner's objectives."""
    return [planned(item) for item in campaign.objectives]


def constraints(campaign: Campaign) -> list[LinearConstraint | NonlinearConstraint]:
    """Return every constraint in the parameters' units.

    Raises:
        ConstraintError: One is none, or names an unknown parameter.
        UnitError: One mixes dimensions.
    """
    return [found for text in campaign.constraints for found in read_constraint(text, campaign)]


def read_constraint(text: str, campaign: Campaign) -> list[LinearConstraint | NonlinearConstraint]:
    """Return what one constraint says, in the parameters' units; a chain of relations says several things.

    What is not linear may join what has different dimensions; its numbers have no units then, and values are those in
    the parameters' units.

    Raises:
        ConstraintError: It is none, or names an unknown parameter.
        UnitError: It mixes dimensions, or is not linear and a number has a unit.
    """
    from planner.constraints import parse_constraint
    from planner.declared import read_constraint as read
    from planner.nonlinear import NonlinearConstraint

    names = [parameter.name for parameter in campaign.parameters]
    pieces = _pieces(text, set(names))
    shape = read("".join(piece.bare for piece in pieces), names)
    if isinstance(shape[0], NonlinearConstraint):
        if any(piece.unit is not None for piece in pieces):
            own = ", ".join(f"{name} in {campaign.units[name]!r}" for name in shape[0].names)
            raise units.UnitError(
                f"a constraint that is not linear takes numbers without units; they are those of {own}"
            )
        return [replace(shape[0], text=text.strip())]
    unit = _common_unit(text, pieces, campaign.units)
    weight = sum(shape[0].coefficients.values())
    plain = "".join(_in_unit(piece, unit, weight, campaign.units) for piece in pieces)
    return [replace(found, text=text.strip()) for found in parse_constraint(plain, names)]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    """A part of a constraint's text."""

    bare: str
    """The text without a unit."""
    unit: str | None = None
    name: str | None = None
    is_bound: bool = False
    """A number that is no factor of anything."""


def _pieces(text: str, names: set[str]) -> list[_Piece]:
    pieces: list[_Piece] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            pieces.append(_Piece(bare=text[position]))
            position += 1
            continue
        end = match.end()
        name = match["quoted"] or match["name"]
        if match["unit"] and match["unit"] not in names:
            end = _end_of_unit(text, end, names)
            if _is_factor(text, match.start(), end):
                raise units.UnitError(f"{text[match.start() : end]!r} is a factor; a factor has no unit")
            pieces.append(_Piece(bare=match["number"], unit=text[match.start("unit") : end].strip(), is_bound=True))
        elif match["number"]:
            end = match.end("number")
            pieces.append(_Piece(bare=match["number"], is_bound=not _is_factor(text, match.start(), end)))
        elif name in names:
            pieces.append(_Piece(bare=match[0], name=name))
        else:
            pieces.append(_Piece(bare=match[0]))
        position = end
    return pieces


def _end_of_unit(text: str, end: int, names: set[str]) -> int:
    """Return where ``mol/L`` ends; a parameter's name behind an operator is no part of a unit."""
    while True:
        tail = _UNIT_TAIL.match(text, end)
        if tail is None or tail.end() == end:
            return end
        if tail["next"] in names:
            return end
        end = tail.end()


def _is_factor(text: str, start: int, end: int) -> bool:
    return text[:start].rstrip().endswith(("*", "/")) or text[end:].lstrip().startswith(("*", "/"))


def _common_unit(text: str, pieces: list[_Piece], declared: Mapping[str, str]) -> str:
    """Return the unit of the first parameter, once all others are known to share its dimension.

    Raises:
        UnitError: They do not.
    """
    named = [piece.name for piece in pieces if piece.name is not None]
    first, unit = named[0], declared[named[0]]
    for name in named:
        if not units.same_dimension(declared[name], unit):
            raise units.UnitError(
                f"adds {_called(first, unit)} and {_called(name, declared[name])}; "
                "a constraint can only add what has one dimension"
            )
    is_mixed = any(units.spell(declared[name]) != units.spell(unit) for name in named)
    if is_mixed and any(piece.is_bound and piece.unit is None and float(piece.bare) != 0 for piece in pieces):
        raise units.UnitError(f"its parameters have different units; give the numbers theirs, as in '5 {unit}'")
    return unit


def _called(name: str, unit: str) -> str:
    return f"{name!r} ({units.describe(unit) if units.is_known(unit) else 'a label'} in {unit!r})"


def _in_unit(piece: _Piece, unit: str, weight: float, declared: Mapping[str, str]) -> str:
    if piece.unit is not None:
        return repr(_bound(float(piece.bare), piece.unit, unit, weight))
    if piece.name is None or units.spell(declared[piece.name]) == units.spell(unit):
        return piece.bare
    own = declared[piece.name]
    if units.scale_of(own).offset != units.scale_of(unit).offset:
        raise units.UnitError(
            f"adds temperatures in {own!r} and {unit!r}, whose zeros differ; declare both in one unit"
        )
    return f"({units.convert(1.0, own, unit, difference=True)!r}*{piece.bare})"


def _bound(value: float, written: str, unit: str, weight: float) -> float:
    """Convert a number in a constraint; where the weights add up to nothing, it is a difference (of temperatures)."""
    if units.spell(written) == units.spell(unit):
        return value
    is_difference = abs(weight) < 1e-12
    if not is_difference and units.same_dimension(written, unit):
        shifts = units.scale_of(written).offset != units.scale_of(unit).offset
        if shifts and abs(weight - 1.0) > 1e-12:
            raise units.UnitError(f"a sum of temperatures has no meaning in {written!r}; write it in {unit!r}")
    return units.convert(value, written, unit, difference=is_difference)


def _parameter(item: Continuous | Integer | Categorical | Fidelity) -> Parameter:
    from planner import parameters as planned

    if isinstance(item, Fidelity):
        from planner.fidelity import Fidelity as Planned

        return Planned(item.name, item.costs, item.counted)
    if isinstance(item, Categorical):
        if item.features is not None:
            return category(item)
        return planned.Categorical(item.name, item.levels, descriptors=item.descriptors, when=item.when)
    if isinstance(item, Integer):
        low, high = item.bounds
        return planned.Integer(item.name, low, high, unit=item.unit, scale=item.scale, when=item.when)
    low, high = item.bounds
    return planned.Continuous(
        item.name,
        low,
        high,
        unit=item.unit,
        step=item.step,
        levels=item.levels,
        count=item.count,
        scale=item.scale,
        when=item.when,
        input_sd=item.input_sd or 0.0,
    )
