"""Features of words that are formulas or SMILES, asked for by name."""

import numpy as np
import pytest

from planner import Categorical, Objective, Observation, Planner, SearchSpace, SpaceError
from planner.descriptors import described
from surrogate.features.compositions import BagOfAtoms, ElementStatistics

FORMULAS = ["MgB2", "Fe2O3", "Fe4O6", "Zr2InNi", "NbTi"]
MINE = """
class Lengths:
    name, version, takes, columns = "lengths", "1", "composition", ("length",)

    def __init__(self, *, factor=1):
        self.factor = factor

    def features(self, items):
        return [[self.factor * len(item)] for item in items]
"""


def test_features_are_standardised_columns_of_the_featurizers_one_behind_another():
    spec = {"from": "composition", "kind": ["element_statistics", "bag_of_atoms"]}
    found = Categorical("formula", FORMULAS, descriptors=spec).codes.encode(np.arange(5))
    both = np.hstack([ElementStatistics().features(FORMULAS), BagOfAtoms().features(FORMULAS)])
    table = dict(zip(FORMULAS, both.tolist(), strict=True))
    np.testing.assert_array_equal(found, described("formula", FORMULAS, table))
    np.testing.assert_allclose(found.mean(axis=0), 0.5)


def test_a_featurizer_of_a_file_with_options(tmp_path):
    (tmp_path / "mine.py").write_text(MINE)
    kind = f"{tmp_path}/mine.py:Lengths"
    spec = {"from": "composition", "kind": kind, "options": {kind: {"factor": -1}}}
    up = Categorical("formula", FORMULAS, descriptors={"from": "composition", "kind": kind}).codes
    down = Categorical("formula", FORMULAS, descriptors=spec).codes
    assert up.width == down.width == 1
    np.testing.assert_allclose(up.encode(np.arange(5)) + down.encode(np.arange(5)), 1.0)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"kind": "bag_of_atoms"}, "features of words are from composition or smiles, not None"),
        (
            {"from": "structure", "kind": "sine_matrix"},
            "not 'structure'; of files make the parameter by planner.featured",
        ),
        (
            {"from": "composition", "kind": "bag_of_atom"},
            "no featurizer is called 'bag_of_atom'; did you mean 'bag_of_atoms'",
        ),
        ({"from": "composition", "kind": "sine_matrix"}, "it is text, and a structure .* is needed"),
        (
            {"from": "composition", "kind": "bag_of_atoms", "option": {}},
            "features have no key 'option'; did you mean 'options'",
        ),
        ({"from": "composition", "kind": "bag_of_atoms", "options": {"size": 3}}, "are told by kind"),
        ({"from": "composition", "kind": "bag_of_atoms", "options": {"bag": {}}}, "'bag', which is none of the kinds"),
        (
            {"from": "composition", "kind": "bag_of_atoms", "options": {"bag_of_atoms": {"n": 1}}},
            "cannot be made with options",
        ),
    ],
)
def test_what_cannot_be_is_said_where_it_is_given(spec, message):
    with pytest.raises(SpaceError, match=f"parameter 'formula'.*{message}"):
        Categorical("formula", FORMULAS, descriptors=spec)


def test_a_word_that_is_no_formula_is_named():
    with pytest.raises(SpaceError, match="'Xx3'"):
        Categorical("formula", ["MgB2", "Xx3"], descriptors={"from": "composition", "kind": "element_statistics"})


def test_saving_keeps_what_features_are_wanted(tmp_path):
    spec = {"from": "composition", "kind": "element_statistics"}
    space = SearchSpace([Categorical("formula", FORMULAS, descriptors=spec)])
    planner = Planner(space, [Objective("y", "maximize")], seed=1)
    planner.tell([Observation(parameters={"formula": "MgB2"}, values={"y": 39.0})])
    planner.save(tmp_path / "planner.json")
    again = Planner.load(tmp_path / "planner.json")
    assert again.space.parameters == space.parameters
    points = [{"formula": name} for name in FORMULAS]
    np.testing.assert_array_equal(again.space.encode(points), space.encode(points))
