"""Keyed chance: a generator for each named event, so that no draw depends on the order of the others."""

from __future__ import annotations

from zlib import crc32

import numpy as np


def generator(seed: int, *event: str | int) -> np.random.Generator:
    """Return the generator of one event, the same for equal seed and event."""
    return np.random.default_rng([seed, *(crc32(part.encode()) if isinstance(part, str) else part for part in event)])
