"""A small convolutional network that reads thickness off R and T, as a distribution over 192 thicknesses.

A distribution and not a number: fringes fix thickness up to their order, so several thicknesses may be likely, and the
physics fit starts from each of them. The task is that of thicknessML (doi:10.1039/d2dd00149g); the network is ours.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

GRID_POINTS = 192
SHORTEST_NM, LONGEST_NM = 350.0, 1000.0
GRID_PER_UM: NDArray[np.float64] = np.linspace(1000.0 / LONGEST_NM, 1000.0 / SHORTEST_NM, GRID_POINTS)
"""Wavenumbers in 1/um that the network sees: equally spaced, so that fringes are."""
GRID_PER_UM.flags.writeable = False

BINS = 192
THICKNESS_NM: NDArray[np.float64] = np.geomspace(8.0, 2400.0, BINS)
"""``192`` thicknesses, 3 % apart."""
THICKNESS_NM.flags.writeable = False
_STEP = float(np.log(THICKNESS_NM[1] / THICKNESS_NM[0]))

_CENTRE = torch.tensor([[0.2], [0.6]])
_SPREAD = torch.tensor([[0.15], [0.3]])


def resampling(wavelength_nm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the ``n x 192`` matrix that takes a spectrum to the network's grid, averaging where it is denser.

    Raises:
        ValueError: The wavelengths do not reach from 350 to 1000 nm, to within 1 nm.
    """
    wavelength = np.asarray(wavelength_nm, dtype=float)
    if wavelength.min() > SHORTEST_NM + 1.0 or wavelength.max() < LONGEST_NM - 1.0:
        raise ValueError(
            f"the network needs {SHORTEST_NM:g} to {LONGEST_NM:g} nm; the spectrum reaches from "
            f"{wavelength.min():g} to {wavelength.max():g} nm"
        )
    at = 1000.0 / wavelength
    spacing = np.interp(GRID_PER_UM, np.sort(at), np.abs(np.gradient(np.sort(at))))
    width = 1.05 * np.maximum(spacing, GRID_PER_UM[1] - GRID_PER_UM[0])
    weights = np.clip(1.0 - np.abs(at[:, None] - GRID_PER_UM) / width, 0.0, None)
    # a spectrum that ends within 1 nm of the grid's end counts as reaching it
    weights[np.abs(at[:, None] - GRID_PER_UM).argmin(axis=0), np.arange(GRID_POINTS)] += 1e-6
    return weights / weights.sum(axis=0)


