import dataclasses
import os
from pathlib import Path

import gemmi
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from surrogate.xrd.atoms import place, shortest_distance
from surrogate.xrd.library import Library, Phase, Site, embedded_library, load_library, pairs
from surrogate.xrd.phase import reduced_amounts
from surrogate.xrd.symmetry import cell_of_metric, metric, setting_of
from surrogate.xrd.twins import are_twins

pytestmark = pytest.mark.filterwarnings("ignore:Set OLD_ERROR_HANDLING:DeprecationWarning")


def salt(**changes):
    values = {
        "name": "salt",
        "formula": "NaCl",
        "space_group": "F m -3 m",
        "space_group_number": 225,
        "crystal_system": "cubic",
        "cell": (5.64, 5.64, 5.64, 90.0, 90.0, 90.0),
        "sites": rocksalt("Na", "Cl"),
        "source": "a test",
    }
    return Phase(**(values | changes))


def rocksalt(first, second):
    group = setting_of(gemmi.find_spacegroup_by_name("F m -3 m"))
    unique = [site(first, (0.0, 0.0, 0.0)), site(second, (0.5, 0.5, 0.5))]
    return place((5.64, 5.64, 5.64, 90.0, 90.0, 90.0), group, unique).sites


def site(element, position, occupancy=1.0):
    return Site(element=element, position=position, occupancy=occupancy, b_iso_angstrom2=None)


def cif_of(phase):
    """Write all atoms of a phase with the operations of its space group."""
    group = gemmi.find_spacegroup_by_name(phase.space_group)
    names = ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma")
    lines = ["data_phase", *(f"_cell_{name} {value}" for name, value in zip(names, phase.cell, strict=True))]
    lines += ["loop_", "_symmetry_equiv_pos_as_xyz", *(f"'{each.triplet()}'" for each in group.operations())]
    lines += [
        "loop_",
        *(f"_atom_site_{name}" for name in ("type_symbol", "fract_x", "fract_y", "fract_z", "occupancy")),
    ]
    lines += [f"{each.element} {' '.join(map(repr, each.position))} {each.occupancy}" for each in phase.sites]
    return "\n".join(lines) + "\n"


@pytest.fixture
def folder(tmp_path):
    for phase in embedded_library(["anatase", "rutile", "corundum", "halite"]).phases:
        (tmp_path / f"{phase.name}.cif").write_text(cif_of(phase))
    return tmp_path


def test_what_follows_from_cell_and_atoms_is_worked_out():
    phase = salt()
    assert phase.volume_angstrom3 == pytest.approx(5.64**3)
    assert phase.mass_per_cell == pytest.approx(4 * (22.98977 + 35.453), abs=0.02)
    assert phase.density_g_cm3 == pytest.approx(2.1638, abs=2e-3)
    assert phase.elements == {"Na", "Cl"} and not phase.is_disordered
    wider = dataclasses.replace(phase, cell=(6.0, 6.0, 6.0, 90.0, 90.0, 90.0))
    assert wider.density_g_cm3 < phase.density_g_cm3 and wider.key != phase.key


def test_the_key_depends_on_what_diffracts_and_on_nothing_else():
    phase = salt()
    assert salt(name="other", source="elsewhere", sites=phase.sites[::-1]).key == phase.key
    moved = tuple(
        dataclasses.replace(each, position=tuple(x + 1 - 1e-9 for x in each.position)) for each in phase.sites
    )
    assert salt(sites=moved).key == phase.key
    assert salt(sites=rocksalt("K", "Cl")).key != phase.key
    assert salt(sites=tuple(dataclasses.replace(each, b_iso_angstrom2=1.0) for each in phase.sites)).key != phase.key
    assert salt(crystal_system="triclinic").key != phase.key


def test_the_key_of_a_library_follows_its_phases():
    library = embedded_library(["anatase", "rutile"])
    assert library.key == embedded_library(["rutile", "anatase"]).key
    assert library.key != embedded_library(["anatase", "brookite"]).key


def test_named_phases_come_in_the_order_of_the_names_and_unknown_names_are_refused():
    assert [phase.name for phase in embedded_library(["rutile", "anatase", "rutile"]).phases] == ["rutile", "anatase"]
    with pytest.raises(KeyError, match="no embedded phase is called unobtainium"):
        embedded_library(["unobtainium"])


