"""Weights of networks, and of checkpoints, as arrays (`surrogate.model_file`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from surrogate import model_file


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


def stored(path: Path) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Read what `surrogate.model_file.store` wrote.

    Raises:
        WrongNetwork: The file holds something else.
    """
    try:
        return model_file.stored(path, what="network or checkpoint")
    except model_file.WrongModelFile as error:
        raise WrongNetwork(str(error)) from error
