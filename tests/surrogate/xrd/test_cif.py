import math
import warnings

import gemmi
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pymatgen.core import Lattice, Structure
from pymatgen.io.cif import CifParser, CifWriter

from surrogate.xrd.cif import LARGEST_FILE_BYTES, read_cif, read_cif_bytes
from surrogate.xrd.cif_values import element_of
from surrogate.xrd.library import embedded_library

pytestmark = pytest.mark.filterwarnings("ignore:Set OLD_ERROR_HANDLING:DeprecationWarning")

CUBIC = (5.64, 5.64, 5.64, 90, 90, 90)
ROCKSALT = "Na 0 0 0\nCl 0.5 0.5 0.5"
SPINEL = "Mg 0.125 0.125 0.125\nAl 0.5 0.5 0.5\nO 0.2624 0.2624 0.2624"
COLUMNS = ("type_symbol", "fract_x", "fract_y", "fract_z")


def operations(symbol):
    group = gemmi.find_spacegroup_by_name(symbol)
    return [operation.triplet() for operation in group.operations()]


def cif_text(*, cell=CUBIC, atoms=ROCKSALT, columns=COLUMNS, ops=None, extra="", block="x"):
    lines = [f"data_{block}"]
    names = ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma")
    lines += [f"_cell_{name} {value}" for name, value in zip(names, cell, strict=True)]
    lines.append(extra)
    if ops:
        lines += ["loop_", "_symmetry_equiv_pos_as_xyz", *(f"'{triplet}'" for triplet in ops)]
    lines += ["loop_", *(f"_atom_site_{column}" for column in columns), atoms]
    return "\n".join(lines) + "\n"


def read(text):
    phases, reasons = read_cif_bytes(text.encode(), name="file", source="file.cif")
    assert reasons == [] and len(phases) == 1
    return phases[0]


def refused(text):
    phases, reasons = read_cif_bytes(text.encode(), name="file", source="file.cif")
    assert phases == [] and len(reasons) == 1
    return reasons[0]


def test_a_plain_file_becomes_a_phase():
    phase = read(
        cif_text(ops=operations("F m -3 m"), extra="_chemical_formula_sum 'Cl Na'\n_cod_database_code 1000041")
    )
    assert (phase.name, phase.formula, phase.space_group, phase.space_group_number) == ("file", "NaCl", "F m -3 m", 225)
    assert (phase.crystal_system, phase.has_rhombohedral_axes, phase.unique_axis) == ("cubic", False, "b")
    assert len(phase.sites) == 8 and phase.cell == CUBIC
    assert phase.density_g_cm3 == pytest.approx(2.1638, abs=2e-3)
    assert phase.source == "file.cif, COD 1000041"
    assert not phase.is_disordered and phase.notes == ()


def test_uncertainties_in_brackets_are_read_past_and_displacements_become_b():
    text = cif_text(
        cell=("5.6402(3)", "5.6402(3)", "5.6402(3)", 90, 90, "90.0"),
        atoms="Na1 Na+ 0. 0. 0. 0.0125(4) 1\nCl1 Cl- .5 .5 .50000(2) ? .",
        columns=("label", "type_symbol", "fract_x", "fract_y", "fract_z", "U_iso_or_equiv", "occupancy"),
        ops=operations("F m -3 m"),
    )
    phase = read(text)
    sodium = next(site for site in phase.sites if site.element == "Na")
    chlorine = next(site for site in phase.sites if site.element == "Cl")
    assert phase.cell[0] == 5.6402
    assert sodium.b_iso_angstrom2 == pytest.approx(8 * math.pi**2 * 0.0125)
    assert chlorine.b_iso_angstrom2 is None and chlorine.occupancy == 1.0
    assert any("no composition" in note for note in phase.notes)


