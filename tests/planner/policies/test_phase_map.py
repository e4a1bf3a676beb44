import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner import (
    BadObservation,
    BadOption,
    Continuous,
    NotEnoughData,
    Objective,
    Observation,
    Planner,
    SearchSpace,
    SearchSpaceExhausted,
)

PATTERN, PROPERTY = "pattern", "hardness"
MAP = Objective(PATTERN, "classify")
BOTH = [MAP, Objective(PROPERTY, "maximize")]
CHANNELS = 120
LINES = ((20, 62, 95), (35, 74, 104))


def pool(n=21):
    return SearchSpace([Continuous("x", 0.0, 1.0)], candidates=[{"x": i / (n - 1)} for i in range(n)])


def second_share(x):
    """Return the amount of the second phase: none to 0.3, all from 0.7."""
    return min(max((x - 0.3) / 0.4, 0.0), 1.0)


def pattern(x, seed=0):
    channel = np.arange(CHANNELS)
    mean = np.full(CHANNELS, 30.0)
    for share, lines in zip((1.0 - second_share(x), second_share(x)), LINES, strict=True):
        mean += sum(2000.0 * share * np.exp(-0.5 * ((channel - line) / 1.5) ** 2) for line in lines)
    return np.random.default_rng([seed, round(1000 * x)]).poisson(mean)


def hardness(x):
    """Return a property with its best at 0.8, in the region of the second phase, which starts with a step."""
    return 1.0 * (x >= 0.7) + np.exp(-0.5 * ((x - 0.8) / 0.08) ** 2)


def planner(objectives=BOTH, *, on=None, seed=0, **options):
    return Planner(on or pool(), objectives, seed=seed, policy="cameo", options={"start": 4} | options)


def observed(x, *, proposal_id=None, with_pattern=True, with_value=True):
    return Observation(
        parameters={"x": x},
        values={PROPERTY: float(hardness(x))} if with_value else {},
        fingerprints={PATTERN: pattern(x)} if with_pattern else {},
        proposal_id=proposal_id,
    )


def told(chosen, n, *, with_value=True):
    """Ask and tell n times; return the proposals."""
    proposals = []
    for _ in range(n):
        proposal = chosen.ask()[0]
        chosen.tell([observed(proposal.parameters["x"], proposal_id=proposal.id, with_value=with_value)])
        proposals.append(proposal)
    return proposals


def regions_of(chosen, xs):
    found = chosen.regions([{"x": x} for x in xs])
    return [found.regions[i] for i in found.probabilities.argmax(axis=1)]


def test_it_maps_then_optimises_and_says_which():
    chosen = planner(converged=0.1)
    proposals = told(chosen, 11)
    reasons = [proposal.reason for proposal in proposals]
    assert [reason.startswith("spread") for reason in reasons[:5]] == [True] * 4 + [False]
    assert any("maps regions" in reason for reason in reasons)
    best = [proposal for proposal in proposals if "looks for the best hardness in the region of" in proposal.reason]
    assert best and PROPERTY in best[0].predictions
    assert chosen.best().parameters["x"] == pytest.approx(0.8)


def test_the_map_has_the_regions_and_their_boundaries():
    chosen = planner([MAP])
    told(chosen, 10, with_value=False)
    first, both, second = regions_of(chosen, [0.1, 0.5, 0.9])
    assert len(first) == len(second) == 1 and set(both) == {*first, *second}
    assert regions_of(chosen, [0.25, 0.35, 0.65, 0.75]) == [first, both, both, second]
    found = chosen.regions([{"x": 0.1}])
    assert found.endmembers.shape == (2, CHANNELS)
    assert np.allclose(found.probabilities.sum(axis=1), 1.0)


def test_points_are_chosen_where_regions_are_doubtful():
    chosen = planner([MAP], start=4)
    told(chosen, 4, with_value=False)
    free = [x for x in np.arange(21) / 20 if not any(np.isclose(o.parameters["x"], x) for o in chosen.observations)]
    found = chosen.regions([{"x": float(x)} for x in free])
    doubtful = free[int(np.argmin(found.probabilities.max(axis=1)))]
    assert chosen.ask()[0].parameters["x"] == pytest.approx(doubtful)


def test_it_minimises_too():
    chosen = Planner(
        pool(), [MAP, Objective(PROPERTY, "minimize")], policy="cameo", options={"start": 4, "converged": 0.2}
    )
    for _ in range(14):
        proposal = chosen.ask()[0]
        x = proposal.parameters["x"]
        chosen.tell(
            [Observation(parameters={"x": x}, values={PROPERTY: -hardness(x)}, fingerprints={PATTERN: pattern(x)})]
        )
    assert chosen.best().parameters["x"] == pytest.approx(0.8)


@settings(max_examples=12, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["both", "no pattern", "no value", "failed", "wait"]), st.integers(1, 3)), max_size=7
    )
)
def test_whatever_comes_back_no_point_is_proposed_twice(steps):
    chosen = planner()
    seen = []
    for kind, n in steps:
        for proposal in chosen.ask(n):
            seen.append(proposal.parameters["x"])
            if kind == "failed":
                told = Observation(parameters=proposal.parameters, failure="no beam", proposal_id=proposal.id)
            else:
                told = observed(
                    proposal.parameters["x"],
                    proposal_id=proposal.id,
                    with_pattern=kind != "no pattern",
                    with_value=kind != "no value",
                )
            if kind != "wait":
                chosen.tell([told])
    assert len(set(seen)) == len(seen)
    assert all(pool().contains({"x": x}) for x in seen)


