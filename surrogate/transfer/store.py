"""Mixtures as files: what is needed to make them again, which gives the same predictions to the last digit."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from surrogate.matern_gp import GP, Kernel
from surrogate.model_file import WrongModelFile, store, stored
from surrogate.transfer.mixture import Mixture
from surrogate.transfer.sources import PreparedSource

FORMAT = "labpilot transfer mixture"
VERSION = 1
"""Of the layout of the file, and of what is made of it."""
_OF_SOURCE = ("lengths", "X", "y", "noise")


def save(mixture: Mixture, path: Path) -> None:
    """Write a mixture to an ``.npz`` file, replaced as a whole."""
    arrays, head = to_arrays(mixture)
    store(arrays, {"format": FORMAT, "version": VERSION, **head}, path)


def to_arrays(mixture: Mixture) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Return what a mixture is made of: arrays and JSON values."""
    arrays: dict[str, NDArray[Any]] = {"X": mixture.X, "y": mixture.y}
    if mixture.noise is not None:
        arrays["noise"] = mixture.noise
    sources = []
    for number, one in enumerate(mixture.sources):
        values = (one.gp.kernel.lengths, one.gp.X, one.gp.y, one.gp.noise)
        arrays |= {f"source{number}_{name}": value for name, value in zip(_OF_SOURCE, values, strict=True)}
        sources.append(
            {
                "name": one.name,
                "centre": one.centre,
                "spread": one.spread,
                "scale": one.gp.kernel.scale,
                "mean": one.gp.mean,
            }
        )
    return arrays, {"sources": sources}


def of_arrays(arrays: Mapping[str, NDArray[Any]], head: Mapping[str, Any]) -> Mixture:
    """Make a mixture of what `to_arrays` returned.

    Raises:
        KeyError, IndexError, TypeError, ValueError, ArithmeticError: Something is missing, or no mixture.
    """
    sources = [_source(head["sources"][n], arrays, n) for n in range(len(head["sources"]))]
    return Mixture(sources, arrays["X"], arrays["y"], arrays.get("noise"))


def load(path: Path) -> Mixture:
    """Make a mixture again from its file.

    Raises:
        FileNotFoundError: There is none.
        WrongModelFile: It is broken, of a newer version, or holds something else.
    """
    arrays, head = stored(path)
    if head.get("format") != FORMAT:
        raise WrongModelFile(f"{path} holds no mixture of transfer")
    if head.get("version") != VERSION:
        raise WrongModelFile(
            f"{path} is of version {head.get('version')}; this labpilot knows {VERSION}: use the one that wrote it"
        )
    try:
        return of_arrays(arrays, head)
    except (KeyError, IndexError, TypeError, ValueError, ArithmeticError) as error:
        raise WrongModelFile(f"{path} holds no whole mixture: {error}") from error


def _source(told: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], number: int) -> PreparedSource:
    lengths, X, y, noise = (np.asarray(arrays[f"source{number}_{name}"], dtype=float) for name in _OF_SOURCE)
    gp = GP(kernel=Kernel(lengths, float(told["scale"])), mean=float(told["mean"]), X=X, y=y, noise=noise)
    return PreparedSource(name=str(told["name"]), gp=gp, centre=float(told["centre"]), spread=float(told["spread"]))
