import numpy as np
import pytest

from planner import BadOption, Continuous, Fidelity, Objective, Planner, SearchSpace, SpaceError


def test_the_dearest_level_counts_where_none_is_named() -> None:
    fidelity = Fidelity("source", {"simulation": 0.1, "full": 2.0})
    assert fidelity.target == "full"
    assert fidelity.relative == pytest.approx([0.05, 1.0])
    assert fidelity.counts({"x": 1.0, "source": "full"})
    assert not fidelity.counts({"x": 1.0, "source": "simulation"})


@pytest.mark.parametrize(
    ("costs", "target", "said"),
    [
        ({"full": 1.0}, None, "two levels"),
        ({"a": 0.0, "b": 1.0}, None, "above 0"),
        ({"a": np.nan, "b": 1.0}, None, "above 0"),
        ({"a": 0.1, "full": 1.0}, "ful", "did you mean 'full'"),
        ({"a": 0.1, "full": 1.0}, "a", "costs more than the target"),
    ],
)
def test_what_makes_no_sense_is_refused(costs: dict, target: str | None, said: str) -> None:
    with pytest.raises(SpaceError, match=said):
        Fidelity("source", costs, target)


def test_a_space_has_one_and_does_not_share_it() -> None:
    one, other = Fidelity("a", {"x": 0.1, "y": 1.0}), Fidelity("b", {"x": 0.1, "y": 1.0})
    with pytest.raises(SpaceError, match="both say the fidelity"):
        SearchSpace([Continuous("t", 0, 1), one, other])
    with pytest.raises(SpaceError, match="chosen for each point"):
        SearchSpace([Continuous("t", 0, 1), one], shared=["a"])


@pytest.mark.parametrize("policy", ["logei", "screening", "soft_constraints", "mobile_chemist", "uncertainty"])
def test_policies_that_would_mix_levels_up_refuse(policy: str) -> None:
    space = SearchSpace([Continuous("t", 0, 1), Fidelity("source", {"model": 0.1, "lab": 1.0})])
    with pytest.raises(BadOption, match="'auto' or 'fidelities'"):
        Planner(space, [Objective("f", "maximize")], policy=policy)


@pytest.mark.parametrize("policy", ["random", "sobol"])
def test_policies_that_learn_nothing_try_the_target_only(policy: str) -> None:
    space = SearchSpace([Continuous("t", 0, 1), Fidelity("source", {"model": 0.1, "lab": 1.0})])
    proposals = Planner(space, [Objective("f", "maximize")], policy=policy).ask(6)
    assert {one.parameters["source"] for one in proposals} == {"lab"}
