from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from simulators.materials import optics
from surrogate.spectra.errors import CannotTell
from surrogate.spectra.film import FilmResult, NotDetermined, fit_film, glass, silicon
from surrogate.spectra.film.dispersion import Cauchy, Oscillator, TaucLorentz
from surrogate.spectra.film.levenberg import minimise
from surrogate.spectra.film.library import LibraryKey, best_starts, shelved_library, thickness_grid
from surrogate.spectra.film.model import FilmModel, Measured
from surrogate.spectra.film.network import BINS, Guess, GuessNetwork
from surrogate.spectra.film.parameters import COUNT, Belief, broad_belief, places, values
from surrogate.spectra.film.search import hops
from surrogate.spectra.film.simulate import WAVELENGTH_NM, Disturbance, disturbed
from surrogate.spectra.film.substrate import Bench, Substrate

NM = WAVELENGTH_NM[::2]

FILM = TaucLorentz(
    eps_inf=1.5,
    oscillators=[
        Oscillator(amplitude=40.0, resonance=2.5, broadening=0.7, gap=1.6),
        Oscillator(amplitude=60.0, resonance=5.0, broadening=1.5, gap=3.0),
    ],
)


def spectra_of(
    index: np.ndarray, nm: float, *, substrate: Substrate | None = None, seed: int = 0, noise: float = 0.005
) -> np.ndarray:
    """Return ``2 x n`` spectra with the usual disturbance."""
    bench = Bench.of(substrate or glass(), NM)
    out = bench.film(torch.tensor(index)[None], torch.tensor([nm], dtype=torch.float64))
    clean = torch.stack([out.reflectance, out.transmittance], dim=1)
    disturbance = Disturbance(noise_low=noise, noise_high=noise)
    return disturbed(clean, disturbance, torch.Generator().manual_seed(seed))[0][0].numpy()


def fit(spectra: np.ndarray, **changes: object) -> FilmResult:
    usual = {"substrate": glass(), "sigma": 0.005, "rng": np.random.default_rng(0)}
    return fit_film(NM, spectra[0], spectra[1], **(usual | changes))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def result() -> FilmResult:
    return fit(spectra_of(FILM.index(NM), 620.0))


def test_thickness_is_found_with_a_fair_error(result: FilmResult) -> None:
    low, high = result.thickness_interval_nm
    assert low <= 620.0 <= high
    assert result.thickness_nm == pytest.approx(620.0, rel=0.02)
    assert 0.0 < result.thickness_sd_nm < 15.0
    assert 0.8 < result.misfit < 1.2
    assert result.guess_nm == pytest.approx(620.0, rel=0.1)


def test_constants_are_found_with_a_fair_error(result: FilmResult) -> None:
    index = FILM.index(NM)
    constants = result.constants
    assert np.median(np.abs(constants.n - index.real)) < 0.02
    is_inside = (constants.n_interval[0] <= index.real) & (index.real <= constants.n_interval[1])
    assert is_inside.mean() > 0.6
    assert (constants.k_interval[0] >= 0.0).all()
    absorbing = index.imag > 0.05
    np.testing.assert_allclose(constants.k[absorbing], index.imag[absorbing], rtol=0.25)


def test_the_result_is_json_and_its_film_gives_the_calculated_spectra(result: FilmResult) -> None:
    first = json.loads(json.dumps(result.as_dict()))["solutions"][0]
    material = TaucLorentz(
        eps_inf=first["eps_inf"],
        oscillators=[
            Oscillator(amplitude=a, resonance=e, broadening=c, gap=g) for a, e, c, g in first["oscillators_ev"]
        ],
    )
    np.testing.assert_allclose(material.index(NM), result.constants.n + 1j * result.constants.k, rtol=1e-6, atol=1e-9)
    bench = Bench.of(glass(), NM)
    thickness = torch.tensor([first["thickness_nm"]], dtype=torch.float64)
    out = bench.film(torch.tensor(material.index(NM))[None], thickness)
    np.testing.assert_allclose(out.reflectance[0].numpy(), result.calculated[0], atol=1e-6)


def test_the_same_seed_gives_the_same_result(result: FilmResult) -> None:
    again = fit(spectra_of(FILM.index(NM), 620.0))
    assert again.as_dict() == result.as_dict()


