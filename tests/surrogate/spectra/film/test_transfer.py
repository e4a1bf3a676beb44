from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from simulators.materials import optics
from surrogate.spectra.film.substrate import Bench, Substrate, glass, silicon, silicon_index
from surrogate.spectra.film.transfer import coherent, on_half_space, on_thick_substrate

NM = torch.linspace(350.0, 1000.0, 40, dtype=torch.float64)
AIR = torch.ones(40, dtype=torch.complex128)

index = st.floats(1.0, 4.5)
absorbing = st.builds(complex, index, st.floats(0.0, 3.0))
thickness = st.floats(0.0, 3000.0)


def flat(value: complex) -> Tensor:
    return torch.full((40,), value, dtype=torch.complex128)


def nm(value: float) -> Tensor:
    return torch.tensor([value], dtype=torch.float64)


def by_matrices(layers: list[tuple[complex, float]], back: complex) -> tuple[np.ndarray, np.ndarray]:
    """Return R and T by characteristic matrices, E and H from the back to the front."""
    reflected, transmitted = [], []
    for wavelength in NM.tolist():
        matrix = np.eye(2, dtype=complex)
        for n, d in layers:
            delta = 2.0 * math.pi * n * d / wavelength
            matrix = matrix @ np.array(
                [[np.cos(delta), -1j * np.sin(delta) / n], [-1j * n * np.sin(delta), np.cos(delta)]]
            )
        e, h = matrix @ np.array([1.0, back])
        reflected.append(abs((e - h) / (e + h)) ** 2)
        transmitted.append(abs(2.0 / (e + h)) ** 2 * complex(back).real)
    return np.array(reflected), np.array(transmitted)


@given(absorbing, absorbing, thickness)
@settings(deadline=None, max_examples=60)
def test_one_film_is_airys_formula(film: complex, back: complex, d: float) -> None:
    out = on_half_space(coherent([AIR, flat(film), flat(back)], [nm(d)], NM), AIR, flat(back))
    phase = np.exp(4j * math.pi * film * d / NM.numpy())
    first, second = (1.0 - film) / (1.0 + film), (film - back) / (film + back)
    airy = np.abs((first + second * phase) / (1.0 + first * second * phase)) ** 2
    np.testing.assert_allclose(out.reflectance.numpy(), airy, atol=1e-12)


@given(st.lists(st.tuples(index, thickness), min_size=1, max_size=5), index)
@settings(deadline=None, max_examples=60)
def test_lossless_stacks_keep_the_energy(layers: list[tuple[float, float]], back: float) -> None:
    stack = coherent([AIR, *(flat(n) for n, _ in layers), flat(back)], [nm(d) for _, d in layers], NM)
    half = on_half_space(stack, AIR, flat(back))
    torch.testing.assert_close(half.reflectance + half.transmittance, torch.ones(40, dtype=torch.float64))
    thick = on_thick_substrate(stack, ambient=AIR, substrate=flat(back), substrate_nm=1e6, wavelength_nm=NM)
    torch.testing.assert_close(thick.reflectance + thick.transmittance, torch.ones(40, dtype=torch.float64))


@given(st.lists(st.tuples(absorbing, st.floats(0.0, 300.0)), min_size=1, max_size=4), index)
@settings(deadline=None, max_examples=40)
def test_absorbing_stacks_agree_with_characteristic_matrices(layers: list[tuple[complex, float]], back: float) -> None:
    stack = coherent([AIR, *(flat(n) for n, _ in layers), flat(back)], [nm(d) for _, d in layers], NM)
    out = on_half_space(stack, AIR, flat(back))
    r, t = by_matrices(layers, back)
    np.testing.assert_allclose(out.reflectance.numpy(), r, atol=1e-8)
    np.testing.assert_allclose(out.transmittance.numpy(), t, atol=1e-8)


@given(absorbing, thickness, st.floats(1.3, 2.5), st.floats(0.0, 1e-5))
@settings(deadline=None, max_examples=60)
def test_nothing_is_gained_on_a_substrate(film: complex, d: float, back: float, k: float) -> None:
    stack = coherent([AIR, flat(film), flat(complex(back, k))], [nm(d)], NM)
    out = on_thick_substrate(stack, ambient=AIR, substrate=flat(complex(back, k)), substrate_nm=1e6, wavelength_nm=NM)
    assert bool((out.reflectance >= 0.0).all()) and bool((out.transmittance >= 0.0).all())
    assert bool((out.reflectance + out.transmittance <= 1.0 + 1e-9).all())


