"""What is said of a version of a model: what it was made of, by what, when and why."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

FORMAT = 1
"""Of the files of versions."""
NAME = re.compile(r"[a-z][a-z_]*-[1-9][0-9]*")
"""A version's name: its model, and a number that counts up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A version, apart from its arrays; plain JSON values all through."""

    version: str
    """``transfer-3``"""
    model: str
    """``transfer``"""
    kind: str
    """What made it, and of which layout its arrays are: ``transfer/1``."""
    key: str
    """See `key_of`."""
    data_sha256: str
    """Of the training rows."""
    rows: int
    """Training rows: values of all targets together."""
    told: int
    """Observations that were known, those without a value counted."""
    ranges: Mapping[str, Sequence[Any]]
    """Least value, greatest value and unit of each parameter that is a number, and of each target, in the data."""
    sources: Sequence[Sequence[str]]
    """Name and sha256 of each."""
    hyperparameters: Mapping[str, Any]
    code: str
    """The labpilot, and a hash of what makes the model in it."""
    seed: int
    device: str
    """``cpu`` or ``cuda``."""
    parent: str | None
    """The version of the same model before it."""
    created_utc: str
    why: str
    calibration: Mapping[str, Any] | None = None
    """Of the model's forecasts until then; None where there were fewer than 8."""
    layout: Mapping[str, Any] = field(default_factory=dict)
    """What is needed, beside the arrays, to make the model again."""
    arrays_sha256: str = ""
    """Of the file of its arrays."""

    @property
    def model_and_number(self) -> tuple[str, int]:
        """Return the model and the number of the version."""
        return model_of(self.version), int(self.version.rpartition("-")[2])

    def data(self) -> dict[str, Any]:
        """Return it as JSON values, with its hash."""
        body = {"format": FORMAT, **asdict(self)}
        return {**body, "sha256": _hash(body)}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Manifest:
        """Return what `data` wrote.

        Raises:
            ValueError: It is no manifest, or was changed.
        """
        body = {name: value for name, value in data.items() if name != "sha256"}
        if data.get("sha256") != _hash(body):
            raise ValueError("it does not match its hash")
        names = {one.name for one in fields(cls)}
        if body.keys() != {"format", *names}:
            raise ValueError(f"it has not the fields of a manifest ({sorted(body.keys() ^ {'format', *names})[0]!r})")
        if not isinstance(body["version"], str) or not NAME.fullmatch(body["version"]):
            raise ValueError(f"{body['version']!r} names no version")
        return cls(**{name: body[name] for name in names})


def key_of(
    *,
    data_sha256: str,
    sources: Sequence[Sequence[str]],
    code: str,
    hyperparameters: Mapping[str, Any],
    seed: int,
    device: str,
) -> str:
    """Return the sha256 of all that a fitted model follows from; equal keys are equal models."""
    parts = [data_sha256, [list(one) for one in sources], code, dict(hyperparameters), seed, device]
    return _hash(parts)


def model_of(version: str) -> str:
    """Return the model that a version is one of."""
    return version.rpartition("-")[0]


def hash_of_arrays(*arrays: NDArray[Any] | None) -> str:
    """Return the sha256 of arrays: their shapes, types and numbers; None counts as none."""
    found = hashlib.sha256()
    for one in arrays:
        found.update(b"none" if one is None else f"{one.dtype.str}{one.shape}".encode())
        if one is not None:
            found.update(np.ascontiguousarray(one).tobytes())
    return found.hexdigest()


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, allow_nan=False).encode()).hexdigest()
