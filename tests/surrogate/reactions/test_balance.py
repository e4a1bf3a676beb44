import numpy as np
import pytest

from surrogate.reactions.balance import Network, reactions
from surrogate.reactions.energies import MEV_PER_KJ_MOL, Gas, Potentials
from surrogate.reactions.substances import read_rows, shipped_table

CARBON_DIOXIDE = Gas(o2_bar=1.0, co2_bar=1.0, h2o_bar=1.0)


@pytest.mark.parametrize(
    ("pair", "products", "kj"),
    [
        (("rutile", "witherite"), {"BaTiO3-tetragonal"}, -67.0),
        (("rutile", "witherite"), {"Ba2TiO4"}, -35.0),
        (("cuprite",), {"tenorite"}, -27.5),
    ],
    ids=["BaTiO3", "the trap Ba2TiO4", "oxidation"],
)
def test_energies_at_800_degc_and_1_bar_are_those_of_handbooks(pair, products, kj):
    table = shipped_table()
    found = next(one for one in reactions(table, pair) if set(one.products) == products)
    drive = found.drive_mev_atom(table, Potentials.of(table, 800.0, CARBON_DIOXIDE))
    per_first = next(iter(found.reactants.values()))
    assert -drive / MEV_PER_KJ_MOL / per_first == pytest.approx(kj, abs=0.6)


def test_a_carbonate_decomposes_in_air_only_when_it_is_hot():
    table = shipped_table()
    network = Network(table)
    cold, hot = (network.ranked(("witherite",), Potentials.of(table, t)) for t in (600.0, 1200.0))
    assert not cold
    assert hot[0][1].products == pytest.approx({"BaO": hot[0][1].reactants["witherite"]})


def test_reactions_keep_every_element():
    table = shipped_table()
    for pair in (("rutile", "witherite"), ("Y2O3", "tenorite"), ("Ba2TiO4", "rutile"), ("corundum", "periclase")):
        for one in reactions(table, pair):
            gases = one.gases(table)
            sides = [(one.reactants, 1.0), (one.products, -1.0), (gases, -1.0)]
            left: dict[str, float] = {}
            for side, sign in sides:
                for name, n in side.items():
                    for element, count in table[name].atoms.items():
                        left[element] = left.get(element, 0.0) + sign * n * count
            assert np.allclose(list(left.values()), 0.0, atol=1e-8)


def test_the_text_of_a_reaction_is_balanced_as_people_write_it():
    table = shipped_table()
    found = next(one for one in reactions(table, ("rutile", "witherite")) if set(one.products) == {"Ba2TiO4"})
    assert found.text(table) == "rutile + 2 witherite -> Ba2TiO4 + 2 CO2"


def test_phases_of_one_cation_do_not_react_with_one_another():
    assert reactions(shipped_table(), ("BaO", "witherite")) == ()


def test_the_best_product_is_that_of_an_independent_tool():
    """pymatgen's reactivity of an interface finds the same kink (energies of 0 K, closed)."""
    from pymatgen.analysis.interface_reactions import InterfacialReactivity
    from pymatgen.analysis.phase_diagram import PDEntry, PhaseDiagram
    from pymatgen.core import Composition

    rows = [
        {"formula": "MgO", "enthalpy_kj_mol": -601.6},
        {"formula": "Al2O3", "enthalpy_kj_mol": -1675.7},
        {"formula": "MgAl2O4", "enthalpy_kj_mol": -2299.1},
        {"formula": "MgAl6O10", "enthalpy_kj_mol": -5645.0},
    ]
    table = read_rows(rows)
    none = Potentials(temperature_c=25.0, open_kj_mol={"O": 0.0, "C": 0.0, "H": 0.0})
    drive, best = Network(table).ranked(("Al2O3", "MgO"), none)[0]
    ev = MEV_PER_KJ_MOL / 1000.0
    entries = [PDEntry(Composition(row["formula"]), row["enthalpy_kj_mol"] * ev) for row in rows]
    entries += [PDEntry(Composition(element), 0.0) for element in ("Mg", "Al", "O2")]
    reactivity = InterfacialReactivity(
        Composition("MgO"), Composition("Al2O3"), PhaseDiagram(entries), use_hull_energy=False
    )
    kink = min(reactivity.get_kinks(), key=lambda kink: kink[2])
    assert set(best.products) == {product.reduced_formula for product in kink[3].products} == {"MgAl2O4"}
    assert drive == pytest.approx(-1000.0 * kink[2], abs=0.5)
