"""The network that proposes phases: a residual one-dimensional convolutional network with several labels.

For each phase of its library it tells the logarithm of the odds that the phase is present, for the whole pattern the
odds that something is present which the library does not have, and roughly how much there is of each. It only proposes:
what it says is bounded to `LOG_ODDS_LIMITS` before it meets the evidence of a fit, so that it can never rule out a
phase that a pattern shows. Probabilities are calibrated by one temperature each for phases and for the unknown (Guo et
al., ICML 2017, arXiv:1706.04599), fitted on generated patterns that were not trained on.

A network belongs to one library and one wavelength, and refuses others.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from surrogate.model_file import store
from surrogate.xrd.library import Library
from surrogate.xrd.network_file import WrongNetwork, set_weights, stored, weight_arrays
from surrogate.xrd.network_input import N_BINS, N_CHANNELS, network_input
from surrogate.xrd.pattern import Pattern

Array = NDArray[np.float64]

LOG_ODDS_LIMITS = (-6.0, 2.0)
WAVELENGTH_TOLERANCE = 1e-3
"""Relative: as far as the mean of copper's two lines is from the first, and less than strains move peaks."""
FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How large a network is."""

    n_phases: int
    channels: tuple[int, ...] = (16, 24, 32, 48, 64)
    """After the first convolution and each block; each halves the number of bins."""
    kernel: int = 5
    hidden: int = 256


class _Block(nn.Module):
    """Two convolutions beside a direct way; half as many bins come out."""

    def __init__(self, before: int, after: int, kernel: int) -> None:
        super().__init__()
        self.way = nn.Sequential(
            nn.Conv1d(before, after, kernel, stride=2, padding=kernel // 2, bias=False),
            nn.BatchNorm1d(after),
            nn.ReLU(),
            nn.Conv1d(after, after, kernel, padding=kernel // 2, bias=False),
            nn.BatchNorm1d(after),
        )
        self.direct = nn.Sequential(nn.AvgPool1d(2), nn.Conv1d(before, after, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        """Return half as many bins."""
        return torch.relu(self.way(x) + self.direct(x))


class PhaseNet(nn.Module):
    """``b x 3 x N_BINS`` inputs, to ``b x 2 (p + 1)``: logits of presence, then of shares; the unknown stands last."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        first, *rest = shape.channels
        self.shape = shape
        self.stem = nn.Sequential(
            nn.Conv1d(N_CHANNELS, first, 9, stride=2, padding=4, bias=False), nn.BatchNorm1d(first), nn.ReLU()
        )
        widths = zip(shape.channels, rest, strict=False)
        self.blocks = nn.Sequential(*(_Block(before, after, shape.kernel) for before, after in widths))
        n_features = shape.channels[-1] * (N_BINS >> len(shape.channels))
        # where a feature stands tells the phase, so places are not averaged over
        self.head = nn.Sequential(
            nn.Flatten(),
            nn.Linear(n_features, shape.hidden),
            nn.ReLU(),
        )
        self.last = nn.Linear(shape.hidden, 2 * (shape.n_phases + 1))

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits."""
        return self.last(self.head(self.blocks(self.stem(x))))


def start_weights(network: PhaseNet, generator: torch.Generator, *, log_odds: float = -3.0) -> None:
    """Draw all weights from a CPU generator (He et al., arXiv:1502.01852); presence starts at the given odds."""
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.dim() > 1:
                spread = (2.0 / parameter[0].numel()) ** 0.5
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * spread)
        for module in network.modules():
            bias = getattr(module, "bias", None)
            if isinstance(bias, nn.Parameter):
                bias.zero_()
        last = network.last
        last.weight.mul_(0.1)
        last.bias[: network.shape.n_phases + 1] = log_odds


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What a network says of one pattern."""

    probability: Array
    """``p``, calibrated on generated patterns."""
    unknown_probability: float
    weight_fraction: Array
    """``p``, rough; together with what is unknown, their sum is 1."""
    log_odds: Array
    """``p``, within `LOG_ODDS_LIMITS`."""

    def best(self, n: int) -> list[int]:
        """Return the ``n`` most probable phases, the first the most probable."""
        return [int(one) for one in np.argsort(-self.probability, kind="stable")[:n]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseNetwork:
    """A trained network, and what it was trained for."""

    net: PhaseNet
    names: tuple[str, ...]
    """Of the ``p`` phases, in the order of its outputs."""
    library_key: str
    wavelength_angstrom: float
    temperature: float = 1.0
    unknown_temperature: float = 1.0
    facts: dict[str, Any]
    """How the weights were made."""

    def belonging_to(self, library: Library) -> PhaseNetwork:
        """Return the network with its outputs in the order of a library's phases.

        Raises:
            WrongNetwork: It was trained for another library.
        """
        if library.key != self.library_key:
            raise WrongNetwork(
                f"the network knows {len(self.names)} phases with key {self.library_key[:12]}, this library has "
                f"{len(library.phases)} with key {library.key[:12]}; train a network for it, or go on without one"
            )
        return _reordered(self, tuple(phase.name for phase in library.phases))

    def propose(self, pattern: Pattern) -> Proposal:
        """Say what a pattern may hold.

        Raises:
            WrongNetwork: The pattern was taken at another wavelength.
        """
        return self.propose_input(self.input_of(pattern))[0]

    def log_odds(self, pattern: Pattern) -> Array:
        """Return the ``p`` bounded log-odds of phases, as `surrogate.xrd.search.Searcher.log_odds` takes them.

        Raises:
            WrongNetwork: The pattern was taken at another wavelength.
        """
        return self.propose(pattern).log_odds

    def propose_input(self, inputs: Tensor) -> list[Proposal]:
        """Say what patterns may hold, from ``b x 3 x N_BINS`` of `network_input`."""
        with torch.no_grad():
            logits = self.net(inputs).to(torch.float64).cpu()
        n = len(self.names)
        present = logits[:, :n] / self.temperature
        unknown = torch.sigmoid(logits[:, n] / self.unknown_temperature)
        shares = torch.softmax(logits[:, n + 1 :], dim=1)[:, :n]
        return [
            Proposal(
                probability=torch.sigmoid(one).numpy(),
                unknown_probability=float(missing),
                weight_fraction=share.numpy(),
                log_odds=one.clamp(*LOG_ODDS_LIMITS).numpy(),
            )
            for one, missing, share in zip(present, unknown, shares, strict=True)
        ]

    def input_of(self, pattern: Pattern) -> Tensor:
        """Return a pattern as the network sees it, ``1 x 3 x bins``.

        Raises:
            WrongNetwork: The pattern was taken at another wavelength.
        """
        wavelength = pattern.radiation.wavelength_angstrom[0]
        self.check_wavelength(wavelength)
        intensity, variance = torch.tensor(pattern.intensity)[None], torch.tensor(pattern.variance)[None]
        return network_input(pattern.grid, intensity, variance, wavelength)

    def check_wavelength(self, wavelength_angstrom: float) -> None:
        """Refuse another wavelength than that which the network was trained for.

        Raises:
            WrongNetwork: It is another one.
        """
        if abs(wavelength_angstrom / self.wavelength_angstrom - 1.0) > WAVELENGTH_TOLERANCE:
            raise WrongNetwork(
                f"the network was trained for {self.wavelength_angstrom:.5f} angstrom, the pattern was taken at "
                f"{wavelength_angstrom:.5f}; train one for that wavelength, or go on without one"
            )


def _reordered(network: PhaseNetwork, names: tuple[str, ...]) -> PhaseNetwork:
    """Return a network whose last layer is in another order of phases."""
    if names == network.names:
        return network
    n = len(names)
    place = {name: number for number, name in enumerate(network.names)}
    order = torch.tensor([place[name] for name in names])
    rows = torch.cat([order, torch.tensor([n]), order + n + 1, torch.tensor([2 * n + 1])])
    net = PhaseNet(network.net.shape)
    state = dict(network.net.state_dict())
    for name in ("last.weight", "last.bias"):
        state[name] = state[name][rows]
    net.load_state_dict(state)
    return replace(network, net=net.eval(), names=names)


def save_network(path: Path, network: PhaseNetwork) -> None:
    """Write a network as one ``.npz`` of arrays and JSON; a crash leaves the old file or the new one."""
    facts = {name: getattr(network, name) for name in _FACTS}
    head = {"format": FORMAT, "shape": asdict(network.net.shape), **facts}
    store({f"weights/{k}": v for k, v in weight_arrays(network.net).items()}, head, path)


_FACTS = ("names", "library_key", "wavelength_angstrom", "temperature", "unknown_temperature", "facts")


def load_network(path: Path) -> PhaseNetwork:
    """Read what `save_network` wrote.

    Raises:
        WrongNetwork: The file holds something else.
    """
    arrays, head = stored(path)
    try:
        if head["format"] != FORMAT:
            raise WrongNetwork(f"{path} has format {head['format']}; this program reads {FORMAT}")
        net = PhaseNet(shape_of(head["shape"]))
        facts: dict[str, Any] = {name: head[name] for name in _FACTS} | {"names": tuple(head["names"])}
    except (KeyError, TypeError) as error:
        raise WrongNetwork(f"{path} holds no network that proposes phases: {error!r}") from error
    weights = {name.removeprefix("weights/"): value for name, value in arrays.items()}
    set_weights(net, weights)
    return PhaseNetwork(net=net.eval(), **facts)


def shape_of(facts: dict[str, Any]) -> Shape:
    """Return a shape from what JSON keeps of it."""
    return Shape(**{**facts, "channels": tuple(facts["channels"])})
