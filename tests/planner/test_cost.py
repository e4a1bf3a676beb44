import numpy as np
import pytest

from planner import BadOption, Categorical, Continuous, Objective, Observation, Planner, SearchSpace
from planner.cost import Cost

SPACE = SearchSpace(
    [Continuous("hours", 0.0, 10.0), Continuous("heat", 1.0, 3.0), Categorical("gas", ["air", "argon"])]
)


def test_a_cost_is_read_and_bounded() -> None:
    cost = Cost.read("2 + hours*heat^2", SPACE, power=1.0, budget=None)
    rows = SPACE.rows([{"hours": 2.0, "heat": 3.0, "gas": "air"}, {"hours": 0.0, "heat": 1.0, "gas": "argon"}])
    assert cost.of(SPACE, rows) == pytest.approx([20.0, 2.0])
    assert Cost.read("3", SPACE, power=1.0, budget=None).of(SPACE, rows) == pytest.approx([3.0, 3.0])


def test_the_power_sinks_as_the_budget_is_spent() -> None:
    cost = Cost.read("1 + hours", SPACE, power=0.8, budget=10.0)
    assert [cost.power_after(spent) for spent in (0.0, 5.0, 10.0, 20.0)] == pytest.approx([0.8, 0.4, 0.0, 0.0])
    assert Cost.read("1 + hours", SPACE, power=0.8, budget=None).power_after(1e9) == 0.8


def test_where_the_formula_has_no_value_it_counts_as_the_dearest() -> None:
    cost = Cost.read("1 + log(hours + 1e-9)^2", SPACE, power=1.0, budget=None)
    rows = SPACE.rows([{"hours": 1.0, "heat": 1.0, "gas": "air"}] * 2)
    rows[1, 0] = -5.0
    found = cost.of(SPACE, rows)
    assert found[0] == pytest.approx(1.0)
    assert found[1] == cost.dearest > found[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hours - 1", "a cost must be a number above 0 everywhere"),
        ("1 + gass", "unknown parameter 'gass'"),
        ("1 + gas", "unknown parameter 'gas'"),
        ("__import__('os')", "cannot read"),
        ("1 + hours <= 3", "unexpected '<='"),
        ("log(hours - 20)", "is nan at"),
    ],
)
def test_what_is_no_cost_is_refused(text: str, message: str) -> None:
    with pytest.raises(BadOption, match=message):
        Planner(SPACE, [Objective("y", "maximize")], options={"cost": text})


@pytest.mark.parametrize("options", [{"cost_budget": 4.0}, {"cost_power": 0.5}, {"cost": ""}, {"cost": 3}])
def test_options_of_a_cost_without_one_are_refused(options: dict) -> None:
    with pytest.raises(BadOption, match="cost"):
        Planner(SPACE, [Objective("y", "maximize")], options=options)


def test_of_two_equal_peaks_the_cheap_one_is_worth_more() -> None:
    space = SearchSpace([Continuous("x", 0.0, 1.0)])
    x = np.array([0.0, 0.15, 0.35, 0.5, 0.65, 0.85, 1.0])
    for text, side in (("1 + 9*x", 0), ("10 - 9*x", 1)):
        planner = Planner(space, [Objective("y", "maximize")], options={"cost": text, "start": 2})
        told = [Observation(parameters={"x": float(at)}, values={"y": float(np.sin(6.283 * at) ** 2)}) for at in x]
        planner.tell(told)
        proposal = planner.ask(1)[0]
        assert (float(proposal.parameters["x"]) > 0.5) == bool(side)
        assert "costs" in proposal.reason
        assert "for its cost" in proposal.reason
