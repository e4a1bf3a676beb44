from dataclasses import dataclass

import pytest

from planner import BadOption
from planner.policies.options import Choice, Range, option, read_options


@dataclass(frozen=True)
class Options:
    """Options of a policy that does not exist."""

    size: int = option(3, Range(1, 10, is_whole=True))
    rate: float = option(0.5, Range(0, 1))
    mode: str = option("slow", Choice(("slow", "fast")))
    is_loud: bool = option(False, Choice((True, False)))


def test_reads_options_and_leaves_defaults() -> None:
    assert read_options(Options, {"size": 4, "rate": 1, "is_loud": True, "mode": None}, "x") == Options(
        4, 1, "slow", True
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"sise": 3}, "policy 'x' has no option 'sise'; did you mean 'size'"),
        ({"size": 2.5}, "option 'size' of policy 'x' must be an integer from 1 to 10, not 2.5"),
        ({"size": 11}, "from 1 to 10"),
        ({"size": True}, "must be an integer"),
        ({"rate": "fast"}, "must be a number from 0 to 1, not 'fast'"),
        ({"rate": float("nan")}, "must be a number"),
        ({"mode": "quick"}, "must be one of 'slow', 'fast', not 'quick'"),
        ({"is_loud": 1}, "must be one of True, False, not 1"),
        ({"sise": 3, "rate": 9}, "no option 'sise'.*; option 'rate'"),
    ],
)
def test_names_every_mistake(given: dict[str, object], message: str) -> None:
    with pytest.raises(BadOption, match=message):
        read_options(Options, given, "x")


def test_options_that_the_policy_reads_itself_are_named() -> None:
    with pytest.raises(BadOption, match="no option 'folow'; did you mean 'follow'"):
        read_options(Options, {"folow": True}, "x", beside=("follow",))