@pytest.mark.parametrize(
    "name",
    [
        "anatase",
        "brookite",
        "corundum",
        "quartz",
        "spinel",
        "hausmannite",
        "aragonite",
        "coesite",
        "WO3",
        "cuprite",
        "gamma-Bi2O3",
        "La(OH)3",
        "Li4Ti5O12",
        "beta-Bi2O3",
    ],
)
def test_it_agrees_with_the_parser_of_pymatgen(name):
    known = embedded_library([name]).phases[0]
    species: dict = {}
    for site in known.sites:
        species.setdefault(site.position, {})[site.element] = site.occupancy
    structure = Structure(Lattice.from_parameters(*known.cell), list(species.values()), list(species))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        text = str(CifWriter(structure, symprec=0.01))
        theirs = CifParser.from_str(text).parse_structures(primitive=False)[0]
    phase = read(text)
    ours = Structure(
        Lattice.from_parameters(*phase.cell),
        [site.element for site in phase.sites if site.occupancy == 1.0],
        [site.position for site in phase.sites if site.occupancy == 1.0],
    )
    ordered = Structure.from_sites([site for site in theirs if site.is_ordered])
    assert len({site.position for site in phase.sites}) == len(theirs)
    assert phase.density_g_cm3 == pytest.approx(float(theirs.density), rel=1e-3)
    assert phase.density_g_cm3 == pytest.approx(known.density_g_cm3, rel=1e-3)
    gaps = np.abs((ours.frac_coords[:, None] - ordered.frac_coords[None] + 0.5) % 1.0 - 0.5).max(axis=2)
    assert len(ours) == len(ordered) and gaps.min(axis=1).max() < 1e-4
    assert (phase.space_group_number, phase.crystal_system) == (known.space_group_number, known.crystal_system)
    assert phase.is_disordered == known.is_disordered


def test_a_primitive_cell_in_p1_becomes_the_conventional_cell():
    edge = 5.64 / math.sqrt(2)
    phase = read(cif_text(cell=(edge, edge, edge, 60, 60, 60), ops=["x,y,z"], extra="_chemical_formula_sum NaCl"))
    assert (phase.space_group, phase.crystal_system, len(phase.sites)) == ("F m -3 m", "cubic", 8)
    assert phase.cell == pytest.approx(CUBIC)
    assert any("written in P 1" in note and "F m -3 m" in note for note in phase.notes)


def test_a_crystal_that_really_is_triclinic_keeps_its_cell():
    known = embedded_library(["kaolinite"]).phases[0]
    atoms = "\n".join(f"{site.element} {' '.join(map(str, site.position))}" for site in known.sites)
    phase = read(cif_text(cell=known.cell, atoms=atoms, ops=["x,y,z"]))
    assert (phase.crystal_system, phase.cell, phase.space_group) == ("triclinic", known.cell, "P 1")


def test_operations_are_believed_before_a_wrong_name():
    phase = read(cif_text(ops=operations("F m -3 m"), extra="_symmetry_space_group_name_H-M 'P m -3 m'"))
    assert phase.space_group == "F m -3 m" and len(phase.sites) == 8
    assert any("named P m -3 m" in note for note in phase.notes)


def test_operations_that_only_generate_the_group_are_completed():
    phase = read(cif_text(ops=["x,y,z", "z,x,y", "-y,x,z", "-x,-y,-z", "x,y+1/2,z+1/2"]))
    assert phase.space_group == "F m -3 m"
    assert any("5 symmetry operations are listed; they generate 192" in note for note in phase.notes)


def test_each_block_is_a_phase_of_its_own_and_a_broken_one_is_named():
    good = cif_text(ops=operations("F m -3 m"), block="salt")
    other = cif_text(
        cell=(4.2112, 4.2112, 4.2112, 90, 90, 90), atoms="Mg 0 0 0\nO .5 .5 .5", ops=operations("F m -3 m")
    )
    broken = cif_text(cell=("?", 5, 5, 90, 90, 90), block="bad")
    empty = "data_global\n_publ_author_name 'A. Nobody'\n"
    phases, reasons = read_cif_bytes((empty + good + other + broken).encode(), name="file", source="file.cif")
    assert [(phase.name, phase.formula) for phase in phases] == [("file-salt", "NaCl"), ("file-x", "MgO")]
    assert reasons == ["block bad: _cell_length_a is ?, not a number"]


