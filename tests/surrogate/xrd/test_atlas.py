from dataclasses import replace

import numpy as np
import pytest
import torch

from surrogate.formats.record import Radiation
from surrogate.xrd.atlas import N_STRAIN, N_TEXTURE, make_atlas
from surrogate.xrd.lattice import strain_basis
from surrogate.xrd.reflections import TooLarge, lorentz_polarisation, reflections
from surrogate.xrd.texture import prior_sd
from tests.surrogate.xrd.mixtures import OF_EACH_SYSTEM, phase_of

COPPER_ANGSTROM = 1.540598


def lines_of(atlas, number):
    return slice(int(atlas.first[number]), int(atlas.first[number + 1]))


def test_phases_stand_one_after_the_other(atlas, small_library):
    assert atlas.n_phases == len(small_library.phases) and atlas.first[0] == 0
    for number, phase in enumerate(atlas.phases):
        table = reflections(phase, wavelength_angstrom=COPPER_ANGSTROM, highest_deg=80.0)
        assert atlas.q_squared[lines_of(atlas, number)].numpy() == pytest.approx(table.q_squared)
    assert int(atlas.first[-1]) == len(atlas.q_squared) == len(atlas.strength) == len(atlas.harmonics)


def test_the_strongest_line_of_each_phase_has_unit_area(atlas):
    for number in range(atlas.n_phases):
        part = lines_of(atlas, number)
        angle = 2.0 * np.degrees(np.arcsin(np.sqrt(atlas.q_squared[part].numpy()) * COPPER_ANGSTROM / 2.0))
        assert (atlas.strength[part].numpy() * lorentz_polarisation(angle)).max() == pytest.approx(1.0)


def test_a_scale_weighs_as_cell_and_content_say(atlas):
    """Hill and Howard: the weight goes as scale times mass times volume of the cell, for absolute intensities."""
    for number, phase in enumerate(atlas.phases):
        table = reflections(phase, wavelength_angstrom=COPPER_ANGSTROM, highest_deg=80.0)
        absolute = float(table.strength[0] / atlas.strength[lines_of(atlas, number)][0])
        weight = float(atlas.weight_per_scale[number]) * absolute
        assert weight == pytest.approx(phase.mass_per_cell * phase.volume_angstrom3)


def test_columns_that_a_system_lacks_are_zero():
    phases = [phase_of(name) for name in OF_EACH_SYSTEM.values()]
    atlas = make_atlas(phases, highest_deg=40.0)
    assert atlas.by_strain.shape[1] == N_STRAIN and atlas.harmonics.shape[1] == N_TEXTURE
    for number, phase in enumerate(phases):
        n_strain, n_texture, part = len(strain_basis(phase)[0]), len(prior_sd(phase)), lines_of(atlas, number)
        assert (atlas.strain_sd[number] > 0).tolist() == [i < n_strain for i in range(N_STRAIN)]
        assert (atlas.texture_sd[number] > 0).tolist() == [i < n_texture for i in range(N_TEXTURE)]
        assert not atlas.by_strain[part, n_strain:].any() and not atlas.harmonics[part, n_texture:].any()


def test_the_isotropic_strain_scales_all_spacings_alike():
    atlas = make_atlas([phase_of(name) for name in OF_EACH_SYSTEM.values()], highest_deg=40.0)
    for number in range(atlas.n_phases):
        part = lines_of(atlas, number)
        change = atlas.by_strain[part] @ atlas.isotropic[number]
        assert change.numpy() == pytest.approx(atlas.q_squared[part].numpy(), rel=1e-6)


def test_an_empty_library_is_an_atlas_without_phases():
    atlas = make_atlas([])
    assert atlas.n_phases == 0 and len(atlas.q_squared) == 0 and atlas.first.tolist() == [0]


def test_a_phase_without_line_in_range_is_refused():
    with pytest.raises(ValueError, match="silicon has no reflection below 20 deg"):
        make_atlas([phase_of("silicon")], highest_deg=20.0)


def test_a_cell_too_large_is_refused():
    large = replace(phase_of("halite"), cell=(300.0, 300.0, 300.0, 90.0, 90.0, 90.0))
    with pytest.raises(TooLarge):
        make_atlas([large])


def test_tables_are_kept_in_the_folder(tmp_path):
    phases = [phase_of("halite"), phase_of("quartz")]
    one = make_atlas(phases, folder=tmp_path)
    assert len(list(tmp_path.glob("*.npz"))) == 2
    assert torch.equal(one.strength, make_atlas(phases, folder=tmp_path).strength)


def test_another_device_gets_all_of_it(atlas):
    moved = atlas.to(torch.device("cpu"))
    assert moved.phases == atlas.phases and torch.equal(moved.by_strain, atlas.by_strain)


def test_the_first_wavelength_sets_the_lines():
    hard = Radiation(wavelength_angstrom=(0.70932, 0.713607), ratio=(1.0, 0.5), anode="Mo")
    phases = [phase_of("silicon")]
    assert len(make_atlas(phases, radiation=hard, highest_deg=80.0).strength) > len(
        make_atlas(phases, highest_deg=80.0).strength
    )
