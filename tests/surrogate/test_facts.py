"""The embedded phases, checked against spglib's operations and pymatgen's space groups, densities and diffraction."""

import functools
import importlib.resources
import itertools
import json
import re
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
import spglib
from pymatgen.analysis.diffraction.xrd import XRDCalculator
from pymatgen.core import Composition, Lattice, Structure

from surrogate.xrd.library import embedded_library, pairs

FACTS = json.loads(importlib.resources.files("surrogate.facts").joinpath("structures.json").read_text("utf-8"))
RECORDS = FACTS["phases"]
WITH_LINES = [record for record in RECORDS if "strongest_two_theta_deg" in record]
HYDROGEN_BY_X_RAYS = {"gibbsite", "gypsum"}

# spglib 2 warns at every call about its coming errors
pytestmark = pytest.mark.filterwarnings("ignore:Set OLD_ERROR_HANDLING:DeprecationWarning")

each_record = pytest.mark.parametrize("record", RECORDS, ids=[record["name"] for record in RECORDS])
each_with_lines = pytest.mark.parametrize("record", WITH_LINES, ids=[record["name"] for record in WITH_LINES])


def contents(record):
    """Return {position: {element: occupancy}} of the asymmetric unit."""
    places = {}
    for element, x, y, z, *occupancy in record["sites"]:
        places.setdefault((x, y, z), {})[element] = occupancy[0] if occupancy else 1.0
    return places


MONOCLINIC_CHOICES = {"P 1 21/c 1": "b1", "P 1 21/n 1": "b2", "C 1 2/c 1": "b1", "C 1 2/m 1": "b1"}


@functools.cache
def operations(symbol, number):
    """Return rotations and translations of a setting from spglib's table."""
    base, _, extension = symbol.partition(":")
    wanted = MONOCLINIC_CHOICES.get(symbol, extension)
    for hall in range(1, 531):
        kind = spglib.get_spacegroup_type(hall)
        if kind is None or kind.number != number or (wanted and kind.choice != wanted):
            continue
        names = kind.international.replace("_", "").split("=")
        if symbol in MONOCLINIC_CHOICES or base in (name.strip() for name in names):
            database = spglib.get_symmetry_from_database(hall) or {}
            return database["rotations"], database["translations"]
    if symbol == "C 1":
        return np.array([np.eye(3)] * 2), np.array([[0.0, 0.0, 0.0], [0.5, 0.5, 0.0]])
    raise LookupError(symbol)


@functools.cache
def structure_of(name):
    """Build a structure with spglib's operations, which do not come from where ours come from."""
    record = next(record for record in RECORDS if record["name"] == name)
    rotations, translations = operations(record["space_group"], record["space_group_number"])
    species, coordinates = [], []
    for position, content in contents(record).items():
        orbit = []
        for image in (rotations @ np.array(position) + translations) % 1.0:
            if all(np.abs((image - other + 0.5) % 1.0 - 0.5).max() > 1e-4 for other in orbit):
                orbit.append(image)
        species += [content] * len(orbit)
        coordinates += orbit
    return Structure(Lattice.from_parameters(*record["cell"]), species, coordinates)


def independent_structure(record):
    return structure_of(record["name"])


@pytest.fixture(scope="module")
def phases():
    return {phase.name: phase for phase in embedded_library().phases}


def test_there_are_at_least_75_phases_with_different_names_and_structures(phases):
    assert len(phases) == len(RECORDS) >= 75
    assert len({phase.key for phase in phases.values()}) == len(phases)


@each_record
def test_every_record_says_where_it_comes_from(record):
    assert re.search(r"\(1[89]\d\d\)|\(20\d\d\)|COD", record["source"])
    assert record["checked"] in ("read from the COD record", "typed from the paper's published values")
    assert ("cod_id" in record) == (record["checked"] == "read from the COD record")


@each_record
def test_formula_density_and_number_of_atoms_agree_with_the_record(record, phases):
    phase = phases[record["name"]]
    amounts = {}
    for site in phase.sites:
        amounts[site.element] = amounts.get(site.element, 0.0) + site.occupancy
    stated = Composition(record["formula"])
    factor = sum(amounts.values()) / stated.num_atoms
    assert amounts == pytest.approx({str(element): factor * amount for element, amount in stated.items()}, rel=1e-6)
    assert phase.density_g_cm3 == pytest.approx(record["density_g_cm3"], rel=0.01)
    assert len({site.position for site in phase.sites}) == record["atoms_per_cell"]
    assert phase.space_group_number == record["space_group_number"]


