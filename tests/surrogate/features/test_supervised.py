"""What a featurizer returns is checked, and kept."""

from itertools import count

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from surrogate.features.errors import BadFeatures, BadItem, NoFeaturizer
from surrogate.features.molecules import Molecule
from surrogate.features.supervised import Kept, Supervised
from surrogate.xrd.library import embedded_library

_numbers = count()


class Lengths:
    """How long a word is."""

    name, version, takes, columns = "lengths", "1", "composition", ("length", "square")

    def __init__(self):
        self.asked = []

    def features(self, items):
        self.asked.append(list(items))
        return [[len(item), len(item) ** 2] for item in items]


def supervised(inner):
    return Supervised(inner, origin="distribution acme-net 1.2", identity=f"test {next(_numbers)}")


def test_an_item_is_computed_once_and_a_few_twice_more():
    inner = Lengths()
    made = supervised(inner)
    np.testing.assert_array_equal(made.features(["Fe", "MgB2", "Fe"]), [[2, 4], [4, 16], [2, 4]])
    assert inner.asked == [["Fe", "MgB2"]] * 3
    made.features(["MgB2", "Fe"])
    assert len(inner.asked) == 3
    np.testing.assert_array_equal(made.features(["MgB2", "O"]), [[4, 16], [1, 1]])
    assert inner.asked[3:] == [["O"]] * 3
    assert made.features([]).shape == (0, 2)


@given(asks=st.lists(st.lists(st.sampled_from(["Fe", "MgB2", "O", "NaCl", "U"]), max_size=6), max_size=5))
def test_whatever_is_asked_rows_are_those_of_the_items_and_none_is_computed_twice(asks):
    inner = Lengths()
    made = supervised(inner)
    for items in asks:
        assert made.features(items).tolist() == [[len(item), len(item) ** 2] for item in items]
    firsts = [item for asked in inner.asked[::3] for item in asked]
    assert len(firsts) == len(set(firsts)) == len({item for items in asks for item in items})


def test_equal_atoms_are_computed_once_whatever_they_are_called():
    class Volumes(Lengths):
        takes = "structure"

        def features(self, items):
            self.asked.append([item.name for item in items])
            return [[item.volume_angstrom3, 1.0] for item in items]

    inner, phases = Volumes(), embedded_library(["rutile", "anatase"]).phases
    renamed = type(phases[0])(
        **{key: getattr(phases[0], key) for key in phases[0].__dataclass_fields__ if key in _GIVEN} | {"name": "other"}
    )
    found = supervised(inner).features([*phases, renamed])
    assert inner.asked[0] == ["rutile", "anatase"]
    assert found[0].tolist() == found[2].tolist() != found[1].tolist()


_GIVEN = (
    "formula",
    "space_group",
    "space_group_number",
    "crystal_system",
    "has_rhombohedral_axes",
    "unique_axis",
    "cell",
    "sites",
    "source",
    "notes",
)


def test_formulas_are_made_of_structures_and_molecules_where_they_are_needed():
    water = Molecule(name="w", elements=("O", "H", "H"), positions_angstrom=((0, 0, 0), (1, 0, 0), (0, 1, 0)))
    inner = Lengths()
    supervised(inner).features([*embedded_library(["rutile"]).phases, water])
    assert inner.asked[0] == ["TiO2", "H2O"]


@pytest.mark.parametrize(
    ("takes", "item", "message"),
    [
        ("structure", "MgB2", r"MgB2: it is text, and a structure \(of a CIF file\) is needed"),
        ("molecule", "MgB2", r"and a molecule \(of an XYZ file\) is needed"),
        ("smiles", embedded_library(["rutile"]).phases[0], r"rutile: it is a structure .* and a SMILES is needed"),
        ("composition", 7, "7: it is int, and a formula is needed"),
    ],
)
def test_items_of_another_kind_are_named(takes, item, message):
    inner = Lengths()
    inner.takes = takes
    with pytest.raises(BadItem, match=message):
        supervised(inner).features([item])


def returning(answer):
    class Wrong(Lengths):
        def features(self, items):
            return answer(items)

    return Wrong()


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda items: np.ones((len(items), 3)), r"returned 2 x 3 numbers for 2 items and its 2 columns; 2 x 2 are"),
        (lambda items: np.ones((1, 2)), "returned 1 x 2 numbers for 2 items"),
        (lambda items: np.ones(2), "returned 2 numbers for 2 items"),
        (lambda items: [[1.0, np.nan]] * len(items), "'square' of Fe is nan, no finite number"),
        (lambda items: [[next(_numbers), 1.0] for _ in items], "gives Fe other numbers each time"),
        (lambda items: [[len(items), 1.0] for _ in items] if len(items) != 2 else None, "returned 1 numbers"),
        (lambda items: 1 / 0, "failed at features: ZeroDivisionError: division by zero"),
    ],
    ids=["width", "length", "flat", "nan", "chance", "nothing", "raises"],
)
def test_what_cannot_be_used_is_refused_and_its_distribution_named(answer, message):
    with pytest.raises(BadFeatures, match=message) as caught:
        supervised(returning(answer)).features(["Fe", "MgB2"])
    assert "the featurizer 'lengths' of distribution acme-net 1.2" in str(caught.value)


def test_a_row_that_depends_on_its_company_is_refused():
    made = supervised(returning(lambda items: [[len(items), 1.0] for _ in items]))
    with pytest.raises(BadFeatures, match="Fe other numbers in other company"):
        made.features(["Fe", "MgB2", "O", "N"])


def test_nothing_of_what_was_refused_is_kept():
    bad = [True]
    made = supervised(returning(lambda items: np.full((len(items), 2), np.nan if bad else 1.0)))
    with pytest.raises(BadFeatures):
        made.features(["Fe"])
    bad.clear()
    assert made.features(["Fe"]).tolist() == [[1.0, 1.0]]


def test_an_error_about_an_item_passes_as_it_is():
    def refuse(items):
        raise BadItem(f"{items[0]} is too heavy")

    with pytest.raises(BadItem, match="^Fe is too heavy$"):
        supervised(returning(refuse)).features(["Fe"])


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("name", "", "name is a word, not ''"),
        ("version", 2, "version is a word, not 2"),
        ("takes", "poems", "takes is one of composition, structure, molecule, smiles, not 'poems'"),
        ("columns", (), "columns are names, one at least"),
        ("columns", "length", "columns are names"),
        ("columns", [1, 2], "columns are names"),
        ("features", None, "has no method features"),
    ],
)
def test_what_lacks_something_is_no_featurizer(key, value, message):
    inner = Lengths()
    setattr(inner, key, value)
    with pytest.raises(NoFeaturizer, match=message):
        supervised(inner)


def test_the_oldest_rows_go_where_there_are_too_many():
    kept = Kept(most=6)
    kept.put("a", {"x": np.zeros(3), "y": np.ones(3)})
    kept.put("a", {"x": np.full(3, 7.0), "z": np.full(3, 2.0)})
    assert set(kept.get("a", ["x", "y", "z"])) == {"y", "z"}
    assert kept.get("b", ["y"]) == {}
