"""Files of networks and of checkpoints: arrays and JSON in one ``.npz``, without pickle, replaced as a whole."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn


class WrongNetwork(ValueError):
    """A network was asked about another library, another wavelength, or its file holds something else."""


def weight_arrays(net: nn.Module) -> dict[str, NDArray[Any]]:
    """Return weights, and the running statistics of normalisation, by name."""
    return {name: value.detach().cpu().numpy().copy() for name, value in net.state_dict().items()}


def set_weights(net: nn.Module, arrays: dict[str, NDArray[Any]]) -> None:
    """Give a network the weights of arrays.

    Raises:
        WrongNetwork: A name, a shape or a value does not belong to this network.
    """
    wanted = net.state_dict()
    if set(arrays) != set(wanted):
        raise WrongNetwork(f"weights of another network: {sorted(set(arrays) ^ set(wanted))[:4]} are more or less")
    for name, value in arrays.items():
        if tuple(value.shape) != tuple(wanted[name].shape) or not np.isfinite(value.astype(float)).all():
            raise WrongNetwork(f"weights of another network or broken ones: {name} has shape {value.shape}")
    net.load_state_dict({name: torch.as_tensor(value) for name, value in arrays.items()})


def store(arrays: dict[str, NDArray[Any]], head: dict[str, Any], path: Path) -> None:
    """Write arrays and JSON into one ``.npz``, on the disk before it takes its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    with part.open("wb") as file:
        np.savez(file, allow_pickle=False, head=np.array(json.dumps(head)), **arrays)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)


def sha256_of(path: Path) -> str:
    """Return the hash of a file, by which results name the network that had a part in them."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def stored(path: Path) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Read what `store` wrote.

    Raises:
        WrongNetwork: The file holds something else.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        head = json.loads(str(arrays.pop("head")))
    except FileNotFoundError:
        raise
    except (OSError, ValueError, KeyError, EOFError, AttributeError, BadZipFile) as error:
        raise WrongNetwork(f"{path} holds no network or checkpoint: {error}") from error
    return arrays, head