def test_a_pool_runs_out_with_a_count():
    chosen = planner(on=pool(6))
    assert len(chosen.ask(20)) == 6
    with pytest.raises(SearchSpaceExhausted, match="6 are pending"):
        chosen.ask()
    chosen = planner(on=pool(6))
    told(chosen, 6)
    with pytest.raises(SearchSpaceExhausted):
        chosen.ask()


def test_points_of_a_batch_know_of_each_other():
    chosen = planner([MAP])
    told(chosen, 5, with_value=False)
    batch = chosen.ask(4)
    alone = planner([MAP])
    told(alone, 5, with_value=False)
    first = alone.ask()[0]
    assert batch[0].parameters == first.parameters
    assert alone.ask()[0].parameters == batch[1].parameters  # pending counts as what is in the batch


def test_equal_seeds_and_a_loaded_planner_propose_the_same(tmp_path):
    chosen, again = planner(seed=3), planner(seed=3)
    told(chosen, 7)
    told(again, 7)
    chosen.save(tmp_path / "planner.json")
    loaded = Planner.load(tmp_path / "planner.json")
    assert loaded.observations == chosen.observations
    assert chosen.ask(2) == again.ask(2) == loaded.ask(2)


def test_one_kind_of_pattern_everywhere_is_one_region():
    chosen = planner(converged=0.2)
    for i, proposal in enumerate(chosen.ask(5)):
        x = proposal.parameters["x"]
        chosen.tell([Observation(parameters={"x": x}, values={PROPERTY: x}, fingerprints={PATTERN: pattern(0.1, i)})])
    assert chosen.regions([{"x": 0.5}]).regions == ((0,),)
    assert "looks for the best" in chosen.ask()[0].reason


@pytest.mark.parametrize("fingerprint", [np.zeros(CHANNELS), np.full(CHANNELS, 5.0)], ids=["nothing", "flat"])
def test_patterns_without_lines_are_a_region_of_their_own(fingerprint):
    chosen = planner()
    for proposal in chosen.ask(5):
        x = proposal.parameters["x"]
        shown = fingerprint if x > 0.5 else pattern(0.0)
        chosen.tell([Observation(parameters={"x": x}, values={PROPERTY: 1.0}, fingerprints={PATTERN: shown})])
    assert set(regions_of(chosen, [0.0, 1.0])) == {(0,), ()}
    chosen.ask()


def test_predictions_are_of_the_property_alone():
    chosen = planner()
    with pytest.raises(NotEnoughData, match="hardness"):
        chosen.predict([{"x": 0.5}])
    with pytest.raises(NotEnoughData, match="no fingerprint"):
        chosen.regions([{"x": 0.5}])
    told(chosen, 9)
    found = chosen.predict([{"x": x} for x in (0.1, 0.8)])
    assert list(found) == [PROPERTY]
    assert found[PROPERTY].mean[1] > found[PROPERTY].mean[0] + 0.5
    chosen.diagnostics(with_model=True)


def test_a_property_without_patterns_is_learnt_over_one_region():
    chosen = planner()
    chosen.tell([observed(x, with_pattern=False) for x in (0.0, 0.5, 1.0)])
    assert chosen.predict([{"x": 0.0}])[PROPERTY].mean[0] == pytest.approx(hardness(0.0), abs=0.2)
    assert "before there is a map" in chosen.ask()[0].reason


def test_a_map_without_a_property_has_no_best():
    chosen = planner([MAP])
    told(chosen, 5, with_value=False)
    assert chosen.best() is None
    assert chosen.predict([{"x": 0.5}]) == {}


@pytest.mark.parametrize(
    ("objectives", "match"),
    [
        ([Objective(PROPERTY, "maximize")], "direction 'classify'"),
        ([MAP, Objective("b", "classify")], "one objective with direction 'classify'"),
        ([MAP, Objective("b", "learn")], "'maximize' or 'minimize'"),
        ([*BOTH, Objective("b", "maximize")], "can optimise one other"),
    ],
    ids=["no pattern", "two patterns", "a map of a number", "two properties"],
)
def test_objectives_that_it_cannot_have_are_refused(objectives, match):
    with pytest.raises(BadOption, match=match):
        planner(objectives)


def test_a_space_that_cannot_be_listed_is_refused():
    with pytest.raises(BadOption, match="a step, levels or a count"):
        planner(on=SearchSpace([Continuous("x", 0.0, 1.0)]))


@pytest.mark.parametrize("policy", ["auto", "logei", "uncertainty", "integrated_variance"])
def test_other_policies_say_who_classifies(policy):
    with pytest.raises(BadOption, match="cameo"):
        Planner(pool(), [MAP], policy=policy)
    with pytest.raises(BadOption, match="maps no regions"):
        Planner(pool(), [Objective(PROPERTY, "maximize")], policy="logei").regions([{"x": 0.5}])


def test_a_fingerprint_for_a_number_is_refused():
    with pytest.raises(BadObservation, match="'hardness' is to be classified"):
        planner().tell([Observation(parameters={"x": 0.5}, fingerprints={PROPERTY: pattern(0.5)})])


def test_naming_the_policy_loads_neither_torch_nor_statistics():
    code = (
        "import sys, planner; from planner.policies.base import policy_class; policy_class('cameo'); "
        "print(sorted(m for m in sys.modules if m in ('torch', 'scipy.stats', 'scipy.optimize')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
