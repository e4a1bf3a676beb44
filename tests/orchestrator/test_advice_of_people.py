"""What people say to the planner of a running campaign: it is journalled, done, and the same after a stop."""

from pathlib import Path

import pytest

from orchestrator.check import check_campaign
from orchestrator.execution import resume, start
from orchestrator.people.orders import Kind
from tests.orchestrator.test_direction import following, of
from tests.orchestrator.test_journeys import events_of

PHOTO = Path(__file__).parents[2] / "examples" / "photocatalysis" / "campaign.yaml"
RECIPE = dict.fromkeys(("nacl", "naoh", "pvp", "sds", "silicate", "acid_red", "rhodamine_b", "methylene_blue"), 0.0)
WISH = {"p10": 3.0, "cysteine": 2.5, **RECIPE}
SALTY = {"where": "nacl + naoh >= 1"}
STRONG = {"box": {"cysteine": [2.0, 5.0], "p10": [4.0, 5.0]}}


def campaign(*more):
    changes = ("batch=6", "budget.trials=36", "planner.charge=30 s", "planner.options={start: 6}", *more)
    return check_campaign(PHOTO, None, list(changes)).require()


def with_all_else(folder):
    """Return what makes the campaign one with a window, a cost, and results from before it."""
    rows = [{"p10": p10, "cysteine": 1.0, **RECIPE, "hydrogen": 1.0 + p10} for p10 in (1.0, 2.0, 3.0)]
    lines = [",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)]
    (folder / "known.csv").write_text("\n".join(lines))
    return (
        "objectives=[{name: hydrogen, direction: window, unit: umol, low: 20 umol, high: 21 umol}]",
        "planner.options={start: 6, cost: 1 + p10}",
        f"known={folder / 'known.csv'}",
    )


def asked(path):
    return [
        trial for event in of(events_of(path), "asked") for trial in event.body["trials"] if not trial["is_control"]
    ]


async def advice(person):
    assert person.order(Kind.HINT, label="strong", area=STRONG, confidence=0.7).is_done
    assert person.order(Kind.FORBID, label="salt", area=SALTY).is_done
    assert person.order(Kind.SUGGEST, point=WISH).is_done
    refused = person.order(Kind.SUGGEST, point={**WISH, "nacl": 2.0})
    assert not refused.is_done and "forbidden (salt)" in refused.text


def test_advice_is_followed_from_the_next_ask_on(tmp_path):
    async def script(person):
        await person.at(60.0)
        await advice(person)

    assert start(campaign(), tmp_path / "out", following(script)).status == "finished"
    before, after = asked(tmp_path / "out")[:4], asked(tmp_path / "out")[4:]
    assert [one["parameters"] for one in after if one["proposal_reason"] == "suggested by a person"] == [WISH]
    assert any(one["parameters"]["nacl"] + one["parameters"]["naoh"] >= 1 for one in before)
    assert all(one["parameters"]["nacl"] + one["parameters"]["naoh"] < 1 for one in after)
    assert "'strong' (likely with 0.7" in after[-1]["proposal_reason"]
    assert len(of(events_of(tmp_path / "out"), "advised")) == 3


@pytest.mark.parametrize("changes", [lambda _: (), with_all_else], ids=["plain", "window-cost-known"])
def test_a_campaign_that_was_stopped_and_resumed_proposes_the_same(tmp_path, changes):
    more = changes(tmp_path)

    async def at_once(person):
        await person.at(60.0)
        await advice(person)

    async def with_a_stop(person):
        await at_once(person)
        while len(of_asks(person.desk)) < 18:
            await person.desk.clock.sleep(600.0)
        assert person.order(Kind.STOP).is_done

    def of_asks(desk):
        return desk.facts().trials

    start(campaign(*more), tmp_path / "whole", following(at_once))
    assert start(campaign(*more), tmp_path / "parts", following(with_a_stop)).status == "stopped"
    assert resume(tmp_path / "parts").status == "finished"
    whole, parts = asked(tmp_path / "whole"), asked(tmp_path / "parts")
    assert [one["parameters"] for one in parts] == [one["parameters"] for one in whole]
    assert [one["proposal_reason"] for one in parts] == [one["proposal_reason"] for one in whole]
    words = ("'strong' (likely with", *(("for the window 20 to 21", "costs") if more else ()))
    assert all(word in whole[-1]["proposal_reason"] for word in words)


@pytest.mark.parametrize(
    ("kind", "arguments", "says"),
    [
        (Kind.SUGGEST, {"point": {"p10": 3.0}}, "parameter 'cysteine' is missing"),
        (Kind.FORBID, {"label": "a", "area": {"where": "p10 >= 0"}}, "forbid less"),
        (Kind.FORBID, {"label": "a", "area": {"where": "p11 >= 0"}}, "unknown parameter 'p11'"),
        (Kind.HINT, {"label": "a", "area": {"boks": {}}, "confidence": 0.5}, "an area is"),
        (Kind.ALLOW, {"label": "a"}, "no area 'a' is forbidden"),
        (Kind.FORGET, {"label": "a"}, "no area 'a' is marked as likely"),
    ],
)
def test_advice_that_cannot_be_followed_is_refused(tmp_path, kind, arguments, says):
    told = []

    async def script(person):
        told.append(person.order(kind, **arguments))
        person.order(Kind.STOP)

    start(campaign(), tmp_path / "out", following(script))
    assert not told[0].is_done
    assert says in told[0].text
