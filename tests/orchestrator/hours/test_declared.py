import re
from pathlib import Path

import pytest

from orchestrator.check import check_campaign
from orchestrator.hours.declared import BadDuration, in_seconds

EXAMPLES = Path(__file__).parents[3] / "examples"
UNITS = {"hold": "h", "layers": "1", "spin time": "min", "dose": "mg"}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2 h + hold", "7200.0 + (3600.0*`hold`)"),
        ("10 min * layers + 30s", "600.0 * layers + 30.0"),
        ("`spin time` * 2", "(60.0*`spin time`) * 2"),
        ("1.5e0 h + 0", "5400.0 + 0"),
        ("1 h * (layers + dose)", "3600.0 * (layers + dose)"),
    ],
)
def test_times_count_in_seconds(text, seconds):
    assert in_seconds(text, UNITS) == seconds


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2 + hold", "2 needs a unit of time, such as '2 h'"),
        ("2 mL + hold", "'mL' is no unit of time"),
        ("1 h 30 min + hold", "write '\\+' before 30 min"),
        ("2 hold", "write '\\*' between 2 and hold"),
        ("2 h + dose", "dose is no time but in 'mg'; multiply it by one, '1 min \\* dose'"),
        ("layers", "layers is no time but in '1'"),
    ],
    ids=["number", "unit", "sum", "product", "mass", "count"],
)
def test_mistakes(text, message):
    with pytest.raises(BadDuration, match=message):
        in_seconds(text, UNITS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2 h + p11 * 1 min", "p11"),
        ("2 h - 1 h * p10", "s at .*; a trial takes more than nothing"),
    ],
    ids=["unknown", "negative"],
)
def test_check_refuses(text, message):
    found = check_campaign(EXAMPLES / "photocatalysis/campaign.yaml", None, [f"duration={text}"])
    assert [problem.path for problem in found.problems] == ["duration"]
    assert re.search(message, found.problems[0].message)
