import numpy as np
import pytest

from simulators.materials.superconductors import BASE_K, ELEMENTS, FAILURES, HIT_K, HITS, Superconductors, shares


@pytest.fixture(scope="module")
def world():
    return Superconductors(3, n_pool=4000, n_known=200)


def test_equal_seeds_give_equal_worlds_and_others_do_not(world):
    again, other = Superconductors(3, n_pool=4000, n_known=200), Superconductors(4, n_pool=4000, n_known=200)
    assert again.pool == world.pool
    assert again.known == world.known
    np.testing.assert_array_equal(again.tc_k(world.pool[:50]), world.tc_k(world.pool[:50]))
    assert np.abs(other.tc_k(world.pool[:50]) - world.tc_k(world.pool[:50])).max() > 1.0


def test_hits_and_failures_are_as_rare_as_they_say(world):
    assert world.is_hit(world.pool).mean() == pytest.approx(HITS, abs=0.001)
    assert world.failure_chance(world.pool).mean() == pytest.approx(FAILURES, abs=0.001)
    made = [world.made(formula) for formula in world.pool[:1500]]
    assert np.mean([tc is None for tc in made]) == pytest.approx(FAILURES, abs=0.05)


def test_the_literature_reports_superconductors_and_one_family(world):
    known = [one.formula for one in world.known]
    assert len(set(known)) == 200
    assert not set(known) & set(world.pool)
    oxides = [one for one in world.known if "Cu" in one.formula and "O" in one.formula]
    others = [one for one in world.known if one not in oxides]
    assert 100 <= len(oxides) < 120
    assert np.mean([one.tc_k > 0 for one in others]) > 1.8 * np.mean(world.seen_k(world.pool) > 0)


def test_the_cryostat_sees_nothing_below_its_base(world):
    seen, true = world.seen_k(world.pool), world.tc_k(world.pool)
    assert (true > 0).all()
    assert (seen[true < BASE_K] == 0).all()
    np.testing.assert_array_equal(seen[true >= BASE_K], true[true >= BASE_K])


def test_a_sample_is_the_same_whoever_makes_it(world):
    hits = [formula for formula, is_hit in zip(world.pool, world.is_hit(world.pool), strict=True) if is_hit]
    made = [world.made(formula) for formula in hits]
    assert made == [world.made(formula) for formula in hits]
    found = [(tc, true) for tc, true in zip(made, world.tc_k(hits), strict=True) if tc is not None]
    assert all(tc == pytest.approx(true, rel=0.1) for tc, true in found)
    assert 0 < len(found) < len(hits)


def test_a_multiple_of_a_formula_is_the_same_compound(world):
    assert world.tc_k(["Nb3Sn", "Nb6Sn2"]) == pytest.approx(np.repeat(world.tc_k(["Nb3Sn"]), 2))
    assert (world.tc_k(["Nb3Sn"]) >= HIT_K) == world.is_hit(["Nb3Sn"])


def test_shares_add_up_to_one():
    [row] = shares(["Zr2InNi"])
    assert row.sum() == pytest.approx(1.0)
    assert row[ELEMENTS.index("Zr")] == 0.5


@pytest.mark.parametrize(
    ("formula", "message"),
    [("Xe2O", "no element 'Xe'"), ("nb3sn", "no formula"), ("", "no formula"), ("Nb0", "no atoms")],
)
def test_what_is_not_of_this_world_is_refused(world, formula, message):
    with pytest.raises(ValueError, match=message):
        world.tc_k([formula])
