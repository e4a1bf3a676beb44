"""The independent checker: each law holds in a lawful log, and each can be seen to be broken."""

import json
import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.instruments.furnace_program import mark_of
from drivers.instruments.shaker_mark import RUNNING, RunMark
from simulators.powder_lab.checker import check, violations, written_of
from simulators.world import WorldFile


def act(what, at_s, *, once=False, **facts):
    return {"what": what, "once": once, "at_s": at_s, "facts": facts}


def carried(container, source, to, at_s, tag, arm="arm-1", **facts):
    """Return the two acts of a transfer."""
    shared = {"device": arm, "container": container, "tag": tag, "enclosure_position": 0.0, **facts}
    return [
        act("transfer", at_s, once=True, place=source, **shared),
        act("placed", at_s + 5.0, place=to, **shared),
    ]


def meant(tag, device, at_s=0.0, **more):
    return {"id": tag, "device": device, "at_s": at_s, **more}


def file_of(acts, **at):
    rows = {f"act/{number:06d}": row for number, row in enumerate(acts)}
    rows |= {f"container/{name}": {"at": place} for name, place in at.items()}
    return {"world": {"name": "powder-lab"}, **rows}


def rules(acts, intents=(), **at):
    return [violation.rule for violation in violations(written_of(file_of(acts, **at)), intents)]


LIFE = [
    *carried("a", "magazine", "dosing", 10.0, "t1"),
    act("dispense", 20.0, once=True, device="doser-1", tag="d1"),
    act("poured", 30.0, device="doser-1", tag="d1", by="world", container="a"),
    *carried("a", "dosing", "home-01", 40.0, "t2"),
]
INTENTS = [meant("t1", "arm-1"), meant("t2", "arm-1", 35.0), meant("d1", "doser-1", 15.0, purpose="sample 1: BaCO3")]
HOME = {"a": "home-01"}


def test_a_lawful_log_breaks_no_law():
    assert rules(LIFE, INTENTS, **HOME) == []


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_an_act_without_intent(missing):
    kept = [intent for index, intent in enumerate(INTENTS) if index != missing]
    assert set(rules(LIFE, kept, **HOME)) == {"act without intent"}


def test_an_intent_that_was_written_down_after_the_act():
    late = [{**intent, "at_s": 25.0} if intent["id"] == "d1" else intent for intent in INTENTS]
    assert rules(LIFE, late, **HOME) == ["act without intent"]


def test_an_intent_of_another_device_is_none():
    wrong = [{**intent, "device": "doser-2"} if intent["id"] == "d1" else intent for intent in INTENTS]
    assert rules(LIFE, wrong, **HOME) == ["act without intent"]


def test_an_act_that_bears_no_tag_needs_an_intent_of_its_device_by_then():
    opened = [act("door", 100.0, device="door-1", target="open")]
    assert rules(opened, [meant("c1", "door-1", 99.0, ends_s=104.0)]) == []
    assert rules(opened, [meant("c1", "door-1", 101.0)]) == ["act without intent"]
    assert rules(opened, [meant("c1", "door-1", 0.0, ends_s=4.0)]) == ["act without intent"]
    assert rules(opened, [meant("c1", "door-2", 99.0)]) == ["act without intent"]


def test_stopping_and_what_nobody_ordered_need_no_intent():
    acts = [
        act("stop", 1.0, device="mill"),
        act("door", 2.0, device="enclosure", target="open", by="person"),
        act("person", 3.0, by="person", act="clear floor"),
        act("trip", 4.0, device="mill", by="world"),
    ]
    assert rules(acts) == []


def test_a_dose_given_twice_under_one_tag():
    again = act("dispense", 31.0, once=True, device="doser-1", tag="d1")
    assert rules([*LIFE, again], INTENTS, **HOME) == ["once-act done twice"]


def test_a_dose_given_twice_for_one_purpose_under_two_tags():
    again = act("dispense", 31.0, once=True, device="doser-1", tag="d2")
    intents = [*INTENTS, meant("d2", "doser-1", 30.0, purpose="sample 1: BaCO3")]
    assert rules([*LIFE, again], intents, **HOME) == ["once-act done twice"]
    other = [*INTENTS, meant("d2", "doser-1", 30.0, purpose="sample 2: BaCO3")]
    assert rules([*LIFE, again], other, **HOME) == []


def test_programs_are_known_by_their_marks():
    runs = [act("program", at_s, once=True, device="box-1", mark=mark_of("p1")) for at_s in (10.0, 90_000.0)]
    assert rules(runs[:1], [meant("p1", "box-1")]) == []
    assert rules(runs, [meant("p1", "box-1")]) == ["once-act done twice"]
    assert set(rules(runs, [meant("p2", "box-1")])) >= {"act without intent"}


def test_two_programs_whose_tags_leave_the_same_mark_are_two():
    tags = iter(f"p{number}" for number in range(200_000))
    first = next(tags)
    other = next(tag for tag in tags if mark_of(tag) == mark_of(first))
    runs = [act("program", at_s, once=True, device="box-1", mark=mark_of(first)) for at_s in (10.0, 90_000.0)]
    assert rules(runs, [meant(first, "box-1"), meant(other, "box-1")]) == []


def test_runs_of_a_shaker_are_known_by_its_name():
    mark = str(RunMark.of("m1", RUNNING, 12_345.0))
    runs = [act("start", at_s, once=True, device="mill", mark=mark) for at_s in (10.0, 500.0)]
    assert rules(runs[:1], [meant("m1", "mill")]) == []
    assert rules(runs, [meant("m1", "mill")]) == ["once-act done twice"]
    assert rules(runs[:1], [meant("m2", "mill")]) == ["act without intent"]


