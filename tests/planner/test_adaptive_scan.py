import subprocess
import sys

import numpy as np
import pytest

from planner.adaptive_scan import GRID_POINTS, SCAN_POLICIES, AdaptiveScan
from planner.errors import BadOption
from surrogate.spectra.microscope import MicroscopePrior

PRIOR = MicroscopePrior(distances_mm=(0.2,), centre_mm=0.015, right_over_left=0.97)
LOOKING = ["integrated_gradient", "integrated_variance", "uncertainty"]


def scan(policy="integrated_gradient", *, points=20, prior=None, seed=0):
    return AdaptiveScan(policy, half_range_mm=0.8, points=points, prior=prior, rng=np.random.default_rng(seed))


def step(x_mm, *, at_mm=0.2, width_mm=0.012):
    """Return 17 coefficients of a film that changed within a distance of the centre."""
    inside = 1.0 / (1.0 + np.exp((abs(x_mm - 0.015) - at_mm) / width_mm))
    return (0.3 + 0.2 * inside) * 0.6 ** np.arange(17)


def follow(chosen, n=None, *, noise=0.002, seed=1, truth=step):
    """Measure where the scan says, n times or until it ends; return the tells."""
    chance, tells = np.random.default_rng(seed), []
    while (n is None or len(tells) < n) and (x_mm := chosen.next()) is not None:
        tells.append((x_mm, truth(x_mm) + chance.normal(0.0, noise, 17)))
        chosen.tell(*tells[-1], np.full(17, noise))
    return tells


@pytest.mark.parametrize("prior", [None, PRIOR], ids=["blind", "picture"])
@pytest.mark.parametrize("policy", SCAN_POLICIES)
def test_places_lie_on_the_grid_and_never_repeat(policy, prior):
    chosen = scan(policy, points=24, prior=prior)
    places = [x for x, _ in follow(chosen)]
    assert len(set(places)) == len(places) == chosen.n_told == 24
    assert np.isin(places, chosen.grid_mm).all()
    assert chosen.next() is None


@pytest.mark.parametrize("policy", ["random", "grid", "sobol"])
def test_a_fixed_order_can_visit_every_place(policy):
    chosen = scan(policy, points=GRID_POINTS)
    for _ in range(GRID_POINTS):
        chosen.tell(chosen.next(), None)
    assert chosen.next() is None


@pytest.mark.parametrize("policy", SCAN_POLICIES)
def test_asking_changes_nothing(policy):
    asked, not_asked = scan(policy, prior=PRIOR), scan(policy, prior=PRIOR)
    for i in range(10):
        places = {asked.next() for _ in range(3)}
        assert len(places) == 1
        x_mm = places.pop()
        asked.tell(x_mm, step(x_mm))
        asked.slope(np.linspace(-0.5, 0.5, 5))
        not_asked.tell(x_mm, step(x_mm))
        del i
    assert asked.next() == not_asked.next()


@pytest.mark.parametrize("policy", SCAN_POLICIES)
def test_a_scan_told_again_goes_on_as_the_lost_one(policy):
    lost = scan(policy, prior=PRIOR, seed=4)
    tells = follow(lost, 9)
    lost.tell(0.31, None)
    again = scan(policy, prior=PRIOR, seed=4)
    for x_mm, coefficients in tells:
        again.tell(x_mm, coefficients, np.full(17, 0.002))
    again.tell(0.31, None)
    assert [x for x, _ in follow(lost, seed=8)] == [x for x, _ in follow(again, seed=8)]


@pytest.mark.parametrize("policy", ["random", "sobol"])
def test_random_orders_follow_the_generator(policy):
    orders = [[x for x, _ in follow(scan(policy, seed=seed))] for seed in (1, 1, 2)]
    assert orders[0] == orders[1] != orders[2]


def test_the_grid_runs_evenly_from_end_to_end():
    places = [x for x, _ in follow(scan("grid", points=11))]
    np.testing.assert_allclose(places, np.linspace(-0.8, 0.8, 11), atol=1.6 / 255 / 2 + 1e-12)


@pytest.mark.parametrize("policy", SCAN_POLICIES)
def test_unusable_spectra_count_as_visits(policy):
    chosen = scan(policy, points=6, prior=PRIOR)
    places = []
    for i in range(6):
        places.append(chosen.next())
        chosen.tell(places[-1], None if i % 2 else step(places[-1]))
    assert len(set(places)) == chosen.n_told == 6
    assert chosen.next() is None


@pytest.mark.parametrize("bad", [np.nan, np.inf], ids=["nan", "inf"])
def test_coefficients_that_are_no_numbers_teach_nothing(bad):
    chosen, other = scan(), scan()
    follow(chosen, 7)
    follow(other, 7)
    chosen.tell(0.1, np.full(17, bad))
    other.tell(0.1, None)
    assert chosen.next() == other.next()
    assert np.isfinite(chosen.slope(np.array([0.0, 0.1]))).all()