def test_bare_substrate_is_the_closed_formula() -> None:
    n, k, d_nm = 1.52, 2e-6, 1e6
    stack = coherent([AIR, flat(complex(n, k))], [], NM)
    out = on_thick_substrate(stack, ambient=AIR, substrate=flat(complex(n, k)), substrate_nm=d_nm, wavelength_nm=NM)
    r, inner = ((n - 1.0) / (n + 1.0)) ** 2, np.exp(-4.0 * math.pi * k * d_nm / NM.numpy())
    transmittance = (1.0 - r) ** 2 * inner / (1.0 - r**2 * inner**2)
    np.testing.assert_allclose(out.transmittance.numpy(), transmittance, atol=1e-10)
    np.testing.assert_allclose(out.reflectance.numpy(), r * (1.0 + inner * transmittance), atol=1e-10)


def test_thick_substrate_is_the_mean_over_its_phase() -> None:
    film, n, wavelength = 2.2 + 0.1j, 1.5, torch.full((2000,), 600.0, dtype=torch.float64)
    one = torch.ones(2000, dtype=torch.complex128)
    substrate_nm = 1e6 + torch.linspace(0.0, 200.0, 2001, dtype=torch.float64)[:-1]
    layers = coherent([one, film * one, n * one, one], [nm(150.0), substrate_nm], wavelength)
    mean = on_half_space(layers, one, one)
    stack = coherent([one, film * one, n * one], [nm(150.0)], wavelength)
    thick = on_thick_substrate(stack, ambient=one, substrate=n * one, substrate_nm=1e6, wavelength_nm=wavelength)
    assert float(mean.reflectance.mean()) == pytest.approx(float(thick.reflectance[0]), abs=1e-6)
    assert float(mean.transmittance.mean()) == pytest.approx(float(thick.transmittance[0]), abs=1e-6)


def test_opaque_film_hides_what_lies_below() -> None:
    stack = coherent([AIR, flat(2.0 + 3.0j), flat(1.5)], [nm(1e5)], NM)
    out = on_half_space(stack, AIR, flat(1.5))
    bare = abs((1.0 - (2.0 + 3.0j)) / (3.0 + 3.0j)) ** 2
    torch.testing.assert_close(out.reflectance, torch.full((40,), bare, dtype=torch.float64))
    assert float(out.transmittance.max()) == 0.0


def test_derivatives_agree_with_differences() -> None:
    bench = Bench.of(glass(), NM.numpy()[::8])

    def spectra(n: Tensor, k: Tensor, d: Tensor) -> tuple[Tensor, Tensor]:
        return bench.film(torch.complex(n, k), d)

    n = torch.full((2, 5), 2.1, dtype=torch.float64, requires_grad=True)
    k = torch.full((2, 5), 0.05, dtype=torch.float64, requires_grad=True)
    d = torch.tensor([80.0, 700.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(spectra, (n, k, d))


def test_film_on_silicon_agrees_with_the_simulated_film() -> None:
    wavelength = np.linspace(350.0, 900.0, 111)
    film = optics.TaucLorentz(amplitude=100.0, resonance=3.5, broadening=2.0, gap=1.6, eps_inf=1.5).index(wavelength)
    ours = Bench.of(silicon(), wavelength).film(torch.tensor(film)[None], nm(300.0))
    theirs = optics.layer_reflectance(film, optics.silicon_index(wavelength), 300.0, wavelength)
    # the two tables are interpolated over different ranges
    np.testing.assert_allclose(ours.reflectance[0].numpy(), theirs, atol=1e-5)
    assert float(ours.transmittance.max()) == 0.0


def test_layers_and_media_must_match() -> None:
    with pytest.raises(ValueError, match="1 layers lie between 3 media, not 2"):
        coherent([AIR, AIR], [nm(1.0)], NM)


def test_silicon_outside_its_table_is_refused() -> None:
    with pytest.raises(ValueError, match="tabulated from 250 to 1050 nm"):
        silicon_index(np.array([400.0, 1200.0]))


def test_a_substrate_says_whether_it_is_opaque() -> None:
    assert silicon().is_opaque and not glass().is_opaque
    assert not Substrate(name="mica", index=silicon_index, thickness_mm=0.1).is_opaque