def test_two_samples_in_one_place():
    acts = [*carried("a", "magazine", "mill", 10.0, "t1"), *carried("b", "magazine", "mill", 30.0, "t2")]
    intents = [meant("t1", "arm-1"), meant("t2", "arm-1")]
    assert rules(acts, intents, a="mill", b="mill") == ["two samples in one place"]
    acts[3]["facts"]["place"] = acts[1]["facts"]["place"] = "chute"
    assert rules(acts, intents, a="chute", b="chute") == []


def test_motion_with_an_open_enclosure():
    said = [*LIFE]
    said[1] = {**said[1], "facts": {**said[1]["facts"], "enclosure_position": 1.0}}
    assert rules(said, INTENTS, **HOME) == ["motion with an open enclosure"]


def test_a_changer_may_move_behind_an_open_enclosure_and_an_arm_may_not():
    door = act("door", 0.5, device="enclosure", target="open", by="person")
    changer = act("move", 10.0, device="diffractometer", place=2, to=0)
    arm = act("move", 20.0, device="arm-2", program="move_home.urp")
    assert rules([door, changer], [meant("c", "diffractometer")]) == []
    assert rules([door, arm], [meant("m", "arm-2")]) == ["motion with an open enclosure"]


@pytest.mark.parametrize(("closes_s", "seen"), [(11.0, 1), (1.0, 0), (60.0, 4)])
def test_motion_between_the_enclosures_opening_and_closing(closes_s, seen):
    door = [
        act("door", 0.5, device="enclosure", target="open", by="person"),
        act("door", closes_s, device="enclosure", target="closed", by="person"),
    ]
    found = rules([*door, *LIFE], INTENTS, **HOME)
    # open from 0.5 s to 4 s after it begins to close; arms act at 10, 15, 40 and 45 s
    assert found == ["motion with an open enclosure"] * (seen if closes_s != 11.0 else 1)


def test_an_arm_in_a_closed_furnace():
    acts = carried("a", "magazine", "box-1-1", 10.0, "t1", door_position=0.4)
    assert set(rules(acts, [meant("t1", "arm-1")], a="box-1-1")) == {"arm in a closed furnace"}


def test_firing_with_an_open_door():
    acts = [act("program", 1.0, once=True, device="box-1", mark=mark_of("p1"), is_door_open=True)]
    assert rules(acts, [meant("p1", "box-1")]) == ["firing with an open door"]


def test_what_the_world_noted_counts():
    noted = act("unsafe", 1.0, rule="above the hard limit", by="world", box="box-1")
    assert rules([noted]) == ["above the hard limit"]


@pytest.mark.parametrize(
    "at",
    [{}, {"a": "mill"}, {"a": ""}, {"a": "home-01", "ghost": "mill"}],
    ids=["gone", "elsewhere", "nowhere", "from nowhere"],
)
def test_a_lost_container(at):
    assert rules(LIFE, INTENTS, **at) == ["lost container"]


def test_a_container_that_moves_without_being_carried():
    acts = [*LIFE, *carried("a", "mill", "home-02", 60.0, "t3")]
    assert rules(acts, [*INTENTS, meant("t3", "arm-1")], a="home-02") == ["lost container"]


def test_a_container_that_is_fetched_twice():
    acts = [*LIFE, *carried("a", "magazine", "home-02", 60.0, "t3")]
    assert "two containers of one name" in rules(acts, [*INTENTS, meant("t3", "arm-1")], a="home-02")


def test_people_and_changers_carry_too():
    acts = [
        *LIFE,
        act("taken", 50.0, by="person", container="a", place="away"),
        act("put", 60.0, by="person", container="a", place="xrd-1"),
        act("carried", 70.0, by="world", device="diffractometer", container="a", place="inside"),
    ]
    assert rules(acts, INTENTS, a="inside") == []
    assert rules(acts[:-1], INTENTS, a="inside") == ["lost container"]


@given(dropped=st.sets(st.integers(0, len(LIFE) - 1), min_size=1))
def test_a_log_from_which_a_motion_is_missing_is_seen_through(dropped):
    """A container whose motions do not fit together is lost, whichever of them the log lacks."""
    kept = [row for index, row in enumerate(LIFE) if index not in dropped]
    motions = {0, 1, 4, 5}
    assert bool(rules(kept, INTENTS, **HOME)) == bool(dropped & motions)


def test_a_file_is_read_while_its_world_is_open(tmp_path):
    world = WorldFile(tmp_path / "lab.sqlite")
    world.update(file_of(LIFE, **HOME))
    assert check(tmp_path / "lab.sqlite", INTENTS) == []
    found = check(tmp_path / "lab.sqlite", INTENTS[1:])
    assert [violation.acts for violation in found] == [(0,), (1,)] and "arm-1 did 'transfer'" in found[0].detail
    world.close()


def test_other_files_and_other_rows_are_refused(tmp_path):
    with sqlite3.connect(tmp_path / "other.sqlite") as db:
        db.execute("CREATE TABLE state (key TEXT PRIMARY KEY, value TEXT NOT NULL)")
        db.execute("INSERT INTO state VALUES ('world', ?)", (json.dumps({"name": "furnace"}),))
    db.close()
    with pytest.raises(ValueError, match="not the file of a powder laboratory"):
        check(tmp_path / "other.sqlite", [])
    with pytest.raises(ValueError, match="is no intent"):
        violations(written_of({}), [{"id": "t1"}])
