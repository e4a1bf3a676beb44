"""Plain values: what JSON can hold, made of what drivers and analyses answer."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence, Set
from datetime import datetime
from enum import Enum
from typing import Any

import numpy as np


def plain(value: Any) -> Any:
    """Return a value as JSON can hold it; a number that is not finite becomes null.

    Raises:
        TypeError: JSON has nothing for it.
    """
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, np.generic | np.ndarray):
        return plain(value.tolist())
    if isinstance(value, datetime):
        return value.isoformat()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {item.name: plain(getattr(value, item.name)) for item in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, Sequence | Set) and not isinstance(value, bytes | bytearray):
        return [plain(item) for item in value]
    raise TypeError(f"{type(value).__name__} is neither number nor text nor made of such")


def not_finite(value: Any, name: str = "value") -> Iterator[str]:
    """Iterate over the names of the numbers in a value that are not finite, as ``values.yield``."""
    if isinstance(value, float | np.floating) and not math.isfinite(value):
        yield name
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from not_finite(item, f"{name}.{key}")
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for item in dataclasses.fields(value):
            yield from not_finite(getattr(value, item.name), f"{name}.{item.name}")
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        for index, item in enumerate(value):
            yield from not_finite(item, f"{name}.{index}")
