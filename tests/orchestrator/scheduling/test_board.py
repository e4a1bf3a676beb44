import random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from orchestrator.scheduling.board import AGE_S, Board, Claim, Option


def option(*resources, name="", is_retreat=False):
    return Option(name=name, resources=frozenset(resources), is_retreat=is_retreat)


def claim(owner, *options, asked_s=0.0, frees=(), **more):
    return Claim(owner=owner, options=options, asked_s=asked_s, frees=frozenset(frees), **more)


def served(board, now_s=0.0):
    return [(grant.claim.owner, grant.option.name) for grant in board.grants(now_s)]


@pytest.fixture
def board():
    return Board({"arm": 1, "mill": 1, "furnace": 2, "home": 1})


def test_a_claim_is_granted_whole_or_not_at_all(board):
    board.hold("other", ["mill"])
    board.ask(claim("a", option("arm", "mill")))
    assert served(board) == []
    assert board.held("a") == frozenset()
    board.release("other")
    assert served(board) == [("a", "")]
    assert board.held("a") == {"arm", "mill"}


def test_a_resource_with_capacity_serves_as_many(board):
    for owner in "abc":
        board.ask(claim(owner, option("furnace")))
    assert [owner for owner, _ in served(board)] == ["a", "b"]


def test_the_first_option_that_can_be_had_is_taken(board):
    board.hold("other", ["mill"])
    board.ask(claim("a", option("mill", name="mill"), option("arm", name="arm")))
    assert served(board) == [("a", "arm")]


def test_what_an_owner_holds_already_it_need_not_wait_for(board):
    board.hold("a", ["home"])
    board.ask(claim("a", option("home", "arm")))
    assert served(board) == [("a", "")]


def test_an_owner_cannot_wait_twice(board):
    board.ask(claim("a", option("arm")))
    with pytest.raises(ValueError, match="not nested"):
        board.ask(claim("a", option("mill")))


def test_an_unknown_place_is_refused(board):
    with pytest.raises(KeyError, match="no such device or place: kitchen"):
        board.ask(claim("a", option("kitchen")))


def test_what_is_not_held_cannot_be_released_or_held_twice(board):
    board.hold("a", ["arm"])
    with pytest.raises(ValueError, match="b does not hold arm"):
        board.release("b", ["arm"])
    with pytest.raises(ValueError, match="arm is held by a, not by b"):
        board.hold("b", ["arm"])


def test_a_window_that_ends_goes_before_longer_work_and_that_before_age(board):
    board.hold("other", ["arm"])
    board.ask(claim("old", option("arm"), asked_s=0.0))
    board.ask(claim("long", option("arm"), asked_s=1.0, work_s=100.0))
    board.ask(claim("due", option("arm"), asked_s=2.0, due_s=50.0))
    board.release("other")
    order = []
    for _ in range(3):
        order += served(board, now_s=3.0)
        board.release(order[-1][0])
    assert [owner for owner, _ in order] == ["due", "long", "old"]


def test_a_wide_claim_is_passed_by_narrow_ones_until_it_is_old():
    board = Board({"a": 1, "b": 1})
    board.hold("first", ["a"])
    board.ask(claim("wide", option("a", "b"), asked_s=0.0))
    board.ask(claim("narrow", option("b"), asked_s=1.0))
    assert served(board, now_s=2.0) == [("narrow", "")]
    board.release("narrow")
    board.ask(claim("narrow", option("b"), asked_s=AGE_S))
    assert served(board, now_s=AGE_S) == []
    board.release("first")
    assert served(board, now_s=AGE_S) == [("wide", "")]


def test_a_retreat_is_served_only_when_somebody_waits_for_what_it_frees():
    board = Board({"arm": 1, "mill": 1, "scale": 1, "home-1": 1, "home-2": 1})
    board.hold("a", ["mill", "home-1"])
    board.hold("b", ["scale", "home-2"])
    goes_home = option("arm", "home-1", name="home", is_retreat=True)
    board.ask(claim("a", option("arm", "scale", name="scale"), goes_home, frees=["mill"]))
    assert served(board) == []
    board.ask(claim("b", option("arm", "mill", name="mill")))
    assert served(board) == [("a", "home")]


