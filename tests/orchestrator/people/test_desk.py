"""Orders on their way from the spool to the journal: exactly once, whoever is killed and when."""

import json
import os
from datetime import UTC, datetime

import pytest

from orchestrator.lab import Limit
from orchestrator.people.desk import Desk
from orchestrator.people.intent import Intent
from orchestrator.people.orders import Kind, new_order
from orchestrator.people.spool import Spool, user_name

ME = user_name(os.getuid())


class Killed(BaseException):
    """Stands for a kill: nothing after it is done."""


def order(kind, *, reason="because", name=None, at=0, **arguments):
    return new_order(kind, reason=reason, now=datetime(2026, 1, 1, 0, 0, at, tzinfo=UTC), name=name, **arguments)


def read(office):
    async def work(desk):
        await desk.run()  # in virtual time: once
        return desk

    return office.run(work)


def give(office, kind, **arguments):
    """Give one order and return what came of it."""
    given = order(kind, **arguments)
    Spool(office.path).put(given)
    return read(office).state.orders[given.id]


def test_an_order_waits_until_a_controller_starts(office):
    Spool(office.path).put(order(Kind.PAUSE, reason="the filter is full", name="Ada"))
    desk = read(office)
    assert desk.intent is Intent.PAUSE
    (event,) = office.events("order")
    assert (event.body["user"], event.body["name"], event.body["reason"]) == (ME, "Ada", "the filter is full")
    assert event.body["is_done"]
    assert [item.who for item in office.told] == [f"Ada (as {ME})"]
    assert Spool(office.path).waiting() == []
    assert len(list((office.path / "orders" / "done").iterdir())) == 1


def test_what_was_ordered_holds_after_a_restart(office):
    for index, (kind, arguments) in enumerate(
        [
            (Kind.PAUSE, {}),
            (Kind.SKIP, {"trial": 2}),
            (Kind.REQUEUE, {"trial": 3}),
            (Kind.HOLD, {"device": "furnace"}),
            (Kind.HOLD, {"step_kind": "mill"}),
            (Kind.OVERRIDE, {"quarantine": "arm"}),
            (Kind.SET_BUDGET, {"trials": 25}),
            (Kind.SET_LIMIT, {"limit": "furnace.fire.target", "high": "900 degC"}),
        ]
    ):
        Spool(office.path).put(order(kind, at=index, **arguments))
    first = read(office)
    assert all(given.is_done for given in first.state.orders.values())
    again = read(office)
    assert again.state == first.state
    assert again.intent is Intent.PAUSE
    assert again.skips(2) and not again.skips(1)
    assert again.requeues == [3]
    assert again.is_held(device="furnace") and again.is_held(step_kind="mill") and not again.is_held(device="arm")
    assert again.override("quarantine", "arm").reason == "because"
    assert again.trials_budget(20) == 25
    assert str(again.limit("furnace.fire.target", Limit.model_validate({"high": "1100 degC"})).high) == "900 degC"


@pytest.mark.parametrize("where", ["before the journal", "before the move", "after the move"])
def test_a_kill_at_any_step_applies_the_order_once(office, monkeypatch, where):
    given = order(Kind.HOLD, device="arm")
    Spool(office.path).put(given)
    place, method, before = {
        "before the journal": (Desk, "_decide", True),
        "before the move": (Spool, "move", True),
        "after the move": (Spool, "move", False),
    }[where]
    whole = getattr(place, method)

    def dies(self, *arguments):
        if not before:
            whole(self, *arguments)
        raise Killed

    monkeypatch.setattr(place, method, dies)
    with pytest.raises(Killed):
        read(office)
    monkeypatch.undo()
    desk = read(office)
    assert desk.is_held(device="arm")
    assert [event.body["is_done"] for event in office.events("order")] == [True]
    assert Spool(office.path).waiting() == []


def test_a_kill_while_the_order_is_written_leaves_none(office, monkeypatch):
    def dies(*_):
        raise Killed

    monkeypatch.setattr(os, "replace", dies)
    with pytest.raises(Killed):
        Spool(office.path).put(order(Kind.STOP))
    monkeypatch.undo()
    assert read(office).intent is Intent.RUN
    assert office.events("order") == []


def test_a_second_delivery_of_the_same_id_has_the_same_answer(office):
    given = order(Kind.PAUSE)
    Spool(office.path).put(given)
    first = read(office).state.orders[given.id]
    Spool(office.path).put(given)
    assert read(office).state.orders[given.id] == first
    assert len(office.events("order")) == 1
    assert Spool(office.path).waiting() == []

    async def submit(desk):
        return desk.submit(given, user="web")

    assert office.run(submit) == first


def test_orders_are_taken_in_the_order_in_which_they_were_given(office):
    for at, kind in ((3, Kind.STOP), (1, Kind.PAUSE), (2, Kind.GO_ON)):
        Spool(office.path).put(order(kind, at=at))
    assert read(office).intent is Intent.STOP
    assert [event.body["kind"] for event in office.events("order")] == ["pause", "go-on", "stop"]


