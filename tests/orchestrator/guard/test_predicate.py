import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.guard.grammar import parse
from orchestrator.guard.predicate import Both, Compare, Either, Not, Operand, Unknown, field_of

TRUTHS = (True, False, None)


def look(**readings):
    """Readings by command; None is one that cannot be relied on."""

    def looked(operand):
        if readings.get(operand.command) is None:
            raise Unknown("stale, 9 s old where 2 s is the most")
        return field_of(readings[operand.command], operand.fields)

    return looked


def leaf(name):
    return Compare(Operand("d", name), "==", True)


def negated(truth):
    return None if truth is None else not truth


def all_of(truths):
    return False if False in truths else None if None in truths else True


def any_of(truths):
    return negated(all_of([negated(truth) for truth in truths]))


@given(st.lists(st.sampled_from(TRUTHS), min_size=2, max_size=5))
def test_and_or_and_not_are_those_of_three_valued_logic(truths):
    readings = look(**{f"r{index}": truth for index, truth in enumerate(truths)})
    parts = tuple(leaf(f"r{index}") for index in range(len(truths)))
    assert Both(parts).judge(readings).truth is all_of(truths)
    assert Either(parts).judge(readings).truth is any_of(truths)
    assert Not(parts[0]).judge(readings).truth is negated(truths[0])


@given(st.lists(st.sampled_from(TRUTHS), min_size=3, max_size=3), st.integers(0, 2))
def test_a_reading_that_is_lost_never_turns_a_verdict_into_its_opposite(truths, lost):
    """A yes may become unknown, never a no; so a stale reading can neither open an interlock nor let a trip off."""
    predicate = parse("d.r0 and (d.r1 or not d.r2)")
    before = predicate.judge(look(r0=truths[0], r1=truths[1], r2=truths[2])).truth
    truths[lost] = None
    after = predicate.judge(look(r0=truths[0], r1=truths[1], r2=truths[2])).truth
    assert after is None or after is before


@pytest.mark.parametrize(
    ("text", "reading", "truth"),
    [
        ("d.r > 5", 5.0, False),
        ("d.r >= 5", 5, True),
        ("d.r < 5", -math.pi, True),
        ("d.r != 5", 5.5, True),
        ("d.r == closed", "closed", True),
        ("d.r != closed", "open", True),
        ("d.r == false", False, True),
        ("d.r.deep.er == true", {"deep": {"er": True}}, True),
    ],
)
def test_a_comparison_is_what_it_says(text, reading, truth):
    assert parse(text).judge(look(r=reading)).truth is truth


@pytest.mark.parametrize(
    ("text", "reading", "reason"),
    [
        ("d.r > 5", math.nan, "nan is no number"),
        ("d.r > 5", math.inf, "inf is no number"),
        ("d.r > 5", True, "true is no number"),
        ("d.r > 5", "7", "7 is no number"),
        ("d.r != closed", 3, "3 is not a word"),
        ("d.r != true", "true", "true is not true or false"),
        ("d.r != true", 0, "0 is not true or false"),
        ("d.r.deep", {"other": True}, "the answer has no 'deep'"),
        ("d.r.deep", 5.0, "the answer has no 'deep'"),
        ("d.r > 5", None, "stale"),
    ],
)
def test_a_reading_of_another_kind_is_unknown_and_neither_yes_nor_no(text, reading, reason):
    for predicate in (parse(text), parse(f"not ({text})")):
        verdict = predicate.judge(look(r=reading))
        assert verdict.truth is None
        assert reason in verdict.reason


def test_the_reason_names_only_the_readings_that_decide():
    verdict = parse("d.hot > 5 and d.shut == closed").judge(look(hot=7.0, shut="open"))
    assert (verdict.truth, verdict.reason) == (False, "d.shut is open")
    verdict = parse("d.hot > 5 or d.shut == closed").judge(look(hot=7.0, shut=None))
    assert (verdict.truth, verdict.reason) == (True, "d.hot is 7")


def test_a_number_is_told_with_the_unit_that_it_is_compared_in():
    assert parse("d.r > 60 degC").judge(look(r=71.25)).reason == "d.r is 71.25 degC"