def test_a_chemistry_keeps_the_phases_made_of_nothing_else():
    library = embedded_library()
    kept = {phase.name for phase in library.within(["Ca", "C", "O"]).phases}
    assert {"calcite", "aragonite", "lime", "graphite", "diamond"} <= kept
    assert "portlandite" not in kept and "strontianite" not in kept
    assert "portlandite" in {phase.name for phase in library.within(["Ca", "D", "O"]).phases}
    assert library.within([]).phases == ()


def test_a_folder_is_read_in_the_order_of_its_names(folder):
    library = load_library(folder)
    assert [phase.name for phase in library.phases] == ["anatase", "corundum", "halite", "rutile"]
    assert library.rejected == () and library.merged == ()
    known = {phase.name: phase for phase in embedded_library().phases}
    for phase in library.phases:
        assert phase.key == known[phase.name].key
        assert phase.formula == known[phase.name].formula
        assert phase.source == f"{phase.name}.cif"


def test_a_chemistry_limits_what_is_taken_from_a_folder(folder):
    assert [phase.name for phase in load_library(folder, chemistry=["Ti", "O"]).phases] == ["anatase", "rutile"]


def test_duplicates_are_merged_with_the_name_that_was_kept(folder):
    anatase = embedded_library(["anatase"]).phases[0]
    stretched = tuple(edge * 1.0005 for edge in anatase.cell[:3]) + anatase.cell[3:]
    shifted = tuple(
        dataclasses.replace(each, position=(*each.position[:2], each.position[2] + 0.003 * (each.element == "O")))
        for each in anatase.sites[:5]
    )
    (folder / "anatase again.cif").write_text(cif_of(anatase))
    (folder / "anatase warm.cif").write_text(cif_of(dataclasses.replace(anatase, cell=stretched, sites=shifted)))
    library = load_library(folder)
    assert library.merged == (("anatase warm", "anatase again"), ("anatase", "anatase again"))
    assert [phase.name for phase in library.phases] == ["anatase again", "corundum", "halite", "rutile"]


@pytest.mark.parametrize("shift", [(0.5, 0.0, 0.5), (0.0, 0.25, 0.125)])
def test_another_origin_is_the_same_structure(folder, shift):
    anatase = embedded_library(["anatase"]).phases[0]
    moved = tuple(
        dataclasses.replace(each, position=tuple(float(x) for x in np.add(each.position, shift) % 1))
        for each in anatase.sites
    )
    assert are_twins(anatase, dataclasses.replace(anatase, sites=moved))


def test_other_axes_are_the_same_structure():
    forsterite = embedded_library(["forsterite"]).phases[0]
    a, b, c = forsterite.cell[:3]
    turned = tuple(
        dataclasses.replace(each, position=(each.position[1], each.position[2], each.position[0]))
        for each in forsterite.sites
    )
    as_pnma = dataclasses.replace(
        forsterite, cell=(b, c, a, 90.0, 90.0, 90.0), sites=turned, space_group="P n m a", name="Pnma"
    )
    assert as_pnma.key != forsterite.key and are_twins(as_pnma, forsterite)


def test_atoms_that_moved_far_are_another_structure():
    brookite = embedded_library(["brookite"]).phases[0]
    moved = (dataclasses.replace(brookite.sites[0], position=(0.2, 0.1, 0.9)), *brookite.sites[1:])
    assert not are_twins(brookite, dataclasses.replace(brookite, sites=moved))


def test_neighbours_in_structure_are_not_merged(folder):
    rutile = embedded_library(["rutile"]).phases[0]
    (folder / "rutile hot.cif").write_text(
        cif_of(dataclasses.replace(rutile, cell=(4.61, 4.61, 2.97, 90.0, 90.0, 90.0)))
    )
    assert load_library(folder).merged == ()
    assert len(load_library(folder).phases) == 5


def test_no_two_embedded_phases_are_taken_for_one():
    phases = {phase.name: phase for phase in embedded_library().phases}
    assert not any(are_twins(phases[pair.names[0]], phases[pair.names[1]]) for pair in pairs())


