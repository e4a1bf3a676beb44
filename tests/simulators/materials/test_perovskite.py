import numpy as np
import pytest

from simulators.materials.perovskite import (
    BEST_PERCENT,
    FAILING,
    NOISE_SD_PERCENT,
    PARAMETERS,
    SprayPlasma,
    earlier_table,
    recipe_of,
)

SEEDS = range(6)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_third_of_the_box_gives_no_film_and_the_best_recipe_does(seed: int) -> None:
    process, rng = SprayPlasma.of(seed), np.random.default_rng(seed)
    fails = [not process.makes_film(recipe_of(codes)) for codes in rng.random((4000, 6))]
    assert np.mean(fails) == pytest.approx(FAILING, abs=0.04)
    best = recipe_of(process.best)
    assert process.efficiency_percent(best) == pytest.approx(BEST_PERCENT)
    moved = [np.clip(process.best + 0.1 * rng.standard_normal(6), 0, 1) for _ in range(200)]
    assert max(process.efficiency_percent(recipe_of(codes)) for codes in moved) < BEST_PERCENT


@pytest.mark.parametrize("seed", SEEDS)
def test_good_recipes_are_rare(seed: int) -> None:
    process, rng = SprayPlasma.of(seed), np.random.default_rng(seed)
    values = np.array([process.efficiency_percent(recipe_of(codes)) for codes in rng.random((20_000, 6))])
    assert 0.002 < np.mean(values >= 17.0) < 0.02
    assert np.mean(values >= 18.3) < 5e-4


def test_a_failed_film_gives_zero_and_says_what_is_seen() -> None:
    process, rng = SprayPlasma.of(0), np.random.default_rng(0)
    seen: dict[str | None, list[float]] = {}
    for codes in rng.random((500, 6)):
        recipe = recipe_of(codes)
        seen.setdefault(process.fault(recipe), []).append(process.measure_percent(recipe, rng))
    assert set(seen) == {None, "the film is wet and uneven", "the film is burnt"}
    assert all(value == 0.0 for fault, values in seen.items() if fault for value in values)
    assert np.mean(np.array(seen[None]) > 0) > 0.85


def test_one_device_scatters() -> None:
    process, rng = SprayPlasma.of(1), np.random.default_rng(0)
    values = np.array([process.measure_percent(recipe_of(process.best), rng) for _ in range(2000)])
    assert values.mean() == pytest.approx(BEST_PERCENT, abs=0.06)
    assert values.std() == pytest.approx(NOISE_SD_PERCENT, rel=0.06)


def test_each_seed_is_another_process() -> None:
    one, other = SprayPlasma.of(0), SprayPlasma.of(1)
    assert not np.allclose(one.best, other.best)
    assert np.allclose(one.best, SprayPlasma.of(0).best)
    assert np.linalg.eigvalsh(one.losses)[0] > 0


@pytest.mark.parametrize("seed", SEEDS)
def test_an_earlier_process_resembles_it_without_being_it(seed: int) -> None:
    recipes, values = earlier_table(seed, 300)
    process, earlier = SprayPlasma.of(seed), SprayPlasma.of(seed).earlier(seed)
    assert all(process.makes_film(recipe) for recipe in recipes)
    now = [process.efficiency_percent(recipe) for recipe in recipes]
    assert 0.5 < np.corrcoef(values, now)[0, 1] < 0.97
    assert max(values) < 17.5
    assert process.efficiency_percent(recipe_of(earlier.best)) < BEST_PERCENT - 0.1
    assert list(recipes[0]) == list(PARAMETERS)


def test_a_parameter_that_is_missing_is_named() -> None:
    with pytest.raises(KeyError, match="plasma_height"):
        SprayPlasma.of(0).efficiency_percent(
            {name: low for name, (low, _) in PARAMETERS.items() if "height" not in name}
        )
