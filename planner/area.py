"""A part of a search space that a person speaks of: a box, an ellipsoid, or where a constraint holds. Plain data.

    {"box": {"temperature": [600, 700], "solvent": ["water", "ethanol"]}}
    {"near": {"temperature": 650, "pressure": 2}, "within": {"temperature": 50, "pressure": 1}}
    {"where": "temperature + 20*cycles >= 900"}

A point without one of the parameters that an area names (a condition does not hold) lies outside.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from planner.errors import SpaceError, did_you_mean
from planner.nonlinear import parse_nonlinear
from planner.parameters import Categorical, Parameter
from planner.region import Curve

if TYPE_CHECKING:
    from planner.space import SearchSpace

_KINDS = ("box", "near", "where")


class Shape(Protocol):
    """Where an area is, over the columns of a row; a column of -1 stands for one that is left out, which is 0."""

    @property
    def columns(self) -> tuple[int, ...]:
        """The columns that it names."""
        ...

    def beyond(self, rows: np.ndarray) -> np.ndarray:
        """Return how far rows (`n x p`) are outside, in ranges of the parameters (`n`); 0 within."""
        ...

    def within(self, columns: np.ndarray) -> Shape:
        """Return the same over rows of these columns only."""
        ...


@dataclass(frozen=True)
class Box:
    """Bounds of numbers, and lists of words."""

    columns: tuple[int, ...]
    allowed: tuple[tuple[float, float] | frozenset[int], ...]
    spans: tuple[float, ...]

    def beyond(self, rows: np.ndarray) -> np.ndarray:
        """Return how far rows (`n x p`) are outside (`n`); another word is one range away."""
        squared = np.zeros(len(rows))
        for column, allowed, span in zip(self.columns, self.allowed, self.spans, strict=True):
            values = _column(rows, column)
            if isinstance(allowed, frozenset):
                away = ~np.isin(np.rint(values), list(allowed)) * 1.0
            else:
                away = np.maximum(np.maximum(allowed[0] - values, values - allowed[1]), 0.0) / span
            squared += np.where(away > 1e-9, away, 0.0) ** 2
        return np.sqrt(squared)

    def within(self, columns: np.ndarray) -> Box:
        """Return the same over rows of these columns only."""
        return replace(self, columns=_placed(self.columns, columns))


@dataclass(frozen=True)
class Ellipsoid:
    """What is no farther from a centre than a reach along each axis: `sum(((x - c) / r)^2) <= 1`."""

    columns: tuple[int, ...]
    centre: tuple[float, ...]
    reach: tuple[float, ...]
    spans: tuple[float, ...]

    def beyond(self, rows: np.ndarray) -> np.ndarray:
        """Return how far rows (`n x p`) are outside (`n`), along the line to the centre."""
        offsets = np.stack(
            [_column(rows, c) - middle for c, middle in zip(self.columns, self.centre, strict=True)], axis=1
        )
        radius = np.sqrt(np.sum((offsets / np.array(self.reach)) ** 2, axis=1))
        far = np.sqrt(np.sum((offsets / np.array(self.spans)) ** 2, axis=1))
        return np.where(radius > 1.0 + 1e-9, far * (1.0 - 1.0 / np.maximum(radius, 1.0)), 0.0)

    def within(self, columns: np.ndarray) -> Ellipsoid:
        """Return the same over rows of these columns only."""
        return replace(self, columns=_placed(self.columns, columns))


@dataclass(frozen=True)
class Where:
    """Where a constraint holds."""

    curve: Curve

    @property
    def columns(self) -> tuple[int, ...]:
        """The columns that it names."""
        return self.curve.columns

    def beyond(self, rows: np.ndarray) -> np.ndarray:
        """Return 0 where it holds, and 1 elsewhere (`n`), of rows (`n x p`)."""
        return np.where(self.curve.holds(rows), 0.0, 1.0)

    def within(self, columns: np.ndarray) -> Where:
        """Return the same over rows of these columns only."""
        return Where(self.curve.within(columns))


def read_area(space: SearchSpace, given: Any) -> Shape:
    """Return the shape of an area that is given as plain data.

    Raises:
        SpaceError: It is none, or names what is no parameter; says what to write instead.
    """
    if not isinstance(given, Mapping) or sum(kind in given for kind in _KINDS) != 1:
        raise SpaceError(
            "an area is {'box': {parameter: [low, high]}}, {'near': {parameter: value}, 'within': {parameter: reach}}, "
            f"or {{'where': 'a constraint'}}, not {given!r:.120}"
        )
    unknown = [key for key in given if key not in (*_KINDS, "within")]
    if unknown:
        raise SpaceError(f"an area has no {unknown[0]!r}{did_you_mean(str(unknown[0]), (*_KINDS, 'within'))}")
    if "where" in given:
        return _where(space, given["where"])
    return _box(space, given["box"]) if "box" in given else _ellipsoid(space, given["near"], given.get("within"))


def _where(space: SearchSpace, text: Any) -> Where:
    if isinstance(text, str) and "==" in text:
        raise SpaceError(f"area {text!r}: an equality holds almost nowhere; give a band, such as 1 <= a <= 2")
    read = parse_nonlinear(text, space.names)
    words = [name for name in read.names if isinstance(_named(space, name, "an area")[1], Categorical)]
    if words:
        raise SpaceError(f"area {text!r}: {words[0]!r} is categorical; give a box with a list of its words")
    return Where(Curve(read, tuple(space.names.index(name) for name in read.names)))


def _box(space: SearchSpace, given: Any) -> Box:
    columns, allowed = [], []
    for name, values in _entries(given, "box").items():
        column, parameter = _named(space, name, "a box")
        if isinstance(values, str) or not isinstance(values, Sequence) or not values:
            raise SpaceError(f"box: {name!r} takes [low, high], or a list of words, not {values!r}")
        if isinstance(parameter, Categorical):
            allowed.append(frozenset(int(parameter.number(value)) for value in values))
        elif len(values) != 2 or parameter.number(values[0]) > parameter.number(values[1]):
            raise SpaceError(f"box: {name!r} takes [low, high], not {list(values)!r}")
        else:
            allowed.append((parameter.number(values[0]), parameter.number(values[1])))
        columns.append(column)
    return Box(tuple(columns), tuple(allowed), _spans(space, columns))


def _ellipsoid(space: SearchSpace, near: Any, within: Any) -> Ellipsoid:
    near, within = _entries(near, "near"), _entries(within, "within")
    if set(near) != set(within):
        raise SpaceError("near and within must name the same parameters: a centre and a reach for each")
    columns, centre, reach = [], [], []
    for name, value in near.items():
        column, parameter = _named(space, name, "an ellipsoid")
        if isinstance(parameter, Categorical):
            raise SpaceError(f"near: {name!r} is categorical and has no distances; give a box")
        columns.append(column)
        centre.append(parameter.number(value))
        reach.append(parameter.number(within[name]))
        if reach[-1] <= 0:
            raise SpaceError(f"within: the reach of {name!r} must be above 0, not {within[name]!r}")
    return Ellipsoid(tuple(columns), tuple(centre), tuple(reach), _spans(space, columns))


def _entries(given: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(given, Mapping) or not given:
        raise SpaceError(f"{what} maps parameters to values, not {given!r:.80}")
    return given


def _named(space: SearchSpace, name: str, what: str) -> tuple[int, Parameter]:
    if name not in space.names:
        raise SpaceError(f"{what} names {name!r}, which is no parameter{did_you_mean(str(name), space.names)}")
    column = space.names.index(name)
    return column, space.parameters[column]


def _spans(space: SearchSpace, columns: Sequence[int]) -> tuple[float, ...]:
    return tuple(float(space.region.span[column]) for column in columns)


def _column(rows: np.ndarray, column: int) -> np.ndarray:
    return rows[:, column] if column >= 0 else np.zeros(len(rows))


def _placed(old: Sequence[int], columns: np.ndarray) -> tuple[int, ...]:
    place = {int(column): index for index, column in enumerate(columns)}
    return tuple(place.get(column, -1) for column in old)


@dataclass(frozen=True)
class Barred:
    """The rest of a space beside an area, as what a region must keep to besides its linear constraints."""

    shape: Shape

    @property
    def columns(self) -> tuple[int, ...]:
        """The columns that it names."""
        return self.shape.columns

    def holds(self, rows: np.ndarray) -> np.ndarray:
        """Say which rows (`n x p`) lie outside the area (`n`, bool)."""
        return self.shape.beyond(rows) > 0.0

    def within(self, columns: np.ndarray) -> Barred:
        """Return the same over rows of these columns only."""
        return Barred(self.shape.within(columns))
