import subprocess
import sys

import numpy as np
import pytest

from planner import Continuous, SearchSpace
from planner.errors import BadOption, NotEnoughData, SearchSpaceExhausted
from planner.objective import Objective
from planner.planner import Planner
from planner.proposal import Observation

TARGET = "optical_gradient"
LEARN = [Objective(TARGET, "learn")]


def space(*, step=75.0, dwells=5):
    return SearchSpace(
        [
            Continuous("peak_temperature", 400.0, 1300.0, unit="degC", step=step),
            Continuous("dwell", 250.0, 10_000.0, unit="us", scale="log", count=dwells),
        ]
    )


def planner(seed=0, *, on=None, **options):
    return Planner(on or space(), LEARN, seed=seed, policy="sara", options=options)


def ridges(temperature_c, log10_dwell):
    """Return a gradient with two slanted ridges."""
    first, second = 650.0 - 70.0 * (log10_dwell - 3.0), 950.0 - 90.0 * (log10_dwell - 3.0)
    bumps = [np.exp(-0.5 * ((temperature_c - at) / 25.0) ** 2) for at in (first, second)]
    return 20.0 * bumps[0] + 14.0 * bumps[1]


def measured(proposal, *, n=8):
    """Return what a stripe shows: a gradient at temperatures below its peak, between the levels of the space."""
    peak, dwell = proposal.parameters["peak_temperature"], proposal.parameters["dwell"]
    return [
        Observation(
            parameters={"peak_temperature": float(t), "dwell": dwell},
            values={TARGET: float(ridges(t, np.log10(dwell)))},
            noise={TARGET: 0.5},
            proposal_id=proposal.id,
        )
        for t in np.linspace(peak - 200.0, peak - 10.0, n)
    ]


def failed(proposal):
    return [Observation(parameters=proposal.parameters, failure="misfire", proposal_id=proposal.id)]


def site(proposal):
    return proposal.parameters["peak_temperature"], proposal.parameters["dwell"]


def run(chosen, n, *, batch=1):
    """Ask and tell until n stripes are told; return the stripes in order."""
    sites = []
    while len(sites) < n:
        for proposal in chosen.ask(batch):
            sites.append(site(proposal))
            chosen.tell(measured(proposal))
    return sites


def test_no_stripe_is_proposed_twice():
    on = space(step=300.0, dwells=3)
    sites = run(planner(on=on), on.size())
    assert len(set(sites)) == on.size() == 12


def test_pending_stripes_are_not_proposed_again():
    chosen = planner(on=space(step=225.0, dwells=3))
    told = set(run(chosen, 4))
    sites = [site(chosen.ask()[0]) for _ in range(8)]
    assert len(set(sites)) == 8
    assert not set(sites) & told


def test_a_batch_is_of_different_stripes_that_know_of_each_other():
    chosen = planner()
    run(chosen, 6)
    batch = [site(proposal) for proposal in chosen.ask(4)]
    assert len(set(batch)) == 4
    pairs = [(a, b) for i, a in enumerate(batch) for b in batch[:i]]
    apart = [(abs(a[0] - b[0]) / 75.0, abs(np.log10(a[1] / b[1])) / 0.4) for a, b in pairs]
    assert min(max(steps) for steps in apart) > 1.5


def test_pending_stripes_push_the_next_ones_away_as_a_batch_does():
    together, one_by_one = planner(), planner()
    run(together, 5)
    run(one_by_one, 5)
    assert [site(p) for p in together.ask(3)] == [site(one_by_one.ask()[0]) for _ in range(3)]


def test_an_exhausted_list_says_so():
    on = space(step=900.0, dwells=2)
    chosen = planner(on=on)
    assert len(chosen.ask(10)) == 4
    with pytest.raises(SearchSpaceExhausted, match="4 are pending"):
        chosen.ask()


def test_the_last_stripes_are_given_even_where_more_are_asked_for():
    on = space(step=450.0, dwells=2)
    chosen = planner(on=on)
    run(chosen, 4)
    assert len(chosen.ask(5)) == 2


def test_the_same_seed_gives_the_same_stripes_and_another_seed_others():
    assert run(planner(3), 6) == run(planner(3), 6)
    assert run(planner(3), 3) != run(planner(4), 3)


def test_a_planner_rebuilt_from_its_history_proposes_the_same():
    first = planner(7)
    history = []
    for i in range(7):
        proposal = first.ask()[0]
        observations = failed(proposal) if i == 2 else measured(proposal)
        first.tell(observations)
        history.append((proposal, observations))
    waiting = first.ask(2)
    second = planner(7)
    for proposal, observations in history:
        second.adopt([proposal])
        second.tell(observations)
    second.adopt(waiting)
    for _ in range(3):
        assert first.ask() == second.ask()


