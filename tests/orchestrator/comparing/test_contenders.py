from pathlib import Path

import pytest

from orchestrator.comparing.contenders import Contender, checked, read_contenders
from orchestrator.errors import InputError

EXAMPLES = Path(__file__).parents[3] / "examples"
BENCH = EXAMPLES / "photocatalysis/campaign.yaml"


def test_names_and_options_are_read():
    first, second = read_contenders("random, logei:caution=1.0:start=8")
    assert first == Contender(label="random", policy="random")
    assert (second.policy, second.options) == ("logei", ("caution=1.0", "start=8"))
    assert second.slug == "logei-caution=1.0-start=8"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (" , ", "names no planner"),
        ("random,random", "names 'random' twice"),
        ("logei:caution", "write name=value, as in logei:a=1"),
        ("logei:=1", "write name=value"),
        (":caution=1", "begins without a policy"),
    ],
)
def test_what_cannot_be_read_is_said(text, message):
    with pytest.raises(InputError, match=message):
        read_contenders(text)


def test_options_of_the_file_are_those_of_its_own_policy_only():
    own = ["planner.options={caution: 0.9, start: 6}"]
    ready = checked(BENCH, None, own, read_contenders("logei,random,logei:caution=0.1"))
    found = {label: dict(one.campaign.planner.options) for label, one in ready.items()}
    assert found == {
        "logei": {"caution": 0.9, "start": 6},
        "random": {},
        "logei:caution=0.1": {"caution": 0.1, "start": 6},
    }
    assert [one.campaign.planner.policy for one in ready.values()] == ["logei", "random", "logei"]


def test_every_mistake_is_named_once_and_where_it_was_written():
    with pytest.raises(InputError) as caught:
        checked(BENCH, None, ["budget.trails=3"], read_contenders("logie,rndom,logei:cauton=1"))
    problems = caught.value.problems
    assert sum("budget.trails" in text for text in problems) == 1
    with pytest.raises(InputError) as caught:
        checked(BENCH, None, [], read_contenders("logie,random,logei:cauton=1"))
    assert caught.value.problems == [
        "--planners logie: no policy 'logie'; did you mean 'logei'?",
        "--planners logei:cauton=1: policy 'logei' has no option 'cauton'; did you mean 'caution'?",
    ]


def test_a_policy_without_sources_is_compared_without_them():
    ready = checked(EXAMPLES / "photocatalysis_again/campaign.yaml", None, [], read_contenders("transfer,logei"))
    assert {label: len(one.campaign.sources) for label, one in ready.items()} == {"transfer": 2, "logei": 0}
