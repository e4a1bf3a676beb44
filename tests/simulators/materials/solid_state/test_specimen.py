"""The way to the diffractometer: its pattern shows what the powder truly is."""

import numpy as np
import pytest

from simulators.materials.powder.pattern import Scan, simulate
from simulators.materials.powder.settings import Instrument, Sample
from simulators.materials.solid_state import specimen
from simulators.materials.solid_state.firing import fire
from simulators.materials.solid_state.powder import Powder
from simulators.materials.solid_state.profile import hold, program


@pytest.fixture
def fired(chemistry, mixed):
    onset_c = chemistry.laws["anatase + witherite"].onset_c
    return fire(mixed("BaTiO3-tetragonal", "witherite", "anatase"), [hold(onset_c, 60)], chemistry)


def test_weights_are_the_powders(fired):
    made = specimen.mixture(fired)
    weights = {share.structure.name: share.weight for share in made.shares}
    assert {"BaTiO3-tetragonal", "anatase", "witherite"} <= set(weights)
    assert weights == pytest.approx({name: fired.weights[name] for name in weights}, rel=1e-4)


def test_sizes_and_strains_are_the_powders(fired, rng):
    drawn = {
        phase.structure.name: phase.crystallites for phase in specimen.phases(fired, rng, Sample(texture=(0.8, 1.0)))
    }
    for portion in fired.portions:
        if portion.phase in drawn:
            assert drawn[portion.phase].size_nm == pytest.approx(portion.size_nm)
            assert drawn[portion.phase].microstrain == pytest.approx(portion.microstrain)
    sample = specimen.settings(fired, Sample(texture=(0.8, 1.0)))
    sizes = [crystallites.size_nm for crystallites in drawn.values()]
    assert sample.size_nm == pytest.approx((min(sizes), max(sizes))) and sample.texture == (0.8, 1.0)


def test_the_diffractometer_measures_it(fired, rng):
    made = simulate(
        specimen.mixture(fired), scan=Scan(), sample=specimen.settings(fired), instrument=Instrument(), rng=rng
    )
    two_theta_deg, counts = made.two_theta_deg, made.counts
    for line_deg in (25.3, 31.6, 23.9):
        near = np.abs(two_theta_deg - line_deg) < 0.3
        assert counts[near].max() > 1.3 * np.median(counts)
    assert made.truth.weights == pytest.approx(fired.weights, abs=1e-4)


def test_glass_is_amorphous_to_the_diffractometer(chemistry, mixed):
    melted = fire(mixed("Bi4Ti3O12", "alpha-Bi2O3", "rutile"), program(1230.0, 5), chemistry)
    assert 0.0 < specimen.mixture(melted).amorphous == melted.glass < 0.1


def test_nothing_cannot_be_measured():
    with pytest.raises(ValueError, match="no powder"):
        specimen.mixture(Powder())