def test_asking_does_not_change_what_was_known():
    one, other = planner(1), planner(1)
    run(one, 5)
    run(other, 5)
    one.predict([{"peak_temperature": 700.0, "dwell": 1000.0}])
    one.diagnostics(with_model=True)
    assert one.ask(2) == other.ask(2)


def test_the_first_stripes_are_spread_and_the_map_is_asked_after():
    chosen = planner(start=4)
    reasons, far = [], []
    for _ in range(6):
        proposal = chosen.ask()[0]
        reasons.append(proposal.reason)
        far.append(site(proposal))
        assert bool(proposal.predictions) == (len(reasons) > 4)
        chosen.tell(measured(proposal))
    assert [("before there is a map" in reason) for reason in reasons] == [True] * 4 + [False] * 2
    assert all("teaches most about the whole map" in reason for reason in reasons[4:])
    scaled = np.array([(t / 900.0, np.log10(d) / 1.6) for t, d in far[:4]])
    distance = np.linalg.norm(scaled[:, None] - scaled[None], axis=2)[np.triu_indices(4, 1)]
    assert distance.min() > 0.3


def test_a_stripe_comes_with_the_largest_gradient_that_is_expected_along_it():
    chosen = planner()
    run(chosen, 8)
    proposal = chosen.ask()[0]
    peak, dwell = site(proposal)
    points = [{"peak_temperature": float(t), "dwell": dwell} for t in np.linspace(peak - 200.0, peak - 10.0, 16)]
    posterior = chosen.predict(points)[TARGET]
    assert proposal.predictions[TARGET].mean == pytest.approx(posterior.mean.max(), rel=1e-6)
    assert proposal.predictions[TARGET].sd > 0.0


@pytest.mark.parametrize("acquisition", ["reduction", "sigma"])
def test_it_goes_where_nothing_is_known(acquisition):
    chosen = planner(on=space(dwells=9), start=1, acquisition=acquisition)
    # everything but the longest dwells at high temperature was measured
    for t in np.arange(300.0, 1300.0, 25.0):
        for d in (250.0, 630.0, 1580.0) if t > 700.0 else (250.0, 630.0, 1580.0, 3980.0, 10_000.0):
            observation = Observation(
                parameters={"peak_temperature": float(t), "dwell": d},
                values={TARGET: float(ridges(t, np.log10(d)))},
                noise={TARGET: 0.5},
            )
            chosen.tell([observation])
    first = chosen.ask()[0]
    chosen.tell(measured(first))
    peak, dwell = site(chosen.ask()[0])
    assert peak > 800.0
    assert dwell > 3000.0


def test_upper_confidence_without_caution_follows_the_ridge():
    greedy, curious = planner(acquisition="ucb", ucb=0.0), planner(acquisition="sigma")
    for chosen in (greedy, curious):
        run(chosen, 14)
    mean = {}
    for name, chosen in (("ucb", greedy), ("sigma", curious)):
        peak, dwell = site(chosen.ask()[0])
        mean[name] = ridges(np.linspace(peak - 200.0, peak - 10.0, 16), np.log10(dwell)).sum()
    assert mean["ucb"] > mean["sigma"]
    assert "may be largest" in greedy.ask()[0].reason
    assert "least is known" in curious.ask()[0].reason


def error_of_map(chosen):
    """Return the root mean square error of v = log(1 + g) over the space."""
    temperature, log_dwell = (m.ravel() for m in np.meshgrid(np.linspace(400, 1250, 35), np.linspace(2.4, 4.0, 9)))
    points = [
        {"peak_temperature": float(t), "dwell": float(10**d)} for t, d in zip(temperature, log_dwell, strict=True)
    ]
    mean = chosen.predict(points)[TARGET].mean
    return np.sqrt(np.mean((np.log1p(mean) - np.log1p(ridges(temperature, log_dwell))) ** 2))


def test_few_stripes_teach_more_than_as_many_random_ones():
    ours, chance = [], []
    for seed in range(8):
        chosen, judge = planner(seed, calibration_c=0.0), planner(seed, calibration_c=0.0)
        run(chosen, 8)
        ours.append(error_of_map(chosen))
        stripes = Planner(space(), LEARN, seed=seed, policy="random").ask(8)
        judge.adopt(stripes)
        for proposal in stripes:
            judge.tell(measured(proposal))
        chance.append(error_of_map(judge))
    assert np.median(ours) < 0.85 * np.median(chance)


