from pathlib import Path

import numpy as np
import pytest

from planner import Categorical, Continuous, Objective, Observation, Planner, SearchSpace, SpaceError
from planner.pool import rows_of_columns

SOLVENTS = {"water": (78.4, 18.0, 1.0), "ethanol": (24.5, 46.1, 1.0), "toluene": (2.4, 92.1, 1.0)}
FORMULAS = ["MgB2", "Fe2O3", "Fe4O6", "Zr2InNi", "NbTi"]


def solvents() -> Categorical:
    return Categorical("solvent", list(SOLVENTS), descriptors=SOLVENTS)


def test_descriptors_are_standardised_and_constant_columns_left_out() -> None:
    codes = solvents().codes
    table = codes.encode(np.arange(3))
    assert table.shape == (3, 2) == (3, codes.width)
    np.testing.assert_allclose(table.mean(axis=0), 0.5)
    np.testing.assert_allclose(table.std(axis=0), 12.0**-0.5)
    assert list(np.argsort(table[:, 0])) == [2, 1, 0]
    assert list(np.argsort(table[:, 1])) == [0, 1, 2]


def test_the_order_of_a_table_does_not_matter() -> None:
    shuffled = Categorical("solvent", list(SOLVENTS), descriptors=dict(reversed(SOLVENTS.items())))
    np.testing.assert_array_equal(shuffled.codes.encode(np.arange(3)), solvents().codes.encode(np.arange(3)))


def test_large_numbers_are_no_trouble() -> None:
    huge = Categorical("s", ["a", "b"], descriptors={"a": [1e300, -1e300], "b": [-1e300, 1e300]})
    assert np.isfinite(huge.codes.encode(np.arange(2))).all()


def test_without_descriptors_each_word_has_a_column() -> None:
    codes = Categorical("s", ["x", "y", "z"]).codes
    np.testing.assert_array_equal(codes.encode(np.array([2.0, 0.0])), [[0, 0, 1], [1, 0, 0]])
    assert list(codes.decode(np.array([[0.2, 0.1, 0.7]]))) == [2]


def test_a_space_encodes_descriptors_beside_numbers_and_decodes_to_the_nearest_word() -> None:
    space = SearchSpace([Continuous("t", 0.0, 10.0), solvents()])
    points = [{"t": 2.5, "solvent": name} for name in SOLVENTS]
    codes = space.encode(points)
    assert codes.shape == (3, space.width) == (3, 3)
    assert space.decode(codes + 1e-3) == [{"t": pytest.approx(2.51), "solvent": name} for name in SOLVENTS]


def test_composition_descriptors_of_equal_compositions_are_equal() -> None:
    codes = Categorical("formula", FORMULAS, descriptors="composition").codes
    table = codes.encode(np.arange(len(FORMULAS)))
    assert codes.width > 20
    np.testing.assert_allclose(table[1], table[2], atol=1e-9)
    assert np.abs(table[0] - table[1]).max() > 0.1


@pytest.mark.parametrize(
    ("values", "descriptors", "message"),
    [
        (["a", "b"], {"a": [1.0]}, "no row for 'b'"),
        (["a", "b"], {"a": [1.0], "b": [2.0], "c": [3.0]}, "row for 'c', which is none"),
        (["a", "b"], {"a": [1.0], "b": [float("nan")]}, "descriptor of 'b' is no finite number"),
        (["a", "b"], {"a": [1.0], "b": [2.0, 3.0]}, "'b' has 2 descriptors, the first value has 1"),
        (["a", "b"], {"a": [], "b": []}, "'a' has 0 descriptors"),
        (["a", "b"], {"a": [1.0], "b": "no"}, "descriptors of 'b' are no numbers"),
        (["a", "b"], {"a": [1.0], "b": 2.0}, "descriptors of 'b' are no numbers"),
        (["a", "b"], {"a": 1.0, "b": [2.0]}, "descriptors of 'a' are no numbers"),
        (["a", "b"], {"a": [1.0], "b": [1.0]}, "the same for every value"),
        (["a", "b"], [[1.0], [2.0]], "map each value to a row"),
        (["a", "b"], "magpie", "descriptors are 'composition', or a table"),
        (["MgB2", "Xx3"], "composition", "formula 'Xx3': no properties are known of an element 'Xx'"),
    ],
)
def test_wrong_descriptors_are_refused_where_they_are_given(values, descriptors, message) -> None:
    with pytest.raises(SpaceError, match=message):
        Categorical("p", values, descriptors=descriptors)


@pytest.mark.parametrize(
    "descriptors", ["composition", {name: [len(name), 1.0 + i] for i, name in enumerate(FORMULAS)}]
)
def test_saving_keeps_descriptors(descriptors, tmp_path: Path) -> None:
    space = SearchSpace([Categorical("formula", FORMULAS, descriptors=descriptors)])
    planner = Planner(space, [Objective("y", "maximize")], seed=1)
    planner.tell([Observation(parameters={"formula": "MgB2"}, values={"y": 39.0})])
    planner.save(tmp_path / "planner.json")
    again = Planner.load(tmp_path / "planner.json")
    assert again.space.parameters == space.parameters
    points = [{"formula": name} for name in FORMULAS]
    np.testing.assert_array_equal(again.space.encode(points), space.encode(points))


def test_the_default_policy_learns_from_descriptors() -> None:
    words = [f"w{i}" for i in range(60)]
    heights = np.linspace(-1.0, 1.0, 60)
    shape = 1.0 - (heights - 0.6) ** 2
    table = {word: [height, height**2] for word, height in zip(words, heights, strict=True)}
    planner = Planner(SearchSpace([Categorical("w", words, descriptors=table)]), [Objective("y", "maximize")], seed=3)
    for _ in range(10):
        [proposal] = planner.ask()
        value = float(shape[words.index(str(proposal.parameters["w"]))])
        planner.tell([Observation(parameters=proposal.parameters, values={"y": value}, proposal_id=proposal.id)])
    best = planner.best()
    assert best is not None
    assert best.values["y"] > 0.999


def test_thousands_of_words_are_read_quickly_and_not_listed_in_a_message() -> None:
    words = [f"word{i}" for i in range(50_000)]
    parameter = Categorical("w", words)
    rows = rows_of_columns([parameter], {"w": words})
    np.testing.assert_array_equal(rows[:, 0], np.arange(50_000))
    assert parameter.violation("wrod1") == "parameter 'w': 'wrod1' is none of its 50000 values"
    assert len(parameter.violation("word1") or "") == 0
