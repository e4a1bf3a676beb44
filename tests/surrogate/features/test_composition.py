import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from surrogate.features import elements
from surrogate.features.composition import FEATURES, CompositionError, features, fractions, parse

compositions = st.dictionaries(
    st.sampled_from(elements.symbols()), st.integers(min_value=1, max_value=30), min_size=1, max_size=6
)


def formula(amounts, order=None):
    return "".join(f"{symbol}{amounts[symbol]}" for symbol in order or amounts)


def named(found, name):
    return found[:, FEATURES.index(name)]


@given(amounts=compositions, data=st.data())
def test_the_order_of_elements_changes_nothing(amounts, data):
    order = data.draw(st.permutations(list(amounts)))
    one, other = features([formula(amounts), formula(amounts, order)])
    assert np.array_equal(one, other)


@given(amounts=compositions, times=st.integers(min_value=2, max_value=9))
def test_a_multiple_of_a_formula_is_the_same_composition(amounts, times):
    one, other = features([formula(amounts), formula({symbol: times * n for symbol, n in amounts.items()})])
    np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9)


@given(amounts=compositions)
def test_shares_add_up_to_one(amounts):
    [row] = fractions([formula(amounts)])
    assert row.sum() == pytest.approx(1.0, abs=1e-12)
    assert (row > 0).sum() == len(amounts)
    assert sum(parse(formula(amounts)).values()) == pytest.approx(1.0, abs=1e-12)


@given(amounts=compositions)
def test_statistics_keep_their_order(amounts):
    found = features([formula(amounts)])
    for name in elements.PROPERTIES:
        low, mean, high = (named(found, f"{which} {name}")[0] for which in ("min", "mean", "max"))
        slack = 1e-9 * max(abs(low), abs(high))
        assert low - slack <= mean <= high + slack
        assert -slack <= named(found, f"spread {name}")[0] <= (high - low) / 2 + slack


def test_known_numbers():
    found = features(["MgB2", "Fe"])
    assert named(found, "mean atomic number") == pytest.approx([22 / 3, 26.0])
    assert named(found, "spread atomic number")[0] == pytest.approx(np.sqrt(2 / 9) * 7)
    assert named(found, "range electronegativity") == pytest.approx([2.04 - 1.31, 0.0])
    assert named(found, "max melting temperature") == pytest.approx([2349.0, 1811.0])
    assert named(found, "mean d electrons") == pytest.approx([0.0, 6.0])
    assert named(found, "number of elements") == pytest.approx([2.0, 1.0])
    assert named(found, "evenness (2-norm)") == pytest.approx([np.sqrt(5) / 3, 1.0])


def test_the_longest_formula_of_a_list_does_not_change_the_others():
    alone = features(["MgB2"])
    together = features(["YBa2Cu3O7", "MgB2", "Fe"])
    np.testing.assert_array_equal(alone[0], together[1])


@pytest.mark.parametrize(
    ("written", "shares"),
    [
        ("Ca(OH)2", {"H": 0.4, "O": 0.4, "Ca": 0.2}),
        ("Zr2 In Ni", {"Ni": 0.25, "Zr": 0.5, "In": 0.25}),
        ("La1.85Sr0.15CuO4", {"O": 4 / 7, "Cu": 1 / 7, "Sr": 0.15 / 7, "La": 1.85 / 7}),
        ("D2O", {"H": 2 / 3, "O": 1 / 3}),
        ("FeC0", {"Fe": 1.0}),
        ("NaClNa", {"Na": 2 / 3, "Cl": 1 / 3}),
    ],
)
def test_formulas(written, shares):
    assert parse(written) == pytest.approx(shares)


@pytest.mark.parametrize("wrong", ["", "mgb2", "Xx2O", "OgO2", "Fe(", "Fe-2", "Fe0", "Fe2.5.3", "12", "Fe2+", "Rf"])
def test_what_is_no_formula_is_named(wrong):
    with pytest.raises(CompositionError, match=repr(wrong).replace("(", r"\(").replace("+", r"\+")):
        features(["MgB2", wrong])


def test_a_number_is_no_formula():
    with pytest.raises(CompositionError, match=r"not 3\.5"):
        parse(3.5)


def test_no_formulas_give_no_rows():
    assert features([]).shape == (0, len(FEATURES))
    assert fractions([]).shape == (0, elements.LAST)


def test_the_table_of_elements_has_no_gaps_and_says_what_stands_in():
    assert elements.table().shape == (elements.LAST, len(elements.PROPERTIES))
    assert np.isfinite(elements.table()).all()
    assert set(elements.imputed()["electronegativity"]) == {"He", "Ne", "Ar"}
    column = elements.PROPERTIES.index("electronegativity")
    values = dict(zip(elements.symbols(), elements.table()[:, column], strict=True))
    assert values["Ar"] == pytest.approx(np.median([values["Kr"], values["Xe"], values["Rn"]]))
    assert values["Kr"] == 3.0


def test_lanthanides_lend_to_each_other_and_not_to_scandium():
    column = elements.PROPERTIES.index("atomic radius")
    values = dict(zip(elements.symbols(), elements.table()[:, column], strict=True))
    actinides = ("Ac", "Th", "Pa", "U", "Np", "Pu", "Am")
    assert values["Lr"] == pytest.approx(np.median([values[symbol] for symbol in actinides]))


def test_a_hundred_thousand_formulas_take_seconds():
    rng = np.random.default_rng(0)
    picks = rng.integers(elements.LAST, size=(100_000, 3))
    many = ["".join(f"{elements.symbols()[place]}{n}" for n, place in enumerate(pick, 1)) for pick in picks]
    began = time.process_time()
    assert features(many).shape == (100_000, len(FEATURES))
    assert time.process_time() - began < 15.0