def test_failures_teach_nothing_but_are_not_repeated():
    lucky, unlucky = planner(2), planner(2)
    sites = run(lucky, 4)
    assert run(unlucky, 4) == sites
    expected = lucky.ask()[0]
    broken = unlucky.ask()[0]
    assert site(broken) == site(expected)
    unlucky.tell(failed(broken))
    at = [{"peak_temperature": 800.0, "dwell": 1000.0}]
    np.testing.assert_array_equal(lucky.predict(at)[TARGET].sd, unlucky.predict(at)[TARGET].sd)
    assert site(broken) not in {site(unlucky.ask()[0]) for _ in range(5)}


def test_failures_alone_leave_the_policy_spreading():
    chosen = planner()
    for _ in range(5):
        proposal = chosen.ask()[0]
        assert "before there is a map" in proposal.reason
        chosen.tell(failed(proposal))
    with pytest.raises(NotEnoughData, match="nothing was measured of 'optical_gradient'"):
        chosen.predict([{"peak_temperature": 800.0, "dwell": 1000.0}])


def test_discarded_stripes_may_come_again():
    on = space(step=900.0, dwells=2)
    chosen = planner(on=on)
    batch = chosen.ask(4)
    chosen.discard(batch[2].id)
    assert site(chosen.ask()[0]) == site(batch[2])


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"acquisition": "ei"}, "'acquisition' of policy 'sara' must be one of 'reduction', 'sigma', 'ucb', not 'ei'"),
        ({"aquisition": "ucb"}, "no option 'aquisition'.*acquisition"),
        ({"ucb": -1.0}, "'ucb' of policy 'sara' must be a number from 0 to 100, not -1.0"),
        ({"temperatures": 2.5}, "'temperatures' of policy 'sara' must be an integer"),
        ({"start": 0}, "'start' of policy 'sara' must be an integer from 1"),
        ({"start": True}, "'start' of policy 'sara' must be an integer"),
        ({"reach_c": 10.0, "margin_c": 10.0}, "margin_c of policy 'sara' must be below reach_c"),
        ({"calibration_c": "8"}, "'calibration_c' of policy 'sara' must be a number"),
    ],
)
def test_bad_options_are_refused_in_a_sentence(options, sentence):
    with pytest.raises(BadOption, match=sentence):
        planner(**options)


@pytest.mark.parametrize(
    "objectives",
    [[Objective(TARGET, "maximize")], [Objective("a", "learn"), Objective("b", "learn")]],
    ids=["maximize", "two"],
)
def test_other_objectives_are_refused(objectives):
    with pytest.raises(BadOption, match="one objective with direction 'learn'"):
        Planner(space(), objectives, policy="sara")


TEMPERATURE = Continuous("peak_temperature", 400.0, 1300.0, unit="degC", step=75.0)
DWELL = Continuous("dwell", 250.0, 10_000.0, unit="us", scale="log", count=5)


@pytest.mark.parametrize(
    ("axes", "sentence"),
    [
        ([TEMPERATURE], "needs a parameter 'dwell'"),
        ([TEMPERATURE, Continuous("dwell", 0.25, 10.0, unit="ms", count=5)], "'dwell' to be continuous and in us"),
        (
            [TEMPERATURE, Continuous("dwell", 250.0, 10_000.0, unit="us")],
            "give both parameters a step, levels or a count",
        ),
        (
            [Continuous("peak_temperature", 400.0, 1300.0, unit="degC", step=0.1), DWELL],
            "a list of stripes, at most 20000",
        ),
    ],
    ids=["one axis", "unit", "no list", "long list"],
)
def test_spaces_without_a_list_of_stripes_are_refused(axes, sentence):
    with pytest.raises(BadOption, match=sentence):
        Planner(SearchSpace(axes), LEARN, policy="sara")


def test_choosing_stripes_does_not_need_torch():
    code = """
import sys
from planner import Continuous, SearchSpace
from planner.objective import Objective
from planner.planner import Planner
from planner.proposal import Observation
space = SearchSpace([
    Continuous("peak_temperature", 400.0, 1300.0, unit="degC", step=300.0),
    Continuous("dwell", 250.0, 10000.0, unit="us", scale="log", count=3),
])
planner = Planner(space, [Objective("g", "learn")], policy="sara", options={"start": 1})
for _ in range(3):
    (proposal,) = planner.ask()
    planner.tell([Observation(parameters=proposal.parameters, values={"g": 2.0}, proposal_id=proposal.id)])
assert "teaches" in proposal.reason, proposal.reason
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