class ThicknessNet(nn.Module):
    """``b x 2 x 192`` resampled R and T, to ``b x 192`` logits over `THICKNESS_NM`."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv1d(2, 24, 9, padding=4), nn.ReLU(),
            nn.Conv1d(24, 32, 7, stride=2, padding=3), nn.ReLU(),
            nn.Conv1d(32, 48, 5, stride=2, padding=2), nn.ReLU(),
            nn.Conv1d(48, 64, 5, stride=2, padding=2), nn.ReLU(),
        )  # fmt: skip
        self.head = nn.Sequential(
            nn.Flatten(), nn.LayerNorm(64 * GRID_POINTS // 8), nn.Linear(64 * GRID_POINTS // 8, 192), nn.ReLU(),
            nn.Linear(192, BINS),
        )  # fmt: skip

    def forward(self, spectra: Tensor) -> Tensor:
        """Return the logits."""
        scaled = (spectra - _CENTRE.to(spectra)) / _SPREAD.to(spectra)
        return self.head(self.features(scaled))


def start_weights(network: nn.Module, generator: torch.Generator) -> None:
    """Draw all weights from a generator: He's normal for matrices, 0 for biases, 1 for the norm's scale."""
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.dim() > 1:
                fan_in = parameter[0].numel()
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * (2.0 / fan_in) ** 0.5)
        for module in network.modules():
            bias = getattr(module, "bias", None)
            if isinstance(bias, nn.Parameter):
                bias.zero_()


def soft_targets(thickness_nm: Tensor) -> Tensor:
    """Return ``b x 192`` target probabilities: a Gaussian of one bin's standard deviation about the truth."""
    centre = torch.log(thickness_nm / THICKNESS_NM[0]) / _STEP
    bins = torch.arange(BINS, device=thickness_nm.device, dtype=thickness_nm.dtype)
    return torch.softmax(-0.5 * (bins - centre.unsqueeze(-1)).square(), dim=-1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """What a network says of one film."""

    probability: NDArray[np.float64]
    """``192`` over `THICKNESS_NM`."""

    @property
    def thickness_nm(self) -> float:
        """The thickness that has most probability within 10 % of it."""
        return float(THICKNESS_NM[int(np.argmax(self._within()))])

    @property
    def confidence(self) -> float:
        """Return the probability within 10 % of `thickness_nm`."""
        return float(self._within().max())

    def support(self, thickness_nm: float) -> float:
        """Return the probability within 10 % of a thickness."""
        return float(np.interp(math.log(thickness_nm), np.log(THICKNESS_NM), self._within()))

    def modes(self, most: int = 4, least_probability: float = 0.02) -> list[float]:
        """Return likely thicknesses, the likeliest first; what is within 10 % of one counts for it alone."""
        left, found = self.probability.copy(), []
        while len(found) < most and _windowed(left).max() > least_probability:
            best = float(THICKNESS_NM[int(np.argmax(_windowed(left)))])
            found.append(best)
            left[np.abs(np.log(THICKNESS_NM / best)) < 0.1] = 0.0
        return found

    def _within(self) -> NDArray[np.float64]:
        return _windowed(self.probability)


def _windowed(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the probability within 10 % of each thickness."""
    reach = int(0.1 / _STEP)
    return np.convolve(probability, np.ones(2 * reach + 1), mode="same")


@dataclass(frozen=True, slots=True, kw_only=True)
class GuessNetwork:
    """A trained network, with how it was made."""

    network: ThicknessNet
    facts: dict[str, Any]

    def guess(self, wavelength_nm: NDArray[np.float64], spectra: NDArray[np.float64]) -> list[Guess]:
        """Return a guess for each of ``b x 2 x n`` spectra (R and T, shares of 1) over ``n`` wavelengths."""
        resampled = np.asarray(spectra, dtype=float) @ resampling(wavelength_nm)
        with torch.no_grad():
            logits = self.network(torch.as_tensor(resampled, dtype=torch.float32))
        return [Guess(probability=row) for row in torch.softmax(logits.double(), dim=-1).numpy()]


def weight_arrays(network: nn.Module, dtype: type = np.float32) -> dict[str, NDArray[Any]]:
    """Return the weights by name."""
    return {name: value.detach().cpu().numpy().astype(dtype) for name, value in network.state_dict().items()}


def with_weights(arrays: dict[str, NDArray[Any]]) -> ThicknessNet:
    """Build a network from arrays.

    Raises:
        ValueError: A name, a shape or a value does not belong to this network.
    """
    network = ThicknessNet()
    wanted = network.state_dict()
    if set(arrays) != set(wanted):
        raise ValueError(f"weights of another network: it has {sorted(set(arrays) ^ set(wanted))} more or less")
    for name, value in arrays.items():
        if tuple(value.shape) != tuple(wanted[name].shape) or not np.isfinite(value.astype(float)).all():
            raise ValueError(f"weights of another network or broken ones: {name} has shape {value.shape}")
    network.load_state_dict({name: torch.as_tensor(value.astype(np.float32)) for name, value in arrays.items()})
    return network.eval()


def save_network(path: Path, network: nn.Module, facts: dict[str, Any]) -> None:
    """Write weights as float16 arrays to `path` (.npz) and how they were made beside it (.json)."""
    np.savez_compressed(path, allow_pickle=False, **weight_arrays(network, np.float16))
    path.with_suffix(".json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


def load_network(path: Path) -> GuessNetwork:
    """Read what `save_network` wrote.

    Raises:
        ValueError: The file holds something else than this network's weights.
    """
    with np.load(path, allow_pickle=False) as archive:
        network = with_weights({name: archive[name] for name in archive.files})
    return GuessNetwork(network=network, facts=json.loads(path.with_suffix(".json").read_text(encoding="utf-8")))


@cache
def shipped_network(name: str) -> GuessNetwork:
    """Return a network of this package: ``generic`` or ``perovskite_like``, both for R and T on soda-lime glass."""
    with resources.as_file(resources.files("surrogate.spectra.film")) as folder:
        return load_network(folder / f"{name}.npz")