@each_record
def test_atoms_are_as_far_apart_as_atoms_are(record, phases):
    structure = independent_structure(record)
    full = [site for site in structure if site.species.num_atoms > 0.999]
    matrix = Structure.from_sites(full).distance_matrix + np.diag([np.inf] * len(full))
    nearest = min(matrix.min(), *record["cell"][:3])
    is_hydrogen = np.array(["H" in site.species for site in full])
    heavy = matrix[~is_hydrogen][:, ~is_hydrogen]
    assert heavy.min() > 1.0
    assert nearest > (0.7 if record["name"] in HYDROGEN_BY_X_RAYS else 0.9)
    if len(full) == len(structure):
        assert nearest == pytest.approx(record["shortest_distance_angstrom"], abs=2e-3)


@each_record
def test_the_operations_of_spglib_make_the_same_atoms(record, phases):
    structure, phase = independent_structure(record), phases[record["name"]]
    theirs = {tuple(np.round(site.frac_coords % 1.0, 4) % 1.0) for site in structure}
    ours = {tuple(np.round(site.position, 4) % 1.0) for site in phase.sites}
    assert len(theirs) == len(ours)
    gaps = [min(np.abs((np.subtract(a, b) + 0.5) % 1 - 0.5).max() for b in theirs) for a in ours]
    assert max(gaps) < 2e-4
    assert float(structure.density) == pytest.approx(phase.density_g_cm3, rel=1e-3)


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        ("anatase", "I4_1/amd"),
        ("rutile", "P4_2/mnm"),
        ("romarchite", "P4/nmm"),
        ("corundum", "R-3c:H"),
        ("quartz", "P3_121"),
        ("aragonite", "Pmcn"),
        ("spinel", "Fd-3m:2"),
        ("cuprite", "Pn-3m"),
    ],
)
def test_pymatgen_builds_the_same_atoms_from_the_same_symbol(name, symbol, phases):
    record = next(record for record in RECORDS if record["name"] == name)
    places = contents(record)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Full symbol not available", UserWarning)
        structure = Structure.from_spacegroup(
            symbol, Lattice.from_parameters(*record["cell"]), list(places.values()), list(places)
        )
    assert len(structure) == record["atoms_per_cell"]
    theirs = np.array([site.frac_coords for site in structure])
    ours = np.array([site.position for site in phases[name].sites])
    gaps = np.abs((ours[:, None] - theirs[None] + 0.5) % 1.0 - 0.5).max(axis=2)
    assert gaps.min(axis=1).max() < 1e-5


@each_with_lines
def test_strongest_lines_are_where_an_independent_calculation_had_them(record):
    lines = record["strongest_two_theta_deg"]
    calculated = XRDCalculator("CuKa1").get_pattern(
        independent_structure(record), two_theta_range=(15, max(lines) + 1.0), scaled=False
    )
    strongest = np.asarray(calculated.x)[np.argsort(calculated.y)[::-1][:4]]
    for line in lines:
        assert np.abs(strongest - line).min() < 0.05


def test_at_least_fifteen_pairs_of_either_kind_can_be_confused():
    found = pairs()
    kinds = [pair.kind for pair in found]
    assert kinds.count("polymorph") >= 15
    assert kinds.count("isostructural") >= 15
    assert len({frozenset(pair.names) for pair in found}) == len(found)


def test_polymorphs_have_one_formula_and_isostructural_phases_one_space_group_type(phases):
    for pair in pairs():
        first, second = (phases[name] for name in pair.names)
        if pair.kind == "polymorph":
            assert first.formula == second.formula
        else:
            assert first.space_group_number == second.space_group_number


@pytest.mark.parametrize(
    "names",
    [
        {"anatase", "rutile", "brookite"},
        {"alpha-Bi2O3", "beta-Bi2O3", "gamma-Bi2O3", "delta-Bi2O3"},
        {"baddeleyite", "ZrO2-tetragonal", "ZrO2-cubic"},
        {"quartz", "cristobalite", "coesite"},
        {"corundum", "hematite", "eskolaite", "karelianite"},
        {"spinel", "magnetite", "Co3O4", "LiMn2O4"},
    ],
    ids=lambda names: "-".join(sorted(names)),
)
def test_the_families_of_the_benchmark_are_pairs(names):
    found = {frozenset(pair.names) for pair in pairs()}
    assert all(frozenset(two) in found for two in itertools.combinations(names, 2))


def test_building_all_phases_is_quick():
    from surrogate.xrd import library

    library._embedded_phases.cache_clear()
    start = time.process_time()
    embedded_library()
    assert time.process_time() - start < 3.0


def test_the_page_about_the_phases_lists_every_one():
    page = (Path(__file__).parents[2] / "docs" / "phases.md").read_text(encoding="utf-8")
    for record in RECORDS:
        assert f"| {record['name']} | {record['formula']} | {record['space_group']} |" in page
        assert record["source"] in page
