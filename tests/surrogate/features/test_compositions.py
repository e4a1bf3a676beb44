"""Featurizers of formulas."""

import numpy as np
import pytest
from pymatgen.core import Element

from surrogate.features import elements
from surrogate.features.composition import FEATURES, CompositionError, features
from surrogate.features.compositions import BagOfAtoms, ElementStatistics


def named(featurizer, formulas, name):
    return featurizer.features(formulas)[:, featurizer.columns.index(name)]


def test_what_the_narrow_statistics_have_the_wide_ones_have_too():
    formulas = ["MgB2", "YBa2Cu3O7", "Fe"]
    featurizer = ElementStatistics()
    columns = [featurizer.columns.index(name) for name in FEATURES]
    np.testing.assert_array_equal(featurizer.features(formulas)[:, columns], features(formulas))


def test_properties_are_pymatgens():
    found = named(ElementStatistics(), ["Fe", "FeNi"], "mean bulk modulus")
    iron, nickel = (float(Element(symbol).data["Bulk modulus"]) for symbol in ("Fe", "Ni"))
    np.testing.assert_allclose(found, [iron, (iron + nickel) / 2])
    resistivity = named(ElementStatistics(), ["Cu"], "max log10 electrical resistivity")
    assert resistivity[0] == pytest.approx(np.log10(float(Element("Cu").data["Electrical resistivity"])))
    assert named(ElementStatistics(), ["TiO2"], "range greatest oxidation state")[0] == 6.0


def test_a_flag_is_the_share_of_atoms_with_a_stand_in():
    assert "Bulk modulus" not in Element("Sr").data
    assert named(ElementStatistics(), ["Fe", "SrFe3", "Sr"], "imputed bulk modulus").tolist() == [0.0, 0.25, 1.0]
    flagged = {name.removeprefix("imputed ") for name in ElementStatistics().columns if name.startswith("imputed ")}
    assert flagged == {
        name for name, lacks in zip(elements.ALL_PROPERTIES, elements.gaps().any(axis=0), strict=True) if lacks
    }
    assert {"bulk modulus", "electronegativity"} < flagged
    assert "atomic number" not in flagged


def test_every_property_is_known_of_half_of_the_elements():
    assert (elements.gaps().mean(axis=0) < 0.5).all()
    assert np.isfinite(elements.wide_table()).all()
    assert elements.wide_table().shape == (elements.LAST, len(elements.ALL_PROPERTIES))


def test_a_bag_of_atoms():
    found = BagOfAtoms().features(["MgB2", "B4Mg2"])
    np.testing.assert_allclose(found[0], found[1])
    row = dict(zip(BagOfAtoms().columns, found[0], strict=True))
    assert {name: share for name, share in row.items() if share} == pytest.approx(
        {"share of B": 2 / 3, "share of Mg": 1 / 3}
    )


@pytest.mark.parametrize("featurizer", [ElementStatistics(), BagOfAtoms()], ids=["statistics", "bag"])
def test_widths_and_errors(featurizer):
    assert featurizer.features(["Fe"]).shape == (1, len(featurizer.columns))
    assert featurizer.features([]).shape == (0, len(featurizer.columns))
    assert len(set(featurizer.columns)) == len(featurizer.columns)
    with pytest.raises(CompositionError, match="'Xx'"):
        featurizer.features(["Fe", "Xx"])
