"""Whether two answers of a device are the same, as far as noise lets one say."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

RELATIVE = 0.02
"""How far two readings of the same quantity may be apart, where nothing is declared."""
ARRAYS = 0.05
"""How far the medians of two frames may be apart."""


def alike(one: Any, other: Any, *, tolerance: float = 0.0) -> bool:
    """Say whether two answers agree: text and counts exactly, numbers within noise."""
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        return _arrays(np.asarray(one), np.asarray(other))
    if dataclasses.is_dataclass(one) and type(one) is type(other):
        names = [item.name for item in dataclasses.fields(one) if item.name not in ("tag", "file", "age_s")]
        return all(alike(getattr(one, name), getattr(other, name), tolerance=tolerance) for name in names)
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        return abs(one - other) <= max(tolerance, 1e-6, RELATIVE * abs(other))
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(alike(one[key], other[key], tolerance=tolerance) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(alike(a, b, tolerance=tolerance) for a, b in zip(one, other, strict=True))
    return bool(one == other)


def between(value: Any, one: Any, other: Any) -> bool:
    """Say whether a number lies between two others: a reading that grows with time, taken in between."""
    numbers = (value, one, other)
    if any(isinstance(item, bool) or not isinstance(item, int | float) for item in numbers):
        return False
    return min(one, other) <= value <= max(one, other)


def _arrays(one: np.ndarray, other: np.ndarray) -> bool:
    if one.shape != other.shape:
        return False
    scale = float(np.median(np.abs(other.astype(float)))) or 1.0
    return float(np.median(np.abs(one.astype(float) - other.astype(float)))) <= max(ARRAYS * scale, 1e-9)
