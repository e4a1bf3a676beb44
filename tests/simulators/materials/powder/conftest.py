"""Structures that tests of powder patterns share."""

import pytest

from simulators.materials.powder.library import structures


@pytest.fixture(params=["anatase", "alpha-Bi2O3", "corundum", "silicon", "zincite", "LiCoO2"])
def structure(request):
    """Tetragonal, monoclinic, rhombohedral and cubic ones, one without a centre."""
    return structures()[request.param]


@pytest.fixture
def silicon():
    return structures()["silicon"]
