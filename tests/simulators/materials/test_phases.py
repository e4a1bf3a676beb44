import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.materials.optics import KNOT_NM
from simulators.materials.options import FilmOptions
from simulators.materials.phases import (
    BOUNDARY_C,
    OSCILLATORS,
    PHASES,
    SLOPE_C_PER_DECADE,
    PhaseDiagram,
    bruggeman,
    phase_diagram,
    phase_indices,
)

QUIET = FilmOptions.nothing_goes_wrong()


@given(st.floats(0.0, 1500.0), st.floats(2.0, 4.2), st.booleans())
def test_fractions_are_fractions(temperature: float, log10_dwell: float, has_pocket: bool):
    share = PhaseDiagram(has_pocket=has_pocket).fractions([temperature], log10_dwell)
    assert share.shape == (1, len(PHASES))
    assert np.all(share >= 0.0)
    assert share.sum() == pytest.approx(1.0)


@pytest.mark.parametrize("log10_dwell", [2.4, 3.0, 4.0])
def test_on_a_boundary_two_neighbours_share_equally(log10_dwell: float):
    diagram = PhaseDiagram()
    for i, boundary in enumerate(diagram.boundaries_c(log10_dwell)):
        share = diagram.fractions([boundary], log10_dwell)[0]
        assert share[i] == pytest.approx(share[i + 1], abs=2e-3)
        assert share[i] + share[i + 1] == pytest.approx(1.0, abs=2e-3)


@pytest.mark.parametrize(("temperature", "phase"), [(300, 0), (660, 1), (845, 2), (1055, 3), (1320, 4)])
def test_between_boundaries_one_phase_prevails(temperature: float, phase: int):
    assert PhaseDiagram().fractions([temperature], 3.0)[0, phase] > 0.97


def test_slopes_are_those_of_thermally_activated_transformations():
    """Kissinger: b = -2.303 k T^2 / E_a; the solid-state transformations need 1.5 to 4 eV."""
    for boundary, slope in list(zip(BOUNDARY_C, SLOPE_C_PER_DECADE, strict=True))[:3]:
        activation_ev = -math.log(10.0) * 8.617e-5 * (boundary + 273.15) ** 2 / slope
        assert 1.5 < activation_ev < 4.0


def test_beyond_the_pocket_delta_gives_way_to_gamma():
    with_pocket, without = PhaseDiagram(has_pocket=True), PhaseDiagram()
    short, long = with_pocket.fractions([845.0], 3.0)[0], with_pocket.fractions([780.0], 3.8)[0]
    assert short == pytest.approx(without.fractions([845.0], 3.0)[0], abs=1e-3)
    assert long[2] < 1e-3
    assert long[3] == pytest.approx(without.fractions([780.0], 3.8)[0, 2:4].sum(), abs=1e-3)
    assert with_pocket.visible([3.0, 3.8]).tolist() == [[True] * 4, [True, True, False, True]]


def test_without_hidden_error_the_diagram_is_the_published_one():
    diagram = phase_diagram(5, QUIET)
    assert diagram.boundary_c == BOUNDARY_C
    assert diagram.slope_c_per_decade == SLOPE_C_PER_DECADE


def test_hidden_errors_differ_between_seeds_and_stay_small():
    off = FilmOptions.nothing_goes_wrong(hidden_error=True)
    shifts = np.array([np.subtract(phase_diagram(seed, off).boundary_c, BOUNDARY_C) for seed in range(200)])
    assert len({tuple(shift) for shift in shifts}) == 200
    assert shifts.std() == pytest.approx(8.0, rel=0.1)
    assert abs(shifts.mean()) < 1.5


def test_diffuse_transitions_are_wider():
    diffuse = FilmOptions.nothing_goes_wrong(diffuse=True)
    assert np.all(np.array(phase_diagram(0, diffuse).width_c) >= 30.0)
    assert np.all(np.array(phase_diagram(0, QUIET).width_c) <= 18.0)


def test_indices_without_hidden_error_are_the_oscillators():
    index = phase_indices(0, QUIET)
    assert index[1] == pytest.approx(OSCILLATORS[1].index(KNOT_NM))
    shifted = phase_indices(0, FilmOptions.nothing_goes_wrong(hidden_error=True))
    assert 0.0 < np.abs(shifted - index).max() < 0.2


def test_bruggeman_solves_its_equation_and_keeps_pure_phases():
    index = phase_indices(0, QUIET)
    fractions = np.array([[1.0, 0, 0, 0], [0.3, 0.7, 0, 0], [0, 0.2, 0.5, 0.3]])
    eps = bruggeman(fractions, index)[..., None] ** 2
    eps_i = (index**2).T
    rest = np.sum(fractions[:, None, :] * (eps_i - eps) / (eps_i + 2.0 * eps), axis=-1)
    assert np.abs(rest).max() < 1e-12
    assert bruggeman(fractions, index)[0] == pytest.approx(index[0])
