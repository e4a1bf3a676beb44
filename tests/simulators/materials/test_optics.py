import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from simulators.materials import optics
from simulators.materials.optics import TaucLorentz, bare_reflectance, layer_reflectance, silicon_index
from simulators.materials.phases import OSCILLATORS

OSCILLATOR = TaucLorentz(amplitude=120.0, resonance=4.0, broadening=1.5, gap=2.3, eps_inf=1.7)


def kramers_kronig(oscillator: TaucLorentz, energy: float) -> float:
    """Integrate the published relation numerically, with the pole subtracted."""

    def eps_2(e: float) -> float:
        return float(oscillator.permittivity(np.array([e])).imag[0])

    def subtracted(e: float) -> float:
        return (e * eps_2(e) - energy * eps_2(energy)) / (e * e - energy * energy)

    far = 60.0
    finite = quad(subtracted, 1e-6, energy, limit=400)[0] + quad(subtracted, energy, far, limit=800)[0]
    tail = quad(lambda e: e * eps_2(e) / (e * e - energy * energy), far, np.inf)[0]
    pole = eps_2(energy) * np.log((far - energy) / (far + energy)) / 2.0
    return oscillator.eps_inf + 2.0 / np.pi * (finite + tail + pole)


@pytest.mark.parametrize("energy", [1.4, 2.0, 2.3, 2.5, 3.0, 3.5])
def test_real_part_obeys_kramers_kronig(energy: float):
    closed = OSCILLATOR.permittivity(np.array([energy])).real[0]
    assert closed == pytest.approx(kramers_kronig(OSCILLATOR, energy), rel=1e-6)


@pytest.mark.parametrize("oscillator", OSCILLATORS, ids=["amorphous", "beta", "delta", "gamma"])
def test_shipped_oscillators_obey_kramers_kronig(oscillator: TaucLorentz):
    closed = oscillator.permittivity(np.array([2.1])).real[0]
    assert closed == pytest.approx(kramers_kronig(oscillator, 2.1), rel=1e-6)


@pytest.mark.parametrize("oscillator", OSCILLATORS, ids=["amorphous", "beta", "delta", "gamma"])
def test_shipped_oscillators_keep_to_the_ranges_of_real_oxides(oscillator: TaucLorentz):
    assert 60.0 <= oscillator.amplitude <= 200.0
    assert 3.5 <= oscillator.resonance <= 5.5
    assert 0.5 <= oscillator.broadening <= 4.0
    assert 1.8 <= oscillator.gap <= 3.4
    assert 1.0 <= oscillator.eps_inf <= 2.5


def test_nothing_is_absorbed_below_the_gap_and_something_above():
    below = OSCILLATOR.index(optics.HC_EV_NM / np.array([1.4, 2.0, 2.299]))
    above = OSCILLATOR.index(optics.HC_EV_NM / np.array([2.35, 3.0]))
    assert np.all(below.imag == 0.0)
    assert np.all(above.imag > 0.0)


def test_real_part_is_smooth_across_the_gap():
    at, around = np.array([2.3]), np.array([2.3 - 1e-7, 2.3 + 1e-7])
    assert OSCILLATOR.permittivity(around).real == pytest.approx(
        np.repeat(OSCILLATOR.permittivity(at).real, 2), abs=1e-5
    )


@pytest.mark.parametrize(
    "wrong", [{"gap": 4.5}, {"gap": 0.0}, {"broadening": 6.0}, {"broadening": 0.0}], ids=lambda wrong: str(wrong)
)
def test_an_impossible_oscillator_is_refused(wrong: dict[str, float]):
    parameters = {"amplitude": 1.0, "resonance": 4.0, "broadening": 1.0, "gap": 2.0, "eps_inf": 1.0}
    with pytest.raises(ValueError, match=r"0 < gap < resonance"):
        TaucLorentz(**{**parameters, **wrong})


def test_silicon_goes_through_the_published_points():
    index = silicon_index(np.array([400.0, 633.0, 900.0]))
    assert index[0] == pytest.approx(5.613 + 0.296j)
    assert index[1].real == pytest.approx(3.873, abs=0.002)
    assert index[2] == pytest.approx(3.614 + 0.00217j, abs=1e-5)


def test_silicon_has_its_textbook_reflectance():
    assert bare_reflectance(silicon_index(np.array([633.0])))[0] == pytest.approx(0.348, abs=0.002)


def film_on_silicon(thickness_nm: float, index: complex) -> np.ndarray:
    film = np.full((1, optics.N_PIXELS), index)
    return layer_reflectance(film, silicon_index(optics.WAVELENGTH_NM), thickness_nm, optics.WAVELENGTH_NM)[0]


def test_a_film_of_no_thickness_is_the_bare_substrate():
    assert film_on_silicon(0.0, 2.4 + 0.1j) == pytest.approx(bare_reflectance(silicon_index(optics.WAVELENGTH_NM)))


def test_a_thick_absorbing_film_hides_the_substrate():
    assert film_on_silicon(20_000.0, 2.4 + 0.5j) == pytest.approx(bare_reflectance(np.array([2.4 + 0.5j]))[0])


def test_a_quarter_wave_of_the_geometric_mean_index_reflects_nothing():
    wavelength = np.array([600.0])
    film = np.array([[2.0 + 0.0j]])
    reflectance = layer_reflectance(film, np.array([4.0 + 0.0j]), 600.0 / (4.0 * 2.0), wavelength)
    assert reflectance[0, 0] == pytest.approx(0.0, abs=1e-14)


def characteristic_matrix_reflectance(film: complex, substrate: complex, thickness: float, wavelength: float) -> float:
    """Multiply Abeles' matrix out, with its own convention N = n - ik."""
    n, s = film.conjugate(), substrate.conjugate()
    delta = 2.0 * np.pi * n * thickness / wavelength
    matrix = np.array([[np.cos(delta), 1j * np.sin(delta) / n], [1j * n * np.sin(delta), np.cos(delta)]])
    b, c = matrix @ np.array([1.0, s])
    return float(abs((b - c) / (b + c)) ** 2)


@given(
    n=st.floats(1.3, 4.0),
    k=st.floats(0.0, 2.0),
    thickness=st.floats(0.0, 400.0),
    wavelength=st.floats(350.0, 900.0),
)
def test_one_layer_agrees_with_the_transfer_matrix_and_conserves_energy(
    n: float, k: float, thickness: float, wavelength: float
):
    at = np.array([wavelength])
    reflectance = layer_reflectance(np.array([[complex(n, k)]]), silicon_index(at), thickness, at)[0, 0]
    expected = characteristic_matrix_reflectance(complex(n, k), silicon_index(at)[0], thickness, wavelength)
    assert reflectance == pytest.approx(expected, abs=1e-10)
    assert 0.0 <= reflectance <= 1.0


@pytest.mark.parametrize(("thickness_nm", "error"), [(150.0, 5e-5), (260.0, 1e-4), (400.0, 3e-4)])
@pytest.mark.parametrize("oscillator", OSCILLATORS, ids=["amorphous", "beta", "delta", "gamma"])
def test_interpolating_between_knots_costs_less_than_any_detector_sees(
    oscillator: TaucLorentz, thickness_nm: float, error: float
):
    def reflectance(wavelength: np.ndarray) -> np.ndarray:
        return layer_reflectance(
            oscillator.index(wavelength)[None], silicon_index(wavelength), thickness_nm, wavelength
        )

    interpolated = optics.knots_to_pixels(reflectance(optics.KNOT_NM))
    assert interpolated.shape == (1, 1200)
    assert np.abs(interpolated - reflectance(optics.WAVELENGTH_NM)).max() < error