def test_broken_files_are_rejected_with_the_reason_and_the_rest_is_read(folder):
    (folder / "broken.cif").write_text("this is not a CIF\n")
    (folder / "notes.txt").write_text("not looked at\n")
    (folder / "UPPER.CIF").write_text(cif_of(embedded_library(["quartz"]).phases[0]))
    library = load_library(folder)
    assert [each.file for each in library.rejected] == ["broken.cif"]
    assert "not a CIF" in library.rejected[0].reason
    assert [phase.name for phase in library.phases] == ["UPPER", "anatase", "corundum", "halite", "rutile"]


def test_names_stay_unique(tmp_path):
    anatase, rutile = embedded_library(["anatase", "rutile"]).phases
    (tmp_path / "a.CIF").write_text(cif_of(anatase))
    (tmp_path / "a.cif").write_text(cif_of(rutile))
    if len(list(tmp_path.iterdir())) < 2:
        pytest.skip("the file system does not tell upper from lower case")
    assert [phase.name for phase in load_library(tmp_path).phases] == ["a", "a-2"]


def test_an_empty_folder_is_an_empty_library_and_a_missing_one_an_error(tmp_path):
    assert load_library(tmp_path) == Library(phases=())
    with pytest.raises(NotADirectoryError, match="is not a folder"):
        load_library(tmp_path / "missing")


def test_formula_units_of_disordered_cells():
    full = [site("O", (0.5, 0.0, 0.0)), site("O", (0.0, 0.5, 0.0)), site("O", (0.0, 0.0, 0.5)), site("O", (0.5,) * 3)]
    iron = [site("Fe", (x, y, z), 0.95) for x, y, z in ((0, 0, 0), (0.5, 0.5, 0), (0.5, 0, 0.5), (0, 0.5, 0.5))]
    assert reduced_amounts((*iron, *full)) == {"Fe": 0.95, "O": 1.0}
    bismuth = [dataclasses.replace(each, element="Bi", occupancy=1.0) for each in iron]
    oxygen = [site("O", (x, y, z), 0.75) for x in (0.25, 0.75) for y in (0.25, 0.75) for z in (0.25, 0.75)]
    assert reduced_amounts((*bismuth, *oxygen)) == {"Bi": 2.0, "O": 3.0}


def test_the_shortest_distance_counts_images_across_skewed_cells():
    cell = (3.0, 3.0, 12.0, 90.0, 90.0, 150.0)
    assert shortest_distance(cell, [site("C", (0.0, 0.0, 0.0)), site("C", (0.5, 0.5, 0.0))]) == pytest.approx(
        0.776, abs=1e-3
    )


edges = st.floats(3.0, 20.0)
angles = st.floats(60.0, 119.0)


@given(st.tuples(edges, edges, edges, angles, angles, angles))
@settings(deadline=None)
def test_cells_and_metrics_round_trip(cell):
    if np.linalg.det(metric(cell)) > 1.0:
        assert cell_of_metric(metric(cell)) == pytest.approx(cell, abs=1e-5)


@pytest.mark.parametrize("name", ["R -3 m:R", "P 1 21/c 1", "P 1 1 21/b", "P 63 m c", "C -1"])
def test_settings_know_their_axes(name):
    setting = setting_of(gemmi.find_spacegroup_by_name(name))
    assert setting.has_rhombohedral_axes == name.endswith(":R")
    assert setting.unique_axis == ("c" if name == "P 1 1 21/b" else "b")
    assert len(setting.operations) == len(setting.rotations) == len(setting.translations)


def test_folders_inside_are_read_and_hidden_ones_are_not(folder):
    quartz = embedded_library(["quartz"]).phases[0]
    for name in ("oxides/silica/quartz.cif", ".trash/old.cif", "oxides/._quartz.cif", "broken.cif/in.cif"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(cif_of(quartz) if name.startswith("ox") and "._" not in name else "none")
    library = load_library(folder)
    assert [phase.name for phase in library.phases] == ["anatase", "corundum", "halite", "quartz", "rutile"]
    assert [each.file for each in library.rejected] == [str(Path("broken.cif") / "in.cif")]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no pipes with names")
def test_a_pipe_among_cif_files_is_not_waited_for(folder):
    os.mkfifo(folder / "pipe.cif")
    assert [(each.file, each.reason) for each in load_library(folder).rejected] == [
        ("pipe.cif", "it is a pipe or a device, no file")
    ]