@pytest.mark.parametrize("symbol", ["F d -3 m", "Fd-3m", "F d -3 m Z", "F d -3 m :2"])
def test_the_origin_that_gives_the_stated_composition_is_taken(symbol):
    extra = f"_space_group_name_H-M_alt '{symbol}'\n_chemical_formula_sum 'Mg Al2 O4'"
    phase = read(cif_text(cell=(8.0832, 8.0832, 8.0832, 90, 90, 90), atoms=SPINEL, extra=extra))
    assert (phase.space_group, phase.formula, len(phase.sites)) == ("F d -3 m:2", "MgAl2O4", 56)
    assert any("no symmetry operations" in note for note in phase.notes)


def test_an_origin_that_nothing_decides_is_refused_and_z_decides():
    extra = "_symmetry_space_group_name_H-M 'F d -3 m'\n_chemical_formula_sum Si"
    silicon = {"cell": (5.4307, 5.4307, 5.4307, 90, 90, 90), "atoms": "Si 0 0 0"}
    assert "leaves open which of F d -3 m:1, F d -3 m:2" in refused(cif_text(**silicon, extra=extra))
    phase = read(cif_text(**silicon, extra=extra + "\n_cell_formula_units_Z 8"))
    assert (phase.space_group, len(phase.sites)) == ("F d -3 m:1", 8)


def test_a_hall_symbol_is_enough():
    extra = "_space_group_name_Hall '-F 4vw 2vw 3'"
    phase = read(cif_text(cell=(8.0832, 8.0832, 8.0832, 90, 90, 90), atoms=SPINEL, extra=extra))
    assert phase.space_group == "F d -3 m:2"


def test_identity_alone_beside_another_name_is_refused_unless_the_composition_decides():
    extra = "_symmetry_space_group_name_H-M 'F m -3 m'\n_chemical_formula_sum 'Na Cl'"
    assert "leaves open which of P 1, F m -3 m" in refused(cif_text(ops=["x,y,z"], extra=extra))
    phase = read(cif_text(ops=["x,y,z"], extra=extra + "\n_cell_formula_units_Z 4"))
    assert (phase.space_group, len(phase.sites)) == ("F m -3 m", 8)


def test_without_any_symmetry_the_composition_must_show_that_the_atoms_are_all():
    edge = 4.2112
    atoms = "\n".join(
        f"{element} {x} {y} {z}"
        for element, start in (("Mg", 0.0), ("O", 0.5))
        for x, y, z in ((start, 0, 0), (start, 0.5, 0.5), (start + 0.5, 0.5, 0), (start + 0.5, 0, 0.5))
    )
    text = cif_text(cell=(edge,) * 3 + (90,) * 3, atoms=atoms)
    assert "neither symmetry nor composition" in refused(text)
    phase = read(cif_text(cell=(edge,) * 3 + (90,) * 3, atoms=atoms, extra="_chemical_formula_sum MgO"))
    assert (phase.space_group, phase.formula) == ("F m -3 m", "MgO")
    assert any("no symmetry is given" in note for note in phase.notes)


def test_a_setting_outside_the_tables_is_brought_to_the_conventional_cell():
    ops = ["x,y,z", "-x,-y,-z", "-x,y,z", "x,-y,z", "x+1/2,y,z"]
    phase = read(cif_text(cell=(8.24, 4.12, 4.12, 90, 90, 90), atoms="Cs 0 0 0\nCl 0.25 0.5 0.5", ops=ops))
    assert (phase.space_group, phase.crystal_system, len(phase.sites)) == ("P m -3 m", "cubic", 2)
    assert phase.cell == pytest.approx((4.12, 4.12, 4.12, 90, 90, 90), abs=1e-4)
    assert any("written in no tabulated setting" in note for note in phase.notes)


