import pytest

from orchestrator.events import Event
from orchestrator.health.finding import Level
from orchestrator.health.hands import interventions
from orchestrator.people.interventions import autonomy


def counted(completed, hands):
    kinds = [("analysed", {})] * completed + [("incident", {"kind": "intervention", "text": "a hand"})] * hands
    return autonomy(
        Event(seq=seq, kind=kind, at_s=float(seq), utc="", body=body) for seq, (kind, body) in enumerate(kinds, 1)
    )


@pytest.mark.parametrize(
    ("completed", "hands", "level", "said"),
    [
        (0, 3, Level.OK, "3 interventions in 0 completed experiments"),
        (100, 0, Level.OK, "0 per 100 (95 % interval 0 to 3.7)"),
        (100, 2, Level.OK, "2 per 100"),
        (1000, 30, Level.NOTE, "3 per 100 (95 % interval 2 to 4.3), surely more than 0.5"),
    ],
)
def test_only_a_rate_that_is_surely_high_is_worth_a_note(completed, hands, level, said):
    found = interventions(counted(completed, hands))
    assert found.level is level
    assert said in found.text
