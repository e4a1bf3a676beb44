import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.charges import Charges, analysis_job, ask_job, choice_job, list_job, read_costs
from orchestrator.errors import InputError
from surrogate.compute import CostModel


def charges(planner, *, choice=None, analysis=0.0, costs=None):
    return Charges(
        planner=planner, choice=choice, analysis=analysis, policy="logei", analysis_kind="reading", seed=3,
        costs=costs or CostModel(),
    )  # fmt: skip


def recorded(**seconds):
    jobs = {
        "ask": ask_job("logei", 8), "choice": choice_job("logei", 8), "list": list_job("logei", 8),
        "analysis": analysis_job("reading"),
    }  # fmt: skip
    costs = CostModel()
    for name, each in seconds.items():
        for one in each:
            costs = costs.learned(jobs[name], "cpu", one)
    return costs


def test_a_fixed_time_is_charged_whatever_was_measured():
    fixed = charges(20.0, choice=1.0, analysis=2.0)
    assert fixed.of_ask(0.3, known=5, key=(1,)) == fixed.of_list(known=5, key=(1,)) == 20.0
    assert fixed.of_choice(0.3, known=5, key=(1,)) == 1.0
    assert fixed.of_analysis(0.3, {"x": 1.0}) == 2.0


def test_measured_is_what_it_took_and_a_list_is_not_known_beforehand():
    measured = charges("measured", choice="measured", analysis="measured")
    assert measured.of_ask(0.3, known=5, key=(1,)) == measured.of_choice(0.3, known=5, key=(1,)) == 0.3
    assert measured.of_analysis(0.3, {}) == 0.3 and measured.of_list(known=5, key=(1,)) is None


@given(key=st.tuples(st.integers(0, 1000), st.integers(0, 5)))
def test_what_was_recorded_is_drawn_alike_for_alike_and_lies_among_what_was_seen(key):
    costs = recorded(ask=[1.0, 2.0, 4.0], list=[9.0], choice=[0.1], analysis=[0.5])
    drawn = charges("recorded", choice="recorded", analysis="recorded", costs=costs)
    asked_s = drawn.of_ask(77.0, known=8, key=key)
    assert asked_s == drawn.of_ask(0.0, known=8, key=key) and 0.97 < asked_s < 4.2
    assert drawn.of_list(known=8, key=key) == pytest.approx(9.0, rel=0.03)
    assert drawn.of_choice(77.0, known=8, key=key) == pytest.approx(0.1, rel=0.03)
    assert drawn.of_analysis(77.0, {"x": key[0]}) == pytest.approx(0.5, rel=0.03)


def test_a_list_costs_as_much_as_an_ask_where_none_was_recorded():
    drawn = charges("recorded", costs=recorded(ask=[5.0]))
    assert drawn.of_list(known=8, key=(1,)) == pytest.approx(5.0, rel=0.03)


def test_what_was_never_recorded_is_named():
    some = charges("recorded", choice="recorded", analysis="recorded", costs=recorded(ask=[5.0]))
    assert some.lacking(is_ahead=False).startswith("the file holds none of analyses 'reading'; record one")
    assert "choices of policy 'logei' from short lists" in some.lacking(is_ahead=True)
    assert charges("measured").lacking(is_ahead=True) == ""


def test_a_file_that_is_none_is_refused(tmp_path):
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read_costs(tmp_path / "none.json")
    for text, why in (("[1, 2]", "list"), ("", "it is no JSON"), ("{}", "'format' is missing")):
        (tmp_path / "other.json").write_text(text)
        with pytest.raises(InputError, match=rf"holds no cost model \(.*{why}.*labpilot compute DIR --durations FILE"):
            read_costs(tmp_path / "other.json")
    recorded(ask=[5.0]).save(tmp_path / "costs.json")
    assert read_costs(tmp_path / "costs.json") == recorded(ask=[5.0])
