import numpy as np
import pytest

from planner import Continuous, Objective, Observation, Planner, SearchSpace
from planner.errors import BadOption
from planner.policies.stripe_phase import log_prior, read_regions
from surrogate.map_model import GradientMap, Hyperparameters, _Density

G, F = "optical_gradient", "delta"
LEARN, SEEK = Objective(G, "learn"), Objective(F, "maximize")
PLACES = [(x, y) for x in (-30.0, -10.0, 10.0, 30.0) for y in (-20.0, 0.0, 20.0)]


def space():
    axes = [
        Continuous("peak_temperature", 500.0, 1100.0, unit="degC"),
        Continuous("dwell", 250.0, 10_000.0, unit="us", scale="log"),
        Continuous("a", 0.0, 1.0),
        Continuous("x", -40.0, 40.0, unit="mm"),
        Continuous("y", -40.0, 40.0, unit="mm"),
    ]
    listed = [
        {"peak_temperature": t, "dwell": d, "a": 0.5 + x / 80.0, "x": x, "y": y}
        for x, y in PLACES
        for t in (500.0, 700.0, 900.0, 1100.0)
        for d in (250.0, 2000.0)
    ]
    return SearchSpace(axes, candidates=listed)


def planner(*objectives, seed=0, **options):
    options = {"positions": ["x", "y"], "composition": ["a"], **options}
    return Planner(space(), objectives or [LEARN], seed=seed, policy="sara", options=options)


def stripe(proposal, names=(G,)):
    told = []
    for below in np.linspace(200.0, 10.0, 6):
        t = proposal.parameters["peak_temperature"] - below
        ridge = 650.0 + 200.0 * proposal.parameters["a"]
        values = {
            G: float(1.0 + 9.0 * np.exp(-(((t - ridge) / 40.0) ** 2))),
            F: float(np.clip((t - ridge) / 200, 0, 1)),
        }
        told.append(
            Observation(
                parameters={**proposal.parameters, "peak_temperature": t},
                values={name: values[name] for name in names},
                noise=dict.fromkeys(names, 0.05),
                proposal_id=proposal.id,
            )
        )
    return told


def place(proposal):
    return proposal.parameters["x"], proposal.parameters["y"]


def test_each_place_of_a_wafer_is_annealed_once():
    chosen = planner(stage_mm_s=2.0)
    found = []
    for _ in range(4):
        for proposal in chosen.ask(3):
            found.append(place(proposal))
            chosen.tell(stripe(proposal))
    assert sorted(found) == sorted(PLACES)


def test_a_slow_stage_travels_less():
    travelled = {}
    for speed in (None, 0.05):
        chosen, path = planner(start=2, **({"stage_mm_s": speed, "stripe_s": 1.0} if speed else {})), []
        for _ in range(8):
            (proposal,) = chosen.ask()
            path.append(place(proposal))
            chosen.tell(stripe(proposal))
        travelled[speed] = np.linalg.norm(np.diff(path[1:], axis=0), axis=1).sum()
    assert travelled[0.05] < 0.7 * travelled[None]


def test_three_failures_in_one_corner_turn_stripes_away_from_it():
    counts = []
    for caution in (0.0, 3.0):
        chosen, failed = planner(caution=caution), 0
        for _ in range(12):
            (proposal,) = chosen.ask()
            is_hot = proposal.parameters["peak_temperature"] > 1000.0
            failed += is_hot
            failure = Observation(parameters=proposal.parameters, failure="ablated", proposal_id=proposal.id)
            chosen.tell([failure] if is_hot else stripe(proposal))
        counts.append(failed)
    assert counts[1] < counts[0]


def test_a_phase_is_looked_for_once_the_map_is_known():
    chosen = planner(LEARN, SEEK, switch=1.0)
    for _ in range(4):
        (proposal,) = chosen.ask()
        chosen.tell(stripe(proposal, (G, F)))
    (proposal,) = chosen.ask()
    assert F in proposal.predictions
    mapping = planner(LEARN, SEEK, switch=0.0)
    for _ in range(4):
        (proposal,) = mapping.ask()
        mapping.tell(stripe(proposal, (G, F)))
    assert "teaches most" in mapping.ask()[0].reason


def test_the_first_stripes_go_rather_where_people_expect_the_phase():
    region = {"within": {"peak_temperature": [1050.0, 1150.0]}, "confidence": 0.95}
    hot = [planner(LEARN, SEEK, seed=s, regions=[region]).ask()[0].parameters["peak_temperature"] for s in range(12)]
    assert np.mean(np.array(hot) == 1100.0) > 0.5


def test_regions_weigh_by_their_confidence():
    regions = read_regions(space(), [{"within": {"a": [0.0, 0.5]}, "confidence": 0.8}])
    rows = np.array([[700.0, 250.0, 0.2, 0.0, 0.0], [700.0, 250.0, 0.9, 0.0, 0.0]])
    np.testing.assert_allclose(log_prior(regions, rows), np.log([0.8, 0.2]))


@pytest.mark.parametrize(
    ("objectives", "options", "sentence"),
    [
        ((LEARN,), {"regions": [{}]}, "'regions' of policy 'sara' does nothing without an objective"),
        ((LEARN,), {"stripe_s": 5.0}, "'stripe_s' of policy 'sara' does nothing without stage_mm_s"),
        ((LEARN,), {"positions": ["x", "z"]}, "position 'z' is no parameter"),
        ((LEARN,), {"composition": ["b"]}, "composition 'b' is no continuous parameter"),
        ((LEARN, SEEK), {"regions": [{"within": {"a": [1, 0]}, "confidence": 0.5}]}, "begins at 1, above its end 0"),
        ((LEARN, SEEK), {"regions": [{"within": {"a": [0, 1]}, "confidence": 1}]}, "a probability above 0 and below 1"),
    ],
)
def test_bad_options_are_refused_in_a_sentence(objectives, options, sentence):
    with pytest.raises(BadOption, match=sentence):
        planner(*objectives, **options)


def test_the_density_of_a_spread_has_the_slopes_that_it_says():
    rng = np.random.default_rng(0)
    z = np.column_stack([rng.uniform(400, 1000, 30), rng.uniform(2.4, 4, 30), rng.dirichlet((1, 1, 1), 30)[:, :2]])
    density = _Density(z, rng.normal(size=30), np.full(30, 0.1))
    point = Hyperparameters(fraction=0.3, tilts=(40.0, -60.0)).packed()
    _, slopes = density(point)
    for i, slope in enumerate(slopes):
        step = 1e-5 * np.eye(len(point))[i] * max(abs(point[i]), 1.0)
        numeric = (density(point + step)[0] - density(point - step)[0]) / (2.0 * step[i])
        assert slope == pytest.approx(numeric, rel=1e-4, abs=1e-6)


def test_a_map_follows_the_composition():
    rng = np.random.default_rng(1)
    t, c = rng.uniform(500, 900, 150), rng.uniform(0, 1, (150, 1))
    g = 1.0 + 9.0 * np.exp(-(((t - 600.0 - 150.0 * c[:, 0]) / 40.0) ** 2))
    known = GradientMap.fit(t, np.full(150, 3.0), g, np.full(150, 0.1), composition=c, calibration_c=0.0)
    mean, _ = known.predict([600.0, 750.0, 750.0], 3.0, [[0.0], [1.0], [0.0]])
    assert mean[0] > 7.0
    assert mean[1] > 7.0
    assert mean[2] < 3.0
