"""A simulated world that the tests of solid-state chemistry share."""

import numpy as np
import pytest

from simulators.materials.solid_state.chemistry import Chemistry
from simulators.materials.solid_state.dosing import dose, stoichiometric_mg
from simulators.materials.solid_state.grinding import grind


@pytest.fixture(scope="package")
def chemistry():
    return Chemistry.draw(np.random.default_rng(1))


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.fixture
def mixed(rng):
    """Return a maker of a well-mixed half gram, dosed without error."""

    def make(target, *precursors):
        masses = stoichiometric_mg(target, precursors, product_mg=500.0)
        return grind(dose(masses, rng, relative_error=0.0), minutes=10.0, rng=rng)

    return make
