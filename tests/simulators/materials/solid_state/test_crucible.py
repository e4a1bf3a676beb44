"""Crucibles: only a melt or a corrosive oxide is a danger."""

from dataclasses import replace

import numpy as np
import pytest

from simulators.materials.solid_state.crucible import can_attack, melts_through
from simulators.materials.solid_state.dosing import dose


def test_who_is_a_danger(rng):
    titania, lead = dose({"rutile": 100.0}, rng), dose({"macedonite": 100.0}, rng)
    assert not can_attack(titania) and not can_attack(replace(titania, highest_c=1300.0))
    assert can_attack(replace(titania, liquid=0.1))
    assert not can_attack(lead) and can_attack(replace(lead, highest_c=1250.0))


def test_one_in_a_hundred_goes_through(rng):
    molten = replace(dose({"litharge": 100.0}, rng), liquid=1.0)
    lost = sum(melts_through(molten, rng) for _ in range(20_000))
    assert 150 < lost < 250
    assert not any(melts_through(dose({"rutile": 100.0}, rng), rng, chance=1.0) for _ in range(10))


def test_one_draw_is_made_whatever_the_powder(rng):
    safe = dose({"rutile": 100.0}, rng)
    one, other = np.random.default_rng(1), np.random.default_rng(1)
    melts_through(safe, one)
    melts_through(replace(safe, liquid=1.0), other)
    assert one.random() == other.random()
    with pytest.raises(ValueError, match="from 0 to 1"):
        melts_through(safe, rng, chance=1.5)