def test_who_frees_what_an_old_claim_waits_for_may_take_what_it_has_reserved():
    board = Board({"arm": 1, "scale": 1, "home-1": 1})
    board.hold("a", ["scale", "home-1"])
    board.ask(claim("b", option("arm", "scale"), asked_s=0.0))
    board.ask(claim("a", option("arm", "home-1", name="home"), asked_s=1.0, frees=["scale"]))
    assert served(board, now_s=2 * AGE_S) == [("a", "home")]


def test_who_a_furnace_waits_for_may_take_what_old_claims_have_reserved():
    board = Board({"arm": 1, "mill": 1})
    board.hold("x", ["mill"])
    board.ask(claim("old", option("arm", "mill"), asked_s=0.0))
    board.ask(claim("member", option("arm"), asked_s=2 * AGE_S))
    assert served(board, now_s=2 * AGE_S) == []
    board.withdraw("member")
    board.ask(claim("member", option("arm"), asked_s=2 * AGE_S, is_first=True))
    assert served(board, now_s=2 * AGE_S) == [("member", "")]


def test_a_closed_resource_is_given_to_nobody_until_it_is_opened(board):
    board.close("furnace")
    board.ask(claim("a", option("furnace", name="furnace"), option("mill", name="mill")))
    board.ask(claim("b", option("furnace", name="furnace")))
    assert served(board) == [("a", "mill")]
    board.reopen("furnace")
    assert served(board) == [("b", "furnace")]


def test_an_aged_claim_does_not_reserve_what_is_closed():
    board = Board({"one": 1, "two": 1})
    board.close("one")
    board.hold("x", ["two"])
    board.ask(claim("old", option("one"), option("two"), asked_s=0.0))
    board.reopen("one")
    board.close("one")
    board.ask(claim("new", option("two"), asked_s=1.0))
    board.release("x")
    assert served(board, now_s=2 * AGE_S) == [("old", "")]


HOMES = ("home-1", "home-2", "home-3", "home-4")
STATIONS = {"scale": ("scale",), "mill": ("mill",), "xrd": ("xrd-1", "xrd-2")}
SLOTS = {"box-1": ("box-1-1", "box-1-2"), "box-2": ("box-2-1", "box-2-2")}
NEAR = {"scale", "mill", *HOMES}
ROBOTS = {"near": "arm-1", "far": "arm-2"}


def way(source, destination):
    """Two arms that meet at a bridge: what a move claims together; nothing where the sample is there already."""
    if source == destination:
        return {destination}
    sides = {("near" if place in NEAR else "far") for place in (source, destination)}
    arms = {ROBOTS[side] for side in sides}
    return {*arms, destination, *({"bridge"} if len(arms) == 2 else ())}