def test_reflectance_alone_on_silicon_made_by_the_other_code() -> None:
    wavelength = np.linspace(350.0, 900.0, 111)
    index = optics.TaucLorentz(amplitude=80.0, resonance=4.2, broadening=1.5, gap=3.0, eps_inf=2.0).index(wavelength)
    clean = optics.layer_reflectance(index, optics.silicon_index(wavelength), 260.0, wavelength)
    reflectance = clean + 0.01 + 0.005 * np.random.default_rng(1).normal(size=len(wavelength))
    found = fit_film(wavelength, reflectance, substrate=silicon(), sigma=0.005, rng=np.random.default_rng(0))
    assert found.thickness_nm == pytest.approx(260.0, rel=0.1)
    low, high = found.thickness_interval_nm
    assert low <= 260.0 <= high
    assert found.guess_nm is None
    assert found.calculated.shape == (1, 111)


def test_a_transparent_film_needs_no_oscillator_in_the_visible() -> None:
    index = Cauchy(a=1.9, b_um2=0.02).index(NM)
    found = fit(spectra_of(index, 900.0))
    assert found.thickness_nm == pytest.approx(900.0, rel=0.03)
    assert float(found.constants.k[NM > 500.0].max()) < 0.005


def test_an_opaque_film_is_not_determined() -> None:
    index = np.full(len(NM), 3.0 + 2.0j)
    with pytest.raises(NotDetermined, match="do not fix the thickness|no film explains") as refusal:
        fit(spectra_of(index, 1500.0))
    assert refusal.value.result.thickness_nm > 0.0


def test_what_no_film_explains_is_refused() -> None:
    line = np.linspace(0.0, 1.0, len(NM))
    spectra = np.stack([0.3 + 0.2 * np.sign(np.sin(40.0 * line)), 0.4 - 0.3 * np.sign(np.sin(47.0 * line))])
    with pytest.raises(NotDetermined, match="no film explains the spectra: residuals are .* times the noise"):
        fit(spectra)


def test_a_poor_fit_that_the_network_rules_out_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    probability = np.zeros(BINS)
    probability[5] = 1.0
    monkeypatch.setattr(GuessNetwork, "guess", lambda self, wavelength_nm, spectra: [Guess(probability=probability)])
    spectra = spectra_of(FILM.index(NM), 620.0)
    with pytest.raises(NotDetermined, match="fit and network disagree: the best film found has 6.. nm .* expects 8 nm"):
        fit(spectra, sigma=0.003)
    assert fit(spectra).thickness_nm == pytest.approx(620.0, rel=0.02)


def test_several_thicknesses_are_listed_where_fringes_leave_them_open() -> None:
    """A film almost as the glass below has fringes not far above the noise."""
    spectra = spectra_of(Cauchy(a=1.56).index(NM), 900.0, noise=0.02)
    with pytest.raises(NotDetermined, match="do not fix the thickness: 90 % lie between") as refusal:
        fit(spectra, sigma=0.02)
    found = refusal.value.result
    assert len(found.solutions) > 1
    assert sum(s.probability for s in found.solutions) == pytest.approx(1.0)
    thicknesses = sorted(s.thickness_nm for s in found.solutions)
    assert min(b / a for a, b in zip(thicknesses, thicknesses[1:], strict=False)) > 1.01
    assert any("thicknesses explain the spectra" in warning for warning in found.warnings)