def test_an_unusual_setting_of_the_tables_is_kept():
    a, c = 3.8154, 6.8513
    wide = a * math.sqrt(2)
    phase = read(
        cif_text(cell=(wide, wide, c, 90, 90, 90), atoms="Ba 0 0 0\nO 0 0 0.3911", ops=operations("F 4/m m m"))
    )
    assert (phase.space_group, phase.space_group_number, len(phase.sites)) == ("F 4/m m m", 139, 12)
    assert phase.density_g_cm3 == pytest.approx(5.638, abs=1e-3)


def test_rhombohedral_axes_are_flagged():
    atoms, ops = "Bi 0.234 0.234 0.234", operations("R -3 m:R")
    phase = read(cif_text(cell=(4.7236, 4.7236, 4.7236, 57.35, 57.35, 57.35), atoms=atoms, ops=ops))
    assert phase.has_rhombohedral_axes and phase.crystal_system == "trigonal" and len(phase.sites) == 2
    hexagonal = read(
        cif_text(cell=(4.535, 4.535, 11.814, 90, 90, 120), atoms="Bi 0 0 .234", ops=operations("R -3 m:H"))
    )
    assert not hexagonal.has_rhombohedral_axes and len(hexagonal.sites) == 6


def test_the_unique_axis_of_a_monoclinic_cell_is_kept():
    known = embedded_library(["baddeleyite"]).phases[0]
    a, b, c, _, beta, _ = known.cell
    atoms = "Zr .2082 .2758 .0411\nO .3406 .0703 .3359\nO .4789 .4423 .7549"
    phase = read(cif_text(cell=(c, a, b, 90, 90, beta), atoms=atoms, ops=operations("P 1 1 21/a")))
    assert (phase.unique_axis, phase.crystal_system, phase.formula) == ("c", "monoclinic", "ZrO2")
    assert phase.density_g_cm3 == pytest.approx(known.density_g_cm3)


def test_a_cell_that_disobeys_the_operations_is_refused_and_rounding_is_mended():
    assert "does not obey F m -3 m" in refused(cif_text(cell=(5.6, 5.7, 5.6, 90, 90, 90), ops=operations("F m -3 m")))
    phase = read(cif_text(cell=(5.640, 5.641, 5.640, 90, 90, 90), ops=operations("F m -3 m")))
    assert phase.cell[0] == phase.cell[1] == phase.cell[2] == pytest.approx(5.64033, abs=1e-4)


@pytest.mark.parametrize("third", ["0.333", "0.33333", "0.3333333333"])
def test_rounded_special_positions_are_one_atom(third):
    two = str(1 - float(third))
    atoms = f"Zn {third} {two} 0\nO {third} {two} 0.3821"
    phase = read(cif_text(cell=(3.2494, 3.2494, 5.2038, 90, 90, 120), atoms=atoms, ops=operations("P 63 m c")))
    assert len(phase.sites) == 4 and not phase.is_disordered
    assert phase.sites[0].position[0] == pytest.approx(1 / 3, abs=1e-6)


def test_an_atom_that_is_listed_twice_counts_once():
    phase = read(cif_text(atoms=ROCKSALT + "\nNa 0 0.5 0.5", ops=operations("F m -3 m")))
    assert len(phase.sites) == 8
    assert any("listed more than once" in note for note in phase.notes)


