from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.materials import optics
from surrogate.spectra.film.dispersion import (
    HC_EV_NM,
    Cauchy,
    Oscillator,
    TaucLorentz,
    energy_ev,
    index_of,
    soda_lime_index,
    tauc_lorentz,
)
from surrogate.spectra.film.families import FAMILIES
from surrogate.spectra.film.simulate import WAVELENGTH_NM

PARAMETERS = st.tuples(st.floats(1.0, 200.0), st.floats(0.02, 3.0), st.floats(0.05, 1.3), st.floats(0.5, 5.0)).map(
    lambda p: Oscillator(amplitude=p[0], resonance=p[3] + p[1], broadening=p[2] * (p[3] + p[1]), gap=p[3])
)


@given(PARAMETERS, st.floats(1.0, 4.0))
@settings(deadline=None, max_examples=100)
def test_index_agrees_with_the_code_of_the_simulated_film(oscillator: Oscillator, eps_inf: float) -> None:
    other = optics.TaucLorentz(
        amplitude=oscillator.amplitude,
        resonance=oscillator.resonance,
        broadening=oscillator.broadening,
        gap=oscillator.gap,
        eps_inf=eps_inf,
    )
    index = TaucLorentz(eps_inf=eps_inf, oscillators=[oscillator]).index(WAVELENGTH_NM)
    np.testing.assert_allclose(index, other.index(WAVELENGTH_NM), rtol=1e-8, atol=1e-9)


@given(PARAMETERS)
@settings(deadline=None, max_examples=100)
def test_absorption_is_never_negative_and_ends_at_the_gap(oscillator: Oscillator) -> None:
    eps = tauc_lorentz(energy_ev(torch.tensor(WAVELENGTH_NM)), torch.tensor(oscillator.as_row(), dtype=torch.float64))
    assert bool((eps.imag >= 0.0).all())
    below = torch.tensor(oscillator.gap > HC_EV_NM / WAVELENGTH_NM)
    assert bool((eps.imag[below] == 0.0).all())


def test_real_part_is_the_kramers_kronig_integral_of_the_imaginary_part() -> None:
    row = torch.tensor([60.0, 3.0, 0.8, 2.0], dtype=torch.float64)
    step = 0.001
    grid = torch.arange(1e-3, 400.0, step, dtype=torch.float64)
    imaginary = tauc_lorentz(grid, row).imag
    # half-way between two points of the grid, the principal value is what is left of the sum
    for at in (1.0005, 2.5005, 3.5005):
        integral = (grid * imaginary / (grid.square() - at**2)).sum() * step * 2.0 / np.pi
        real = tauc_lorentz(torch.tensor([at], dtype=torch.float64), row).real
        assert float(integral) == pytest.approx(float(real), abs=2e-3)


def test_derivatives_agree_with_differences_also_at_the_gap() -> None:
    rows = torch.tensor([[60.0, 3.0, 0.8, 2.0], [20.0, 1.7, 0.1, 1.6]], dtype=torch.float64, requires_grad=True)
    energy = torch.tensor([1.3, 2.0, 2.5, 3.4], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda p: tauc_lorentz(energy, p).real, rows)
    energy = torch.tensor([1.3, 2.3, 2.5, 3.4], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda p: tauc_lorentz(energy, p).imag, rows)


def test_index_of_a_passive_material_has_positive_parts() -> None:
    eps = torch.complex(torch.tensor([-3.0, 0.5, 9.0]), torch.tensor([0.1, 2.0, 0.0]))
    index = index_of(eps)
    assert bool((index.real >= 0.0).all()) and bool((index.imag >= 0.0).all())
    torch.testing.assert_close(index.square(), eps)


def test_transparent_materials() -> None:
    assert Cauchy(a=1.4, b_um2=0.01, c_um4=0.001).index(np.array([500.0]))[0] == pytest.approx(1.4 + 0.04 + 0.016)
    assert soda_lime_index(np.array([589.0]))[0].real == pytest.approx(1.5233, abs=5e-4)


@pytest.mark.parametrize("change", [{"gap": 0.0}, {"broadening": 5.0}, {"amplitude": -1.0}, {"broadening": 0.0}])
def test_impossible_oscillators_are_refused(change: dict[str, float]) -> None:
    usual = {"amplitude": 10.0, "resonance": 3.0, "broadening": 1.0, "gap": 2.0}
    with pytest.raises(ValueError, match="a Tauc-Lorentz oscillator needs"):
        Oscillator(**(usual | change))


def test_families_are_apart() -> None:
    generic = FAMILIES["generic"](500, torch.Generator().manual_seed(1))
    target = FAMILIES["perovskite-like"](500, torch.Generator().manual_seed(1))
    assert float(generic.oscillators[..., 2].min()) >= 0.4 > float(target.oscillators[:, 0, 2].max())
    used = (generic.oscillators[..., 0] > 0.0).sum(-1)
    assert set(used.tolist()) == {1, 2, 3}
    n = index_of(target.permittivity(torch.tensor([1.24], dtype=torch.float64))).real
    assert float(n.min()) > 1.5 and float(n.max()) < 3.2