class FullRacks(RuleBasedStateMachine):
    """Samples that want each other's places, in any order and at any pace; in the end all are served."""

    @initialize()
    def start(self):
        names = [*HOMES, "bridge", *ROBOTS.values(), *SLOTS, *STATIONS]
        names += [place for places in (*STATIONS.values(), *SLOTS.values()) for place in places]
        self.board = Board(dict.fromkeys([*names, "xrd-device"], 1))
        self.now_s = 0.0
        self.samples = {}
        self.batches = {}
        self.count = 0

    # a sample is idle, waiting, moving (to a place), or working (with devices)

    @rule(plan=st.lists(st.sampled_from([*STATIONS, "fire"]), min_size=1, max_size=6))
    def admit(self, plan):
        home = next((home for home in HOMES if not self.board.holders(home)), None)
        if home is not None:
            self.count += 1
            name = f"s{self.count}"
            self.board.hold(name, [home])
            self.samples[name] = {"home": home, "at": home, "plan": list(plan), "state": "idle", "batch": None}

    def pick(self, data, state):
        names = sorted(name for name, sample in self.samples.items() if sample["state"] == state)
        return data.draw(st.sampled_from(names)) if names else None

    @rule(data=st.data(), wait_s=st.floats(0.0, 2000.0))
    def ask(self, data, wait_s):
        self.now_s += wait_s
        name = self.pick(data, "idle")
        if name is not None:
            self.go_on(name)

    @rule(data=st.data())
    def arrive(self, data):
        name = self.pick(data, "moving")
        if name is not None:
            self.arrived(name)

    @rule(data=st.data())
    def be_stuck(self, data):
        """A robot does not get hold of the sample: it serves others until a person has come, and is claimed again."""
        name = self.pick(data, "moving")
        if name is not None and self.samples[name]["to"] != "chute":
            sample = self.samples[name]
            movers = self.board.held(name) & {"arm-1", "arm-2", "bridge"} - {sample["at"], sample["to"]}
            self.board.release(name, sorted(movers))
            self.wait(name, [option(*movers, name=sample["to"])])

    @rule(data=st.data())
    def finish(self, data):
        name = self.pick(data, "working")
        if name is not None:
            self.finished(name)

    @rule(data=st.data())
    @precondition(lambda self: any(batch["state"] == "firing" for batch in self.batches.values()))
    def cool(self, data):
        name = data.draw(st.sampled_from(sorted(n for n, batch in self.batches.items() if batch["state"] == "firing")))
        self.cooled(name)

    @invariant()
    def places_hold_one_sample_each(self):
        places = [sample["at"] for sample in getattr(self, "samples", {}).values() if sample["state"] != "moving"]
        assert len(places) == len(set(places))

    @invariant()
    def a_sample_holds_the_place_it_stands_at(self):
        for name, sample in getattr(self, "samples", {}).items():
            if sample["state"] in ("idle", "waiting", "working"):
                assert sample["at"] in self.board.held(name)
            assert sample["home"] in self.board.held(name)

    def teardown(self):
        """Let everybody go on: whatever happened before, all plans end."""
        rng = random.Random(self.count)
        for _ in range(20 * sum(len(sample["plan"]) + 2 for sample in self.samples.values()) + 50):
            if not self.samples:
                return
            self.now_s += rng.choice([1.0, 1000.0])
            self.step(rng)
        states = {name: (sample["state"], sample["at"], sample["plan"]) for name, sample in self.samples.items()}
        raise AssertionError(f"stuck: {states}, waiting: {list(self.board.waiting)}")

    def step(self, rng):
        movable = sorted(name for name, one in self.samples.items() if one["state"] in ("moving", "working", "idle"))
        firing = sorted(name for name, batch in self.batches.items() if batch["state"] == "firing")
        choices = [*movable, *firing]
        gathering = sorted(name for name, one in self.samples.items() if one["state"] == "gathering")
        if not choices and gathering:  # nobody else comes: the batch waits no longer
            return self.form(gathering[:2])
        if not choices:
            states = {name: (sample["state"], sample["at"], sample["plan"]) for name, sample in self.samples.items()}
            raise AssertionError(f"deadlock: {states}, waiting: {list(self.board.waiting)}")
        name = rng.choice(choices)
        if name in self.batches:
            return self.cooled(name)
        return {"moving": self.arrived, "working": self.finished, "idle": self.go_on}[self.samples[name]["state"]](name)

    def go_on(self, name):
        sample = self.samples[name]
        if not sample["plan"]:
            return self.leave(name)
        if sample["plan"][0] == "fire":
            return self.wait_for_fire(name)
        places = STATIONS[sample["plan"][0]]
        options = [
            option(*way(sample["at"], place), *(["xrd-device"] if place.startswith("xrd") else []), name=place)
            for place in places
        ]
        self.wait(name, [*options, *self.home_option(sample, is_retreat=True)])

    def home_option(self, sample, *, is_retreat):
        if sample["at"] == sample["home"]:
            return []
        resources = way(sample["at"], sample["home"])
        return [option(*resources, name=sample["home"], is_retreat=is_retreat)]

    def wait_for_fire(self, name):
        sample = self.samples[name]
        if sample["at"] != sample["home"]:
            return self.wait(name, self.home_option(sample, is_retreat=False))
        sample["state"] = "gathering"
        gathering = [n for n, one in self.samples.items() if one["state"] == "gathering"]
        others = [n for n, one in self.samples.items() if one["state"] not in ("gathering", "in furnace", "cooled")]
        if len(gathering) == 2 or not others:
            self.form(gathering[:2])
        return None

    def form(self, members):
        batch = f"b{self.count}.{len(self.batches)}"
        for member in members:
            self.samples[member].update(state="queued", batch=batch)
        self.batches[batch] = {"members": members, "state": "waiting", "inside": 0}
        options = [option(furnace, *slots, name=furnace) for furnace, slots in SLOTS.items()]
        self.board.ask(Claim(owner=batch, options=tuple(options), asked_s=self.now_s))
        self.serve()

    def load(self, batch):
        furnace = self.batches[batch]["furnace"]
        for member, slot in zip(self.batches[batch]["members"], SLOTS[furnace], strict=False):
            resources = way(self.samples[member]["at"], slot) - {slot}
            self.samples[member]["slot"] = slot
            self.wait(member, [option(*resources, name=slot)], is_first=True)

    def wait(self, name, options, *, is_first=False):
        sample = self.samples[name]
        sample["state"] = "waiting"
        frees = self.board.held(name) - {sample["home"]}
        self.board.ask(Claim(owner=name, options=tuple(options), asked_s=self.now_s, frees=frees, is_first=is_first))
        self.serve()

    def serve(self):
        for grant in self.board.grants(self.now_s):
            owner = grant.claim.owner
            if owner in self.batches:
                self.batches[owner].update(state="loading", furnace=grant.option.name)
                self.load(owner)
            else:
                self.samples[owner].update(state="moving", to=grant.option.name)

    def arrived(self, name):
        sample = self.samples[name]
        source, sample["at"] = sample["at"], sample["to"]
        if sample["at"] == "chute":
            self.board.release(name)
            del self.samples[name]
            return self.serve()
        if sample.get("slot") == sample["at"] and sample["at"] not in self.board.held(name):
            self.board.pass_on(sample["batch"], name, [sample["at"]])
        gone = {"arm-1", "arm-2", "bridge", source} - {sample["home"], sample["at"]}
        self.board.release(name, sorted(self.board.held(name) & gone))
        if sample.get("slot") == sample["at"]:
            return self.inside(name)
        sample["state"] = "idle" if sample["at"] == sample["home"] else "working"
        return self.serve()

    def inside(self, name):
        sample = self.samples[name]
        sample["state"] = "in furnace"
        batch = self.batches[sample["batch"]]
        batch["inside"] += 1
        if batch["inside"] == len(batch["members"]):
            batch["state"] = "firing"
        self.serve()

    def cooled(self, batch):
        self.batches[batch]["state"] = "unloading"
        for member in list(self.batches[batch]["members"]):
            sample = self.samples[member]
            sample["plan"].pop(0)
            sample["slot"] = None
            options = []
            if sample["plan"] and sample["plan"][0] != "fire":
                options = [option(*way(sample["at"], place), name=place) for place in STATIONS[sample["plan"][0]]]
            self.wait(member, [*options, *self.home_option(sample, is_retreat=False)], is_first=True)
        self.board.release(batch)  # the slots went to the members, and come free as they leave
        del self.batches[batch]
        self.serve()

    def finished(self, name):
        sample = self.samples[name]
        if sample["plan"] and sample["at"] in STATIONS.get(sample["plan"][0], ()):
            sample["plan"].pop(0)
        self.board.release(name, sorted(self.board.held(name) & {"xrd-device"}))
        sample["state"] = "idle"
        self.serve()

    def leave(self, name):
        sample = self.samples[name]
        if sample["at"] != sample["home"]:
            return self.wait(name, self.home_option(sample, is_retreat=False))
        return self.wait(name, [option("arm-1", name="chute")])


TestFullRacks = FullRacks.TestCase
TestFullRacks.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