def test_mixed_sites_are_several_entries_with_one_position():
    columns = (*COLUMNS, "occupancy")
    phase = read(
        cif_text(
            cell=(4.25, 4.25, 4.25, 90, 90, 90),
            atoms="Fe 0 0 0 .6\nMg 0 0 0 .4\nO .5 .5 .5 1",
            columns=columns,
            ops=operations("F m -3 m"),
            extra="_chemical_formula_sum 'Fe0.6 Mg0.4 O'",
        )
    )
    at_origin = [site for site in phase.sites if site.position == (0.0, 0.0, 0.0)]
    assert {(site.element, site.occupancy) for site in at_origin} == {("Fe", 0.6), ("Mg", 0.4)}
    assert phase.is_disordered and phase.elements == {"Fe", "Mg", "O"}
    assert phase.formula == "Mg2Fe3O5"


def test_two_charges_of_one_element_on_one_site_are_one_full_atom():
    columns = (*COLUMNS, "occupancy")
    atoms = "Fe2+ 0 0 0 .5\nFe3+ 0 0 0 .5\nO2- .5 .5 .5 1"
    phase = read(cif_text(cell=(4.3,) * 3 + (90,) * 3, atoms=atoms, columns=columns, ops=operations("F m -3 m")))
    assert phase.formula == "FeO" and not phase.is_disordered and len(phase.sites) == 8


@pytest.mark.parametrize(
    ("occupancies", "message"),
    [
        ((0.7, 0.5), "add up to 1.20"),
        ((100, 0), "the occupancy of Fe1 is 100"),
        ((-0.1, 0), "the occupancy of Fe1 is -0.1"),
    ],
)
def test_occupancies_that_cannot_be_are_refused(occupancies, message):
    columns = ("label", "fract_x", "fract_y", "fract_z", "occupancy")
    atoms = f"Fe1 0 0 0 {occupancies[0]}\nMg1 0 0 0 {occupancies[1]}\nO1 .5 .5 .5 1"
    reason = refused(cif_text(cell=(4.3,) * 3 + (90,) * 3, atoms=atoms, columns=columns, ops=operations("F m -3 m")))
    assert message in reason


def test_nonstoichiometry_is_written_per_formula_unit():
    columns = (*COLUMNS, "occupancy")
    atoms = "Fe 0 0 0 0.945\nO .5 .5 .5 1"
    phase = read(cif_text(cell=(4.3,) * 3 + (90,) * 3, atoms=atoms, columns=columns, ops=operations("F m -3 m")))
    assert phase.formula == "Fe0.945O"


def test_deuterium_is_deuterium_and_counts_as_hydrogen():
    atoms = "Ca 0 0 0\nO 0.33333 0.66667 0.233\nD 0.33333 0.66667 0.418"
    extra = "_chemical_formula_sum 'Ca D2 O2'"
    cell = (3.5925, 3.5925, 4.905, 90, 90, 120)
    phase = read(cif_text(cell=cell, atoms=atoms, ops=operations("P -3 m 1"), extra=extra))
    assert phase.formula == "Ca(OH)2" and phase.elements == {"Ca", "O", "H"}
    assert {site.element for site in phase.sites} == {"Ca", "O", "D"}
    light = embedded_library(["portlandite"]).phases[0]
    assert phase.mass_per_cell - light.mass_per_cell == pytest.approx(2 * 1.006, abs=0.01)


def test_hydrogen_without_coordinates_is_left_out_with_a_note_and_stays_in_the_formula():
    atoms = "Ca 0 0 0\nO 0.33333 0.66667 0.233\nH ? ? ?"
    extra = "_chemical_formula_sum 'Ca H2 O2'"
    phase = read(
        cif_text(cell=(3.5925, 3.5925, 4.905, 90, 90, 120), atoms=atoms, ops=operations("P -3 m 1"), extra=extra)
    )
    assert phase.formula == "Ca(OH)2" and len(phase.sites) == 3
    assert any("hydrogen without coordinates" in note for note in phase.notes)
    assert any("hydrogen is stated" in note for note in phase.notes)


