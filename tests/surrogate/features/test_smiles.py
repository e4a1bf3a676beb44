"""Features of SMILES: the error where RDKit is missing, the numbers where it is there."""

import sys

import numpy as np
import pytest

from surrogate.features.errors import BadItem, FeatureError, MissingPackage
from surrogate.features.named import featurizer
from surrogate.features.smiles import Smiles


def test_without_rdkit_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "rdkit", None)
    with pytest.raises(MissingPackage, match=r"pip install 'labpilot\[smiles\]'"):
        Smiles()
    with pytest.raises(MissingPackage, match="need RDKit"):
        featurizer("smiles")


@pytest.mark.parametrize("bits", [8, 5000, True, "64"])
def test_a_number_of_columns_that_is_none_is_refused(bits):
    with pytest.raises(FeatureError, match="bits is a whole number from 16 to 4096"):
        Smiles(bits=bits)


def test_ethanol():
    pytest.importorskip("rdkit")
    made = featurizer("smiles", {"bits": 64})
    ethanol, again, benzene = made.features(["CCO", "OCC", "c1ccccc1"])
    np.testing.assert_allclose(ethanol, again)
    told = dict(zip(made.columns, ethanol, strict=True))
    assert told["molar mass"] == pytest.approx(46.069, abs=1e-2)
    assert told["hydrogen bond donors"] == 1
    assert dict(zip(made.columns, benzene, strict=True))["aromatic rings"] == 1
    assert len(made.columns) == 75


def test_what_is_no_smiles_is_named():
    pytest.importorskip("rdkit")
    with pytest.raises(BadItem, match=r"'C\(' is no SMILES"):
        featurizer("smiles").features(["CCO", "C("])
