"""What tests of the network share: a small library, and patterns as a person would bring them."""

from __future__ import annotations

import numpy as np
import torch

from surrogate.formats.record import Axis, Scan, counted
from surrogate.xrd.grid import Grid
from surrogate.xrd.library import Library, embedded_library
from surrogate.xrd.network import PhaseNet, PhaseNetwork, Shape, start_weights
from surrogate.xrd.pattern import Pattern, make_pattern

NAMES = ("rutile", "corundum", "quartz", "halite", "baddeleyite", "periclase")
TINY = Shape(n_phases=len(NAMES), channels=(6, 8, 8, 8), hidden=16)
COPPER_ANGSTROM = 1.540598


def library() -> Library:
    return embedded_library(NAMES)


def untrained(seed: int = 0) -> PhaseNetwork:
    net = PhaseNet(TINY)
    start_weights(net, torch.Generator().manual_seed(seed))
    with torch.no_grad():
        net.last.weight.mul_(8.0)  # so that what it says is far from its start
    return PhaseNetwork(
        net=net.eval(),
        names=NAMES,
        library_key=library().key,
        wavelength_angstrom=COPPER_ANGSTROM,
        temperature=1.3,
        unknown_temperature=0.7,
        facts={"seed": seed},
    )


def pattern_of(counts: torch.Tensor, grid: Grid, *, wavelength_angstrom: float | None = COPPER_ANGSTROM) -> Pattern:
    values = counts.numpy().astype(np.float64)
    axis = Axis(quantity="two_theta", unit="deg", values=grid.two_theta_deg.numpy())
    scan = Scan(kind="diffractogram", axis=axis, **counted(values))
    return make_pattern(scan, wavelength_angstrom=wavelength_angstrom)
