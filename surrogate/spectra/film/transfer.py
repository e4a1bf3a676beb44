"""Light through stacks of films at normal incidence: reflectance and transmittance, batched and differentiable.

Amplitudes: the scattering form of the transfer-matrix method (D. Y. K. Ko and J. C. Inkson, Phys. Rev. B 38, 9945
(1988), doi:10.1103/PhysRevB.38.9945): no factor grows with thickness, so an opaque film is no special case. Intensities
behind a substrate that is thick against the coherence length are summed as a geometric series, e.g. H. A. Macleod,
Thin-Film Optical Filters, 4th ed. (2010), doi:10.1201/9781420073034.
Sign convention: N = n + ik, waves exp(i (2 pi N z / lambda - omega t)).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class Scattering(NamedTuple):
    """Amplitudes of a stack: reflected and transmitted from the front, and from the back."""

    r: Tensor
    t: Tensor
    r_back: Tensor
    t_back: Tensor


class Intensities(NamedTuple):
    """Shares of the incident intensity, ``... x n``."""

    reflectance: Tensor
    transmittance: Tensor


def interface(front: Tensor, back: Tensor) -> Scattering:
    """Return Fresnel's amplitudes between two half spaces of complex index."""
    total = front + back
    r = (front - back) / total
    return Scattering(r, 2.0 * front / total, -r, 2.0 * back / total)


def joined(first: Scattering, second: Scattering) -> Scattering:
    """Return the amplitudes of two stacks in a row (Redheffer's star product)."""
    echo = 1.0 / (1.0 - first.r_back * second.r)
    return Scattering(
        first.r + first.t * second.r * first.t_back * echo,
        first.t * second.t * echo,
        second.r_back + second.t * first.r_back * second.t_back * echo,
        first.t_back * second.t_back * echo,
    )


def through(stack: Scattering, passage: Tensor) -> Scattering:
    """Append a layer's inside to a stack; `passage` is exp(i 2 pi N d / lambda)."""
    return Scattering(stack.r, stack.t * passage, stack.r_back * passage.square(), stack.t_back * passage)


def coherent(indices: Sequence[Tensor], thicknesses_nm: Sequence[Tensor], wavelength_nm: Tensor) -> Scattering:
    """Return the amplitudes of layers between two half spaces.

    Args:
        indices: ``m + 2`` tensors that broadcast to ``... x n``: front medium, ``m`` layers, back medium.
        thicknesses_nm: ``m`` tensors that broadcast to ``... x n`` (``b x 1`` for a batch).
        wavelength_nm: ``n``.
    """
    if len(indices) != len(thicknesses_nm) + 2:
        raise ValueError(
            f"{len(thicknesses_nm)} layers lie between {len(thicknesses_nm) + 2} media, not {len(indices)}"
        )
    stack = interface(indices[0], indices[1])
    for i, thickness in enumerate(thicknesses_nm, start=1):
        passage = torch.exp(2j * math.pi * indices[i] * thickness / wavelength_nm)
        stack = joined(through(stack, passage), interface(indices[i], indices[i + 1]))
    return stack


def on_half_space(stack: Scattering, front: Tensor, back: Tensor) -> Intensities:
    """Return R, and T as the share of light that enters the half space behind the stack."""
    return Intensities(_square(stack.r), _square(stack.t) * back.real / front.real)


def on_thick_substrate(
    stack: Scattering, *, ambient: Tensor, substrate: Tensor, substrate_nm: float, wavelength_nm: Tensor
) -> Intensities:
    """Return R and T of a stack on a substrate so thick that its own echoes add as intensities.

    Args:
        stack: amplitudes from the ambient into the substrate.
        ambient: index in front of the stack and behind the substrate, real.
        substrate: complex index, ``n``; its k must be small against n.
        substrate_nm: thickness of the substrate.
        wavelength_nm: ``n``.
    """
    rear = _square(interface(substrate, ambient).r)
    passage = torch.exp(-4.0 * math.pi * substrate.imag * substrate_nm / wavelength_nm)
    enter = _square(stack.t) * substrate.real / ambient.real
    leave = _square(stack.t_back) * ambient.real / substrate.real
    echo = 1.0 / (1.0 - _square(stack.r_back) * rear * passage.square())
    reflectance = _square(stack.r) + enter * leave * rear * passage.square() * echo
    return Intensities(reflectance, enter * (1.0 - rear) * passage * echo)


def _square(amplitude: Tensor) -> Tensor:
    return amplitude.real.square() + amplitude.imag.square()
