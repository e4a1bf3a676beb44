from dataclasses import replace

import numpy as np
import pytest

from surrogate.xrd.families import are_one_phase, families, family_reason, one_of_each_family
from surrogate.xrd.hypothesis import Hypothesis
from surrogate.xrd.identify import Identifier
from surrogate.xrd.library import Library, embedded_library
from tests.surrogate.xrd.mixtures import CALIBRATION, phase_of, simulated_scan

CELLS = {"near": (4.5941, 2.9589), "cold": (4.5845, 2.9533), "warm": (4.602, 2.956), "calculated": (4.6532, 2.9692)}


def rutile(name, edges):
    a, c = edges
    return replace(phase_of("rutile"), name=name, cell=(a, a, c, 90.0, 90.0, 90.0))


def folder(*others):
    rutiles = [rutile(name, edges) for name, edges in CELLS.items()]
    return Library(phases=(phase_of("corundum"), *rutiles, *map(phase_of, others)))


@pytest.fixture(scope="module")
def identifier():
    return Identifier(folder("anatase", "brookite"), calibration=CALIBRATION)


def test_the_embedded_library_has_no_families():
    phases = embedded_library().phases
    assert (families(phases) == np.arange(len(phases))).all()


def test_cells_of_one_phase_are_a_family_and_bear_the_number_of_the_first():
    assert families(folder("anatase").phases).tolist() == [0, 1, 1, 1, 1, 5]


def changed(element, **changes):
    plain = phase_of("rutile")
    return replace(plain, sites=tuple(replace(s, **changes) if s.element == element else s for s in plain.sites))


def shifted(by):
    """Return rutile with its first oxygen moved along a."""
    plain = phase_of("rutile")
    number = next(n for n, site in enumerate(plain.sites) if site.element == "O")
    x, y, z = plain.sites[number].position
    moved = replace(plain.sites[number], position=(x + by, y, z))
    return replace(plain, sites=(*plain.sites[:number], moved, *plain.sites[number + 1 :]))


@pytest.mark.parametrize(
    ("other", "are_one"),
    [
        (rutile("far", (4.80, 3.09)), False),
        (rutile("near", (4.70, 3.02)), True),
        (phase_of("anatase"), False),
        (phase_of("cassiterite"), False),
        (shifted(0.003), True),
        (shifted(0.1), False),
        (replace(phase_of("rutile"), space_group_number=58), False),
        (changed("Ti", occupancy=0.9), False),
    ],
    ids=["far cell", "near cell", "polymorph", "other element", "same places", "other places", "group", "composition"],
)
def test_a_family_is_one_structure_with_about_one_cell(other, are_one):
    assert are_one_phase(phase_of("rutile"), other) is are_one


def test_of_sets_that_differ_in_cells_only_the_best_stays():
    sets = [(1,), (0, 2), (2,), (), (0, 1), (0,), (3,)]
    tried = [
        Hypothesis(phases=phases, log_evidence=-float(n), chi_squared=1.0, fitted=None) for n, phases in enumerate(sets)
    ]
    assert [one.phases for one in one_of_each_family(tried, np.array([0, 1, 1, 3]))] == [(1,), (0, 2), (), (0,), (3,)]
    assert one_of_each_family(tried, np.arange(4)) == tried


def test_the_reason_lists_the_other_cells():
    phases = folder().phases
    said = family_reason(2, phases, families(phases))
    assert said.startswith("cold is in the library") and "(near, warm, calculated)" in said
    assert family_reason(0, phases, families(phases)) == ""


@pytest.mark.parametrize("seed", [0, 1])
def test_a_phase_with_several_cells_is_identified_once_and_surely(identifier, seed):
    found = identifier.identify(simulated_scan("L1", {"rutile": 1.0}, seed), curves=False)
    assert found.verdict == "identified" and len(found.phases) == 1 and found.phases[0].name in CELLS
    assert found.phases[0].probability > 0.9 and found.alternatives[0].phases == (found.phases[0].name,)
    assert any("other cells too" in reason for reason in found.reasons)


def test_no_set_holds_two_cells_of_one_phase(identifier):
    found = identifier.identify(simulated_scan("L1", {"rutile": 0.7, "anatase": 0.3}, 3), curves=False)
    assert found.verdict == "identified" and len(found.phases) == 2
    for alternative in found.alternatives:
        assert sum(name in CELLS for name in alternative.phases) <= 1
    named = [tuple("rutile" if name in CELLS else name for name in one.phases) for one in found.alternatives]
    assert len(set(map(frozenset, named))) == len(named)