FLAT = np.full((2, len(NM)), 0.4)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"wavelength_nm": NM[:10], "reflectance": FLAT[0, :10]}, "too few"),
        ({"wavelength_nm": NM[::-1]}, "must be positive and rise"),
        ({"wavelength_nm": NM[:-1]}, "do not go with"),
        ({"reflectance": np.where(NM > 900.0, np.nan, 0.4)}, "not finite"),
        ({"reflectance": 100.0 * FLAT[0]}, "divide percent by 100"),
        ({"sigma": 0.0}, "sigma must be positive"),
        ({"sigma": np.nan}, "sigma must be positive"),
        ({"substrate": silicon(), "transmittance": FLAT[1]}, "nothing is transmitted through silicon"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_spectra_that_cannot_be_used_are_refused(changes: dict[str, object], match: str) -> None:
    usual = {
        "wavelength_nm": NM,
        "reflectance": FLAT[0],
        "substrate": glass(),
        "sigma": 0.01,
        "rng": np.random.default_rng(0),
    }
    with pytest.raises(CannotTell, match=match):
        fit_film(**(usual | changes))  # type: ignore[arg-type]


def model_of(spectra: np.ndarray) -> FilmModel:
    sigma = np.full_like(spectra, 0.005)
    bench = Bench.of(glass(), NM)
    return FilmModel(Measured.of(bench, spectra, sigma, offset=0.01, tilt=0.02))


def test_slopes_agree_with_central_differences() -> None:
    model = model_of(spectra_of(FILM.index(NM), 300.0))
    at = broad_belief().draws(4, torch.Generator().manual_seed(2))
    residuals, jacobian = model.slopes(at)
    torch.testing.assert_close(residuals, model.residuals(at))
    for i in range(COUNT):
        step = torch.zeros(COUNT, dtype=torch.float64)
        step[i] = 1e-5
        central = (model.residuals(at + step) - model.residuals(at - step)) / 2e-5
        torch.testing.assert_close(jacobian[..., i], central, rtol=1e-3, atol=1e-3 * float(central.abs().max()) + 1e-9)


def test_offset_and_tilt_cost_what_they_are_expected_to() -> None:
    clean = spectra_of(FILM.index(NM), 300.0, noise=0.0)
    line = np.linspace(-0.5, 0.5, len(NM))
    model = model_of(clean)
    moved = torch.tensor(clean + np.stack([np.full_like(line, 0.01), 0.02 * line]))
    whitened = model.measured.whitened(moved)
    sigma2, n = 0.005**2, len(line)
    expected = sum(
        norm2 / sigma2 / (1.0 + norm2 / sigma2) for norm2 in (n * 0.01**2, float((0.02 * line) @ (0.02 * line)))
    )
    assert float(whitened.square().sum()) == pytest.approx(expected, rel=1e-6)


def test_places_and_values_are_inverse() -> None:
    at = broad_belief().draws(50, torch.Generator().manual_seed(3)).clamp(-4.0, 4.0)
    torch.testing.assert_close(places(*values(at)), at)


def test_hops_keep_the_optical_thickness() -> None:
    model = model_of(spectra_of(FILM.index(NM), 300.0))
    at = broad_belief().draws(1, torch.Generator().manual_seed(4)).clamp(-1.0, 1.0)
    hopped = hops(at)
    before = model.index(at)[0, -1].real * values(at)[0]
    after = model.index(hopped)[:, -1].real * values(hopped)[0]
    inside = (values(hopped)[1] > 1.01) & (values(hopped)[1] < 4.9)
    assert int(inside.sum()) >= 3
    torch.testing.assert_close(after[inside], before.expand(int(inside.sum())), rtol=1e-6, atol=1e-6)


def test_descent_finds_the_bottom_of_a_parabola_under_a_prior() -> None:
    belief = Belief(mean=torch.zeros(2, dtype=torch.float64), precision=torch.eye(2, dtype=torch.float64))
    matrix = torch.tensor([[2.0, 0.0], [1.0, 1.0], [0.0, 3.0]], dtype=torch.float64)
    target = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)

    def residuals(u: torch.Tensor) -> torch.Tensor:
        return u @ matrix.T - target

    start = torch.tensor([[5.0, -5.0], [0.0, 0.0]], dtype=torch.float64)
    found = minimise(
        start, residuals, lambda u: (residuals(u), matrix.expand(len(u), 3, 2)), belief, steps=60, tolerance=1e-12
    )
    bottom = torch.linalg.solve(matrix.T @ matrix + torch.eye(2, dtype=torch.float64), matrix.T @ target)
    torch.testing.assert_close(found.places, bottom.expand(2, 2), rtol=1e-4, atol=1e-4)


def test_the_library_is_kept_for_equal_settings_only() -> None:
    bench = Bench.of(glass(), NM[::8])
    key = LibraryKey.of(bench, broad_belief(), channels=1, range_nm=(90.0, 120.0), offset=0.01, tilt=0.02)
    again = LibraryKey.of(
        Bench.of(glass(), NM[::8]),
        broad_belief(),
        channels=1,
        range_nm=(90.0, 120.0),
        offset=0.01,
        tilt=0.02,
    )
    assert shelved_library(key) is shelved_library(again)
    assert shelved_library(key) is not shelved_library(replace(key, range_nm=(90.0, 121.0)))


def test_the_library_recognises_its_own_films() -> None:
    bench = Bench.of(glass(), NM)
    key = LibraryKey.of(bench, broad_belief(), channels=2, range_nm=(300.0, 400.0), offset=0.01, tilt=0.02)
    library = shelved_library(key)
    start = library.starts(torch.tensor([17]), torch.tensor([5]))
    spectra = model_of(spectra_of(FILM.index(NM), 300.0)).spectra(start)[0].numpy()
    misfit = library.misfit(spectra)
    assert int(misfit.argmin()) == 17 * len(library.thickness_nm) + 5
    first = best_starts(library, misfit, clusters=1, per_cluster=3)
    torch.testing.assert_close(first[0], start[0])
    assert len(first) == 3


def test_thickness_grid_covers_its_range() -> None:
    grid = thickness_grid(5.0, 3000.0).numpy()
    assert grid[0] == 5.0 and 2900.0 < grid[-1] <= 3000.0
    assert (np.diff(grid) > 0.0).all()
