import warnings
from dataclasses import replace

import gemmi
import numpy as np
import pytest

from surrogate.xrd import reflections as module
from surrogate.xrd.phase import Site
from surrogate.xrd.reflections import TooLarge, lorentz_polarisation, reflections
from tests.surrogate.xrd.mixtures import phase_of, rhombohedral

WAVELENGTH = 1.540598
COMPARED = ["silicon", "rutile", "calcite", "zincite", "baddeleyite", "aragonite", "kaolinite", "La(OH)3", "pyrite"]


def table(phase, highest_deg=90.0, **options):
    return reflections(phase, wavelength_angstrom=WAVELENGTH, highest_deg=highest_deg, **options)


def angles_of(found):
    return 2.0 * np.degrees(np.arcsin(np.sqrt(found.q_squared) * WAVELENGTH / 2.0))


def by_pymatgen(phase, highest_deg):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pymatgen.analysis.diffraction.xrd import XRDCalculator
        from pymatgen.core import Lattice, Structure

        lattice = Lattice.from_parameters(*phase.cell)
        structure = Structure(lattice, [s.element for s in phase.sites], [s.position for s in phase.sites])
        damping = {s.element: 2.0 if s.element == "H" else module.B_ISO_ANGSTROM2 for s in phase.sites}
        calculator = XRDCalculator(wavelength=WAVELENGTH, debye_waller_factors=damping)
        return calculator.get_pattern(structure, two_theta_range=(5.0, highest_deg), scaled=True)


@pytest.fixture
def without_dispersion(monkeypatch):
    monkeypatch.setattr("gemmi.cromer_liberman", lambda z, energy: (0.0, 0.0))
    module._computed.cache_clear()
    yield
    module._computed.cache_clear()


@pytest.mark.usefixtures("without_dispersion")
@pytest.mark.parametrize("name", COMPARED)
def test_positions_and_intensities_are_those_of_pymatgen_which_has_no_dispersion(name):
    phase = phase_of(name)
    highest = 60.0 if len(phase.sites) > 25 else 90.0
    theirs = by_pymatgen(phase, highest)
    found = table(phase, highest)
    seen = found.strength * lorentz_polarisation(angles_of(found))
    angles = angles_of(found)
    # lines that overlap are one for them; ours are summed likewise
    ours = np.array([seen[np.abs(angles - at) < 0.02].sum() for at in theirs.x])
    ours *= 100.0 / ours.max()
    strong = theirs.y > 1.0
    alone = np.array([(np.abs(theirs.x - at) < 0.06).sum() == 1 for at in theirs.x])
    assert strong.sum() >= 3
    assert ours[strong & alone] == pytest.approx(theirs.y[strong & alone], rel=0.03, abs=0.5)
    assert all(np.abs(angles - at).min() < 0.01 for at in theirs.x[strong])
    assert all(np.abs(theirs.x - at).min() < 0.01 for at in angles[seen > 0.01 * seen.max()])


def test_two_settings_of_one_structure_have_the_same_lines():
    length = np.sqrt(3.0 * 4.7602**2 + 12.9933**2) / 3.0
    angle = 2.0 * np.degrees(np.arcsin(1.5 / np.sqrt(3.0 + (12.9933 / 4.7602) ** 2)))
    corundum = replace(phase_of("corundum"), cell=(4.7602, 4.7602, 12.9933, 90.0, 90.0, 120.0))
    one, other = table(corundum), table(rhombohedral(float(length), float(angle)))
    strong = one.strength > 0.05 * one.strength.max()
    nearest = [int(np.abs(other.q_squared - q).argmin()) for q in one.q_squared[strong]]
    assert other.q_squared[nearest] == pytest.approx(one.q_squared[strong], rel=1e-4)
    # the larger cell holds three times the atoms, and a third of its indices give nothing
    assert other.strength[nearest] * 9.0 == pytest.approx(one.strength[strong], rel=0.1)


def whole_sphere(phase, highest_deg, reach):
    """Return squared spacings and ``|F|^2`` of all reflections, each by itself, the plainest way."""
    grid = np.mgrid[-reach : reach + 1, -reach : reach + 1, -reach : reach + 1].reshape(3, -1).T
    hkl = [tuple(int(i) for i in one) for one in grid if any(one)]
    cell = gemmi.UnitCell(*phase.cell)
    q_squared = np.array([cell.calculate_1_d2(one) for one in hkl])
    limit = (2.0 * np.sin(np.radians(highest_deg / 2.0)) / WAVELENGTH) ** 2
    squares = np.zeros(len(hkl))
    for number in np.flatnonzero(q_squared <= limit):
        total = 0j
        for site in phase.sites:
            factor = complex(*gemmi.cromer_liberman(gemmi.Element(site.element).atomic_number, gemmi.hc / WAVELENGTH))
            factor += gemmi.Element(site.element).it92.calculate_sf(q_squared[number] / 4.0)
            turn = np.exp(2j * np.pi * np.dot(hkl[number], site.position))
            total += factor * turn * np.exp(-module.B_ISO_ANGSTROM2 * q_squared[number] / 4.0)
        squares[number] = abs(total) ** 2
    return q_squared, squares


