import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.guard.grammar import DEEPEST, PredicateError, parse
from orchestrator.guard.predicate import OPERATORS, Both, Compare, Either, Not, Operand, Unknown
from orchestrator.units import Measure

NAMES = st.one_of(
    st.from_regex(r"[A-Za-z_][A-Za-z0-9_-]{0,8}", fullmatch=True),
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=6),
)
OPERANDS = st.builds(Operand, NAMES, NAMES, st.lists(NAMES, max_size=2).map(tuple))
MEASURES = st.builds(
    Measure,
    st.floats(-1e6, 1e6, allow_nan=False).map(lambda value: float(f"{value:.10g}")),
    st.sampled_from(["1", "degC", "K", "K/min", "mL/min", "mm", "%"]),
)
COMPARES = st.builds(Compare, OPERANDS, st.sampled_from(sorted(OPERATORS)), st.one_of(MEASURES, st.booleans(), NAMES))
NODES = st.recursive(
    COMPARES,
    lambda nodes: st.one_of(
        st.builds(Not, nodes),
        st.lists(nodes, min_size=2, max_size=3).map(lambda parts: Both(tuple(parts))),
        st.lists(nodes, min_size=2, max_size=3).map(lambda parts: Either(tuple(parts))),
    ),
    max_leaves=8,
)
DOOR = Compare(Operand("door-1", "door_state"), "==", "closed")
HOT = Compare(Operand("box-1", "read_temperature"), ">", Measure(1150.0, "degC"))


@given(node=NODES)
def test_a_predicate_survives_being_written(node):
    text = str(node)
    if len(text) <= 2000:
        assert parse(text) == node


@given(text=st.text(max_size=60))
def test_any_text_is_a_predicate_or_is_refused_in_words(text):
    try:
        assert parse(str(parse(text))) == parse(text)
    except PredicateError as error:
        assert str(error)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("door-1.door_state == closed", DOOR),
        ('"door-1".door_state=="closed"', DOOR),
        ("box-1.read_temperature > 1150 degC", HOT),
        ("box-1.read_temperature>1150°C", HOT),
        ("arm.is_holding", Compare(Operand("arm", "is_holding"), "==", True)),
        ("box.read_alarms.over_temperature", Compare(Operand("box", "read_alarms", ("over_temperature",)), "==", True)),
        (
            "door-1.door_state == closed and not box-1.read_temperature > 1150 degC or a.b",
            Either((Both((DOOR, Not(HOT))), Compare(Operand("a", "b"), "==", True))),
        ),
        (
            "door-1.door_state == closed and (a.b or a.c == -3)",
            Both(
                (
                    DOOR,
                    Either(
                        (
                            Compare(Operand("a", "b"), "==", True),
                            Compare(Operand("a", "c"), "==", Measure(-3.0, "1")),
                        )
                    ),
                )
            ),
        ),
    ],
    ids=str,
)
def test_what_a_predicate_means(text, expected):
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a reading such as door-1.door_state, but it ends"),
        ("door-1", "expected '.' and a command behind 'door-1'"),
        ("door-1.door_state =", "cannot read '='"),
        ("door-1.door_state ==", "expected a value"),
        ("door-1.door_state == closed closed", "expected 'and', 'or' or the end, but there is 'closed'"),
        ("(a.b", r"expected '\)', but it ends"),
        ("a.b > 3 furlongs_per", "unknown unit"),
        ("a.b and and c.d", "there is 'and'"),
        ("__import__('os').system('true')", "cannot read"),
        ("a.b == 3; import os", "unknown unit|cannot read"),
        ("(" * (DEEPEST + 2) + "a.b" + ")" * (DEEPEST + 2), f"more than {DEEPEST} levels deep"),
        ("a.b and " * 500 + "a.b", "longer than 2000 characters"),
    ],
)
def test_what_is_no_predicate_is_refused_with_its_place(text, message):
    with pytest.raises(PredicateError, match=message):
        parse(text)


TRUTHS = st.sampled_from([True, False, None])


@given(a=TRUTHS, b=TRUTHS)
def test_unknown_spreads_as_in_three_valued_logic(a, b):
    known = {"a": a, "b": b}

    def look(operand):
        if known[operand.device] is None:
            raise Unknown("stale")
        return known[operand.device]

    def truth(text):
        return parse(text).judge(look).truth

    assert truth("a.x and b.x") is (False if False in (a, b) else None if None in (a, b) else True)
    assert truth("a.x or b.x") is (True if True in (a, b) else None if None in (a, b) else False)
    assert truth("not a.x") is (None if a is None else not a)
    assert truth("not (a.x and b.x)") is truth("not a.x or not b.x")


@pytest.mark.parametrize("found", [float("nan"), float("inf"), True, "12", None], ids=repr)
def test_what_is_no_number_compares_as_unknown(found):
    verdict = HOT.judge(lambda operand: found)
    assert verdict.truth is None
    assert "is no number" in verdict.reason


def test_a_field_that_the_answer_lacks_is_unknown():
    from orchestrator.guard.predicate import field_of

    with pytest.raises(Unknown, match="the answer has no 'x'"):
        field_of({"y": 1}, ("x",))
    assert field_of({"y": {"z": 2}}, ("y", "z")) == 2


def test_a_verdict_says_what_was_found():
    assert HOT.judge(lambda operand: 1163.0).reason == "box-1.read_temperature is 1163 degC"
    verdict = parse("a.b == closed and a.b == open").judge(lambda operand: "open")
    assert (verdict.truth, verdict.reason) == (False, "a.b is open")