def test_places_that_are_alternatives_may_be_close():
    """Vaterite after Kamhi, Acta Cryst. 16, 770 (1963): three orientations of the carbonate share one site."""
    atoms = "Ca 0 0 0 1\nC .29 .58 .25 .33333\nO .12 .24 .25 .33333\nO .38 .76 .12 .33333"
    cell, ops = (4.13, 4.13, 8.49, 90, 90, 120), operations("P 63/m m c")
    phase = read(cif_text(cell=cell, atoms=atoms, columns=(*COLUMNS, "occupancy"), ops=ops))
    assert phase.is_disordered and phase.density_g_cm3 == pytest.approx(2.65, rel=2e-3)


def test_atoms_that_are_too_close_are_refused():
    text = cif_text(atoms="Na 0 0 0\nCl 0.06 0 0", ops=operations("P 1"))
    assert "two atoms come 0.34 angstrom close" in refused(text)


def test_a_composition_that_disagrees_is_refused_and_a_slight_difference_noted():
    wrong = refused(cif_text(ops=operations("F m -3 m"), extra="_chemical_formula_sum 'Na Cl2'"))
    assert "the atoms make NaCl" in wrong and "NaCl2" in wrong
    slight = read(cif_text(ops=operations("F m -3 m"), extra="_chemical_formula_sum 'Na0.97 Cl'"))
    assert any("of all atoms" in note for note in slight.notes)


def test_a_density_that_disagrees_is_noted():
    phase = read(cif_text(ops=operations("F m -3 m"), extra="_exptl_crystal_density_diffrn 4.33"))
    assert any("stated is 4.33 g/cm3" in note for note in phase.notes)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no crystal structure"),
        ("# only a comment\n", "no crystal structure"),
        ("data_x\n_publ_author_name Nobody\n", "no crystal structure"),
        ("10.0 200\n10.1 210\n", "not a CIF file"),
        ("data_x\nloop_\n_a\n_b\n1 2 3\n", "not a CIF file"),
        ("\x00\x01\x02", "not a CIF file"),
        (cif_text().split("loop_")[0], "no atoms with fractional coordinates"),
        (cif_text(atoms="0.5", columns=("fract_x",)), "no atoms with fractional coordinates"),
        (cif_text(atoms="Na . 0 0", ops=["x,y,z"]), "the coordinates of Na are not numbers"),
        (cif_text(atoms="Qz 0 0 0", ops=["x,y,z"]), "the atom 'Qz' is of no known element"),
        (cif_text(atoms="Va 0 0 0", ops=["x,y,z"]), "none of the listed atoms"),
        (cif_text(cell=(0.564, 0.564, 0.564, 90, 90, 90), ops=["x,y,z"]), "are the units angstrom"),
        (cif_text(cell=(5, 5, 5, 20, 20, 90), ops=["x,y,z"]), "do not make a cell"),
        (cif_text(ops=["x,y,z", "x+0.1,y,z"]), "cannot be read"),
        (cif_text(ops=["x,y,q"]), "cannot be read"),
        (cif_text(ops=["x,x,z"]), "does not keep volumes"),
        (cif_text(ops=["x,y,z", "x+y,y,z"]), "do not make a space group"),
        (cif_text(extra="_symmetry_space_group_name_H-M 'X 9'"), "is not known"),
        (cif_text(extra="_symmetry_Int_Tables_number 999"), "is not known"),
    ],
    ids=lambda value: "" if len(value) > 60 else repr(value)[:40],
)
def test_what_is_no_structure_is_refused_with_the_reason(text, message):
    assert message in refused(text)


def test_more_atoms_than_a_powder_can_show_are_refused():
    atoms = "\n".join(f"C {i / 1601:.5f} 0 0" for i in range(1600))
    assert "more than 1500 atoms" in refused(cif_text(cell=(190, 190, 190, 90, 90, 90), atoms=atoms, ops=["x,y,z"]))