@pytest.mark.parametrize("policy", LOOKING)
def test_a_scan_of_accidents_only_goes_on(policy):
    chosen = scan(policy, points=10)
    places = []
    while (x_mm := chosen.next()) is not None:
        places.append(x_mm)
        chosen.tell(x_mm, None)
    assert len(set(places)) == 10


def test_a_place_between_the_grid_counts_as_the_nearest():
    chosen = scan()
    expected = chosen.next()
    chosen.tell(expected + 0.001, None)
    assert chosen.next() != expected


def rms_error(policy, seed, n, *, prior):
    """Return the error of d(c_0)/dx over its own size after n spectra of a step that lies somewhere."""
    at_mm = 0.12 + 0.2 * np.random.default_rng([seed, 5]).random()
    chosen = AdaptiveScan(
        policy,
        half_range_mm=0.8,
        points=n,
        prior=MicroscopePrior(distances_mm=(at_mm,), centre_mm=0.015) if prior else None,
        rng=np.random.default_rng(seed),
    )
    follow(chosen, seed=seed, truth=lambda x: step(x, at_mm=at_mm))
    x = np.linspace(-0.5, 0.5, 201)
    values = np.array([step(one, at_mm=at_mm)[0] for one in np.concatenate([x + 1e-5, x - 1e-5])])
    true = (values[:201] - values[201:]) / 2e-5
    return np.sqrt(np.mean((chosen.slope(x)[0] - true) ** 2) / np.mean(true**2))


def test_looking_beats_chance_on_a_symmetric_step():
    ours = [rms_error("integrated_gradient", seed, 16, prior=True) for seed in range(8)]
    chance = [rms_error("random", seed, 16, prior=True) for seed in range(8)]
    assert np.median(ours) < 0.8 * np.median(chance)


def test_a_picture_helps():
    seen = [rms_error("integrated_gradient", seed, 16, prior=True) for seed in range(6)]
    blind = [rms_error("integrated_gradient", seed, 16, prior=False) for seed in range(6)]
    assert np.median(seen) < np.median(blind)


def test_the_uncertainty_of_the_slope_shrinks_with_data():
    x = np.linspace(-0.3, 0.3, 61)
    few, many = scan(prior=PRIOR, points=40), scan(prior=PRIOR, points=40)
    follow(few, 8)
    follow(many, 40)
    assert np.median(many.slope(x)[1]) < np.median(few.slope(x)[1])
    assert (many.slope(x)[1] > 0).all()


def test_slopes_of_a_straight_line():
    chosen = scan(points=24)
    follow(chosen, noise=1e-5, truth=lambda x: 0.4 + 0.1 * x * np.arange(17))
    x = np.linspace(-0.3, 0.3, 9)
    for coefficient in (1, 5):
        mean, sd = chosen.slope(x, coefficient)
        np.testing.assert_allclose(mean, 0.1 * coefficient, atol=0.02 * coefficient)
        assert (np.abs(mean - 0.1 * coefficient) < 4.0 * sd + 1e-9).all()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"policy": "integrated_gradiant"}, "no scan policy 'integrated_gradiant'.*integrated_gradient"),
        ({"half_range_mm": 0.0}, "positive half range, not 0"),
        ({"half_range_mm": float("nan")}, "positive half range, not nan"),
        ({"points": 0}, "1 to 256 points, not 0"),
        ({"points": 257}, "1 to 256 points, not 257"),
    ],
)
def test_bad_options_are_refused_in_a_sentence(changes, sentence):
    with pytest.raises(BadOption, match=sentence):
        AdaptiveScan(**{"half_range_mm": 0.5, "points": 10, **changes})


@pytest.mark.parametrize(
    ("tell", "sentence"),
    [
        ((float("nan"), None), "told of the place nan"),
        ((0.1, np.ones(17), np.ones(16)), "17 coefficients and 16 noises"),
        ((0.1, np.ones(5), None), "5 coefficients and 5 noises, not 17"),
        ((0.1, np.ones((17, 2)), None), "34 coefficients"),
    ],
    ids=["place", "noise", "fewer", "matrix"],
)
def test_bad_tells_are_refused_and_change_nothing(tell, sentence):
    chosen = scan()
    chosen.tell(0.0, step(0.0))
    before = chosen.next()
    with pytest.raises(ValueError, match=sentence):
        chosen.tell(*tell)
    assert (chosen.n_told, chosen.next()) == (1, before)


def test_scanning_does_not_need_torch():
    code = "import sys, planner.adaptive_scan; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
