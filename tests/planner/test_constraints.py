import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.constraints import LinearConstraint, parse_constraint
from planner.errors import ConstraintError, SpaceError

NAMES = ["a", "b", "flow rate", "x"]


@pytest.mark.parametrize(
    ("text", "coefficients", "relation", "bound"),
    [
        ("a + 2*b <= 5", {"a": 1, "b": 2}, "<=", 5),
        ("a >= b", {"a": 1, "b": -1}, ">=", 0),
        ("x == 2*(a - 1)", {"x": 1, "a": -2}, "==", -2),
        ("5 >= a", {"a": 1}, "<=", 5),
        ("-a*2/4 >= -3 + .5e1", {"a": 0.5}, "<=", -2),
        ("`flow rate` - -b <= 1e-3", {"flow rate": 1, "b": 1}, "<=", 0.001),
        ("2*3*a + a <= 7", {"a": 7}, "<=", 7),
        ("((a)) <= +1", {"a": 1}, "<=", 1),
        ("a + b - b <= 1", {"a": 1}, "<=", 1),
    ],
)
def test_reads_linear_constraints(text: str, coefficients: dict[str, float], relation: str, bound: float) -> None:
    (constraint,) = parse_constraint(text, NAMES)
    assert constraint.coefficients == pytest.approx(coefficients)
    assert (constraint.relation, constraint.bound) == (relation, pytest.approx(bound))
    assert str(constraint) == text


def test_a_chain_gives_two_constraints() -> None:
    lower, upper = parse_constraint("1 <= a + b <= 5", NAMES)
    assert (lower.relation, lower.bound) == (">=", 1.0)
    assert (upper.relation, upper.bound) == ("<=", 5.0)
    assert lower.coefficients == upper.coefficients == {"a": 1.0, "b": 1.0}


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        ("a + b < 5", 6, "use <= "),
        ("a = 5", 2, "use == "),
        ("a * b <= 2", 2, "product of two parameters"),
        ("1 / a <= 2", 2, "division by a parameter"),
        ("a / 0 <= 2", 2, "division by zero"),
        ("a <= a", 2, "no parameter is left"),
        ("3 <= 5", 2, "no parameter is left"),
        ("a + <= 5", 4, "expected a number or a parameter"),
        ("(a + b <= 2", 0, "never closed"),
        ("a + b) <= 2", 5, "unexpected '\\)'"),
        ("a + b", 5, "expected <=, >= or =="),
        ("aa <= 2", 0, "unknown parameter 'aa'; did you mean 'a'"),
        ("a <= 5 mL", 7, "unexpected 'mL'"),
        ("a ** 2 <= 1", 3, "expected a number"),
        ("a <= __import__('os')", 16, "cannot read"),
        ("", 0, "expected a number"),
        ("(" * 200, 50, "more than 50"),
    ],
)
def test_says_where_a_constraint_goes_wrong(text: str, position: int, message: str) -> None:
    with pytest.raises(ConstraintError, match=message) as raised:
        parse_constraint(text, NAMES)
    assert raised.value.position == position
    assert f"at character {position + 1}" in str(raised.value)


@given(st.text(alphabet="ab+-*/()<>=. 0123456789`_", max_size=30))
def test_reads_or_refuses_any_text(text: str) -> None:
    try:
        found = parse_constraint(text, NAMES)
    except ConstraintError:
        return
    assert all(set(constraint.coefficients) <= {"a", "b"} for constraint in found)


weights = st.integers(-9, 9).filter(bool)


@given(weights, weights, st.sampled_from(["<=", ">=", "=="]), st.integers(-20, 20), st.data())
def test_means_what_it_says(p: int, q: int, relation: str, bound: int, data: st.DataObject) -> None:
    (constraint,) = parse_constraint(f"{p}*a + {q}*b {relation} {bound}", NAMES)
    point = {"a": float(data.draw(st.integers(-5, 5))), "b": float(data.draw(st.integers(-5, 5)))}
    total = p * point["a"] + q * point["b"]
    holds = {"<=": total <= bound, ">=": total >= bound, "==": total == bound}[relation]
    assert (constraint.violation(point) is None) == holds


def test_rounding_of_decimal_steps_is_no_violation() -> None:
    (constraint,) = parse_constraint("a + b + x <= 0.6", NAMES)
    assert 0.1 + 0.2 + 0.3 > 0.6
    assert constraint.violation({"a": 0.1, "b": 0.2, "x": 0.3}) is None
    assert "misses 0.6 by 0.001" in (constraint.violation({"a": 0.101, "b": 0.2, "x": 0.3}) or "")


@pytest.mark.parametrize(
    ("coefficients", "relation", "bound", "message"),
    [
        ({"a": 1.0}, "<", 1.0, "relation is one of"),
        ({}, "<=", 1.0, "names no parameter"),
        ({"a": 0.0}, "<=", 1.0, "names no parameter"),
        ({"a": float("nan")}, "<=", 1.0, "finite"),
        ({"a": 1.0}, "<=", float("inf"), "finite"),
    ],
)
def test_refuses_constraints_that_say_nothing(
    coefficients: dict[str, float], relation: str, bound: float, message: str
) -> None:
    with pytest.raises(SpaceError, match=message):
        LinearConstraint(coefficients=coefficients, relation=relation, bound=bound)  # type: ignore[arg-type]


def test_writes_itself_where_nobody_did() -> None:
    constraint = LinearConstraint(coefficients={"a": 1.0, "b": -2.0}, relation="<=", bound=5.0)
    assert str(constraint) == "a - 2*b <= 5"
    assert parse_constraint(str(constraint), NAMES) == [constraint]