@pytest.mark.parametrize(
    ("name", "highest_deg", "reach"), [("sphalerite", 85.0, 5), ("quartz", 45.0, 4), ("zircon", 40.0, 4)]
)
def test_strength_is_the_sum_over_all_reflections_of_a_spacing(name, highest_deg, reach):
    """Friedel pairs differ where a structure has no centre and its atoms absorb."""
    phase = phase_of(name)
    found = table(phase, highest_deg)
    q_squared, squares = whole_sphere(phase, highest_deg, reach)
    for q in np.unique(np.round(found.q_squared, 9)):
        ours = found.strength[np.abs(found.q_squared - q) < 1e-8].sum()
        assert squares[np.abs(q_squared - q) < 1e-8].sum() == pytest.approx(ours, rel=1e-3)


def test_lines_come_by_spacing_and_only_as_far_as_asked():
    phase = phase_of("calcite")
    near, far = table(phase, 60.0), table(phase, 90.0)
    assert (np.diff(far.q_squared) >= 0).all()
    assert angles_of(near).max() <= 60.0 < angles_of(far).max() <= 90.0
    assert len(near.strength) < len(far.strength)


def test_the_range_ends_below_180_degrees():
    found = table(phase_of("silicon"), 400.0)
    assert np.isfinite(angles_of(found)).all() and np.isfinite(found.strength).all()


def test_a_range_without_lines_is_an_empty_table():
    found = table(phase_of("silicon"), 10.0)
    assert found.hkl.shape == (0, 3) and found.by_strain.shape == (0, 1) and len(found.harmonics) == 0


def test_heavier_damping_weakens_far_lines():
    phase = phase_of("halite")
    loose = replace(phase, sites=tuple(replace(site, b_iso_angstrom2=4.0) for site in phase.sites))
    still, moving = table(phase), table(loose)
    moving_at = dict(zip(map(tuple, moving.hkl.tolist()), moving.strength, strict=True))
    ratio = np.array([moving_at.get(tuple(hkl), np.nan) for hkl in still.hkl.tolist()]) / still.strength
    ratio = ratio[np.isfinite(ratio)]
    assert (np.diff(ratio) < 0).all() and ratio[0] < 1.0


def test_a_displacement_that_makes_no_sense_is_not_believed():
    phase = phase_of("halite")
    wrong = replace(phase, sites=tuple(replace(site, b_iso_angstrom2=-3.0) for site in phase.sites))
    assert table(wrong).strength == pytest.approx(table(phase).strength)


def test_partial_occupancy_weakens_lines():
    phase = phase_of("silicon")
    half = replace(phase, sites=tuple(replace(site, occupancy=0.5) for site in phase.sites))
    assert table(half).strength == pytest.approx(0.25 * table(phase).strength)


def test_dispersion_follows_the_wavelength():
    """Iron lacks an electron or more in copper radiation, close to its edge, and hardly any in molybdenum's."""
    phase = phase_of("iron-alpha")

    def per_cell(wavelength, highest_deg):
        found = reflections(phase, wavelength_angstrom=wavelength, highest_deg=highest_deg)
        assert tuple(found.hkl[0]) == (1, 1, 0)
        return np.sqrt(found.strength[0] / 12.0) / 2.0

    assert 0.5 < per_cell(0.7093, 50.0) - per_cell(1.540598, 120.0) < 2.5


def test_an_element_without_scattering_factor_is_refused():
    site = Site(element="Es", position=(0.0, 0.0, 0.0), occupancy=1.0, b_iso_angstrom2=None)
    phase = replace(phase_of("iron-alpha"), sites=(site,))
    with pytest.raises(ValueError, match="no scattering factor is known for 'Es'"):
        table(phase)


@pytest.mark.parametrize("edge", [150.0, 900.0])
def test_a_cell_too_large_for_a_powder_pattern_is_refused(edge):
    phase = replace(phase_of("halite"), name="protein", cell=(edge, edge, edge, 90.0, 90.0, 90.0))
    with pytest.raises(TooLarge, match="protein"):
        table(phase)


def test_a_table_comes_back_from_its_folder(tmp_path, monkeypatch):
    phase = phase_of("quartz")
    made = table(phase, folder=tmp_path / "tables")
    (stored,) = (tmp_path / "tables").iterdir()
    assert stored.suffix == ".npz"
    monkeypatch.setattr(module, "_computed", lambda *_: pytest.fail("it was made again"))
    again = table(phase, folder=tmp_path / "tables")
    for name in ("hkl", "strength", "q_squared", "by_strain", "harmonics"):
        assert np.array_equal(getattr(again, name), getattr(made, name))


def test_tables_of_one_phase_are_kept_apart_by_wavelength_and_range(tmp_path):
    phase = phase_of("quartz")
    table(phase, folder=tmp_path)
    table(phase, 100.0, folder=tmp_path)
    reflections(phase, wavelength_angstrom=0.7093, highest_deg=90.0, folder=tmp_path)
    table(replace(phase, name="another name"), folder=tmp_path)
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[: len(data) // 2],
        lambda data: b"PK\x03\x04 not a zip",
        lambda data: b"\x93NUMPY",
        lambda data: data[:200] + bytes(64) + data[264:],
    ],
    ids=["empty", "cut", "no zip", "no array", "zeroed"],
)
def test_a_broken_table_is_made_anew(tmp_path, damage):
    phase = phase_of("quartz")
    made = table(phase, folder=tmp_path)
    (stored,) = tmp_path.iterdir()
    stored.write_bytes(damage(stored.read_bytes()))
    assert np.array_equal(table(phase, folder=tmp_path).strength, made.strength)
    assert np.array_equal(table(phase, folder=tmp_path).strength, made.strength)
    assert [path.suffix for path in tmp_path.iterdir()] == [".npz"]