@pytest.mark.parametrize(
    ("kind", "arguments", "message"),
    [
        (Kind.GO_ON, {}, "go-on changes nothing: the campaign is set to run"),
        (Kind.SKIP, {"trial": 9}, "no trial 9: the campaign has trials 1 to 3"),
        (Kind.SKIP, {"trial": 1}, "trial 1 is final already: measured"),
        (Kind.REQUEUE, {"trial": 2}, "only a failed or lost trial can be made again; trial 2 is running"),
        (Kind.HOLD, {"device": "furnaec"}, "did you mean 'furnace'"),
        (Kind.RELEASE, {"device": "arm"}, "arm is not held"),
        (Kind.OVERRIDE, {"limit": "furnace.fire.hold"}, "did you mean 'furnace.fire.target'"),
        (Kind.OVERRIDE, {"quarantine": "arm", "withdraw": True}, "arm is not overridden"),
        (Kind.SET_BUDGET, {"trials": 2}, "less than the 3 that were accepted already"),
        (Kind.SET_BUDGET, {"duration_s": 60.0}, "less than the 3600 s that have passed"),
        (Kind.SET_LIMIT, {"limit": "furnace.fire.target", "high": "1200 degC"}, "wider than 1100 degC"),
        (Kind.SET_LIMIT, {"limit": "furnace.fire.target", "low": "200 K"}, "wider than 20 degC"),
        (Kind.SET_LIMIT, {"limit": "furnace.fire.target", "high": "10 degC"}, "nothing would be allowed"),
        (Kind.SET_LIMIT, {"limit": "furnace.fire.target", "high": "3 h"}, "furnace.fire.target: "),
        (Kind.ANSWER, {"question": "q", "choice": "yes"}, "no question 'q'"),
    ],
)
def test_an_order_that_cannot_be_carried_out_is_journalled_as_refused(office, kind, arguments, message):
    given = give(office, kind, **arguments)
    assert not given.is_done
    assert message in given.text
    assert read(office).state.intent is Intent.RUN
    assert len(office.events("order")) == 1


def test_a_limit_gets_narrower_only_even_after_it_was_set(office):
    limit = "furnace.fire.target"
    assert give(office, Kind.SET_LIMIT, limit=limit, high="900 degC").is_done
    assert "wider than 900 degC" in give(office, Kind.SET_LIMIT, limit=limit, high="1000 degC").text
    assert give(office, Kind.SET_LIMIT, limit=limit, high="1073.15 K").is_done


def test_a_second_word_shows_who_gave_the_first(office):
    give(office, Kind.PAUSE, name="Ada", reason="lunch")
    assert f"the campaign is set to pause, by Ada (as {ME}) at" in give(office, Kind.PAUSE, at=1).text
    give(office, Kind.HOLD, device="arm", name="Ada", at=2)
    assert "held already, by Ada" in give(office, Kind.HOLD, device="arm", at=3).text


def test_a_stop_is_over_with_the_end_and_a_pause_is_not(office):
    async def end(desk):
        await desk.run()
        desk._journal.append("campaign_ended", {"status": "stopped", "reason": "r"}, durable=True)

    async def begin(desk):
        desk._journal.append("campaign_created", {"name": "n", "mode": "wall", "seed": 1, "planner": "p"}, durable=True)

    office.run(begin)
    Spool(office.path).put(order(Kind.PAUSE))
    office.run(end)
    assert read(office).intent is Intent.PAUSE
    Spool(office.path).put(order(Kind.STOP, at=1))
    office.run(end)
    assert read(office).intent is Intent.RUN


def test_a_requeue_is_wanted_until_it_is_made(office):
    give(office, Kind.REQUEUE, trial=3)

    async def make(desk):
        desk.requeued(3, as_trial=4)
        assert desk.requeues == []
        desk._journal.flush()

    office.run(make)
    assert read(office).requeues == []


@pytest.mark.parametrize("content", [b"", b"{", b'{"id": "x", "kind": "explode", "reason": "r"}'])
def test_a_file_that_is_no_order_is_refused_once_and_put_aside(office, content):
    Spool(office.path).put(order(Kind.PAUSE))
    (office.path / "orders" / "zzz.json").write_bytes(content)
    assert read(office).intent is Intent.PAUSE
    refused = office.events("order")[-1].body
    assert not refused["is_done"]
    assert "zzz.json is no order" in refused["text"]
    assert Spool(office.path).waiting() == []


def test_a_link_is_not_followed(office, tmp_path):
    secret = tmp_path / "secret.json"
    secret.write_bytes(order(Kind.ABORT).encoded())
    Spool(office.path).put(order(Kind.PAUSE))
    (office.path / "orders" / "a.json").symlink_to(secret)
    assert read(office).intent is Intent.PAUSE
    assert secret.exists()


def test_a_folder_that_cannot_be_moved_from_does_not_repeat_the_order(office, monkeypatch):
    Spool(office.path).put(order(Kind.HOLD, device="arm"))

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Spool, "move", refuse)

    async def thrice(desk):
        for _ in range(3):
            desk.read_orders()
        desk._journal.flush()

    office.run(thrice)
    assert len(office.events("order")) == 1
    (incident,) = office.events("incident")
    assert "stays in the spool" in incident.body["text"]


def test_the_spool_is_read_once_a_second_in_wall_time(office):
    """The same task on a wall clock that jumps: orders are met as they come."""

    async def work(desk):
        desk._clock.is_virtual = False  # the loop stays virtual
        import asyncio

        task = asyncio.ensure_future(desk.run())
        await asyncio.sleep(10.5)
        Spool(office.path).put(order(Kind.PAUSE))
        await asyncio.sleep(1.0)
        seen = desk.intent
        task.cancel()
        return seen

    assert office.run(work) is Intent.PAUSE


def test_an_order_file_is_readable_for_a_controller_of_another_user(office):
    before = os.umask(0o077)
    try:
        path = Spool(office.path).put(order(Kind.PAUSE))
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o644
    assert json.loads(path.read_bytes())["kind"] == "pause"