def test_names_of_the_ddl_m_dictionary_are_understood():
    text = cif_text(ops=operations("F m -3 m"))
    for old, new in (
        ("_cell_", "_cell."),
        ("_atom_site_", "_atom_site."),
        ("_symmetry_equiv_pos_as_xyz", "_space_group_symop.operation_xyz"),
    ):
        text = text.replace(old, new)
    assert read(text).space_group == "F m -3 m"


def test_angles_that_are_not_given_are_right_angles():
    text = "\n".join(line for line in cif_text(ops=operations("F m -3 m")).splitlines() if "angle" not in line)
    assert read(text).cell == CUBIC


@pytest.mark.parametrize(
    ("symbol", "label", "stated", "element"),
    [
        ("Ti4+", "Ti1", None, "Ti"),
        ("O2-", "", None, "O"),
        ("", "Fe(tet)", None, "Fe"),
        ("FE", "FE1", None, "Fe"),
        ("", "CA1", {"C": 1, "O": 1}, "C"),
        ("", "CA1", {"Ca": 1, "O": 1}, "Ca"),
        ("", "Oa1", None, "O"),
        ("", "O-H2", None, "O"),
        ("Wat", "Wat1", None, "O"),
        ("W", "W1", None, "W"),
        ("D", "D1", {"H": 1}, "D"),
        ("", "Si1o", None, "Si"),
        ("Va", "Va1", None, None),
        ("", "VA1", {"V": 2, "O": 5}, "V"),
    ],
)
def test_elements_are_read_from_symbols_and_labels(symbol, label, stated, element):
    assert element_of(symbol, label, stated) == element


def test_a_file_that_cannot_be_read_is_a_reason(tmp_path):
    phases, reasons = read_cif(tmp_path / "missing.cif")
    assert phases == [] and "cannot be read" in reasons[0]
    large = tmp_path / "large.cif"
    with large.open("wb") as stream:
        stream.truncate(LARGEST_FILE_BYTES + 1)
    assert "larger than 20 MB" in read_cif(large)[1][0]


def test_bytes_outside_utf_8_are_taken_as_latin_1():
    text = cif_text(ops=operations("F m -3 m"), extra="_publ_author_name 'M\u00fcller'")
    phases, reasons = read_cif_bytes(text.encode("latin-1"), name="file", source="file.cif")
    assert len(phases) == 1 and reasons == []


SEED = cif_text(
    ops=["x,y,z", "-x,-y,z", "x,y+1/2,z+1/2", "x+1/2,y,z+1/2"],
    extra="_symmetry_space_group_name_H-M 'F m -3 m'\n_chemical_formula_sum 'Na Cl'\n_cell_formula_units_Z 4",
    columns=(*COLUMNS, "occupancy"),
    atoms="Na 0 0 0 1\nCl .5 .5 .5 1.0(1)",
).encode()


@given(
    edits=st.lists(
        st.tuples(st.integers(0, len(SEED)), st.integers(0, 12), st.binary(max_size=12)), min_size=1, max_size=6
    )
)
@settings(max_examples=200, deadline=2000, suppress_health_check=[HealthCheck.too_slow])
@example([(285, 0, b"\x80")])
def test_mutated_files_give_phases_or_reasons(edits):
    data = SEED
    for start, length, new in edits:
        data = data[:start] + new + data[start + length :]
    phases, reasons = read_cif_bytes(data, name="file", source="file.cif")
    assert phases or reasons
    for phase in phases:
        assert phase.sites and phase.volume_angstrom3 > 0 and math.isfinite(phase.density_g_cm3)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_what_an_editor_saved_with_two_bytes_a_letter_is_read(encoding):
    text = cif_text(ops=operations("F m -3 m"), extra="_journal_name_full 'Zeitschrift für Kristallographie'")
    phases, reasons = read_cif_bytes(text.encode(encoding), name="file", source="file.cif")
    assert reasons == [] and phases[0].key == read(text).key


def test_zeros_are_no_cif():
    assert read_cif_bytes(bytes(2000), name="file", source="file.cif")[0] == []
