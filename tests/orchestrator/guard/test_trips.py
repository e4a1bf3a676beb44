"""The guard under readings that come late, never or garbled, held against a plain model of what it must do."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from drivers.clock import VirtualClock, VirtualLoop
from drivers.errors import DeviceFault, Unreadable
from orchestrator.guard.core import Refused
from orchestrator.guard.trips import TRANSITIONS, Impossible, TripEvent, TripState, TripStatus, advance
from tests.orchestrator.guard.rig import SAFE, WATCHED, Bench, HandDevice, rules

TEMPERATURE = "box-1.read_temperature"
LIMIT_C, LONGER_S, STALE_S, EVERY_S = 1150.0, 3.0, 5.0, 1.0


@pytest.mark.parametrize("event", TripEvent)
@pytest.mark.parametrize("state", TripState)
def test_every_state_has_a_transition_or_refuses(state, event):
    if (state, event) in TRANSITIONS:
        assert advance(state, event) is TRANSITIONS[state, event]
    else:
        with pytest.raises(Impossible, match=f"that is {state} cannot be {event}"):
            advance(state, event)


def test_only_an_acknowledgement_leads_out_of_tripped():
    ways = {event for (state, event), after in TRANSITIONS.items() if state is TripState.TRIPPED is not after}
    assert ways == {TripEvent.ACKNOWLEDGED}


def test_a_trip_is_not_released_while_its_cause_is_unknown():
    status = TripStatus().judged(None, "stale", now_s=0.0, longer_s=0.0)
    assert status.state is TripState.TRIPPED
    with pytest.raises(Impossible, match="it is not over: stale"):
        status.acknowledged()
    assert status.judged(False, "cold", now_s=1.0, longer_s=0.0).acknowledged() == TripStatus(now="cold")


class Guarding(RuleBasedStateMachine):
    """One furnace, one trip; time goes on in steps of a second."""

    def __init__(self):
        super().__init__()
        self.loop = VirtualLoop()
        self.clock = VirtualClock(self.loop)
        self.box = HandDevice(answers={"read_temperature": 900.0})
        bound = rules(
            readings={TEMPERATURE: WATCHED},
            devices={"box-1": SAFE},
            trips={
                "hot": {"when": f"{TEMPERATURE} > {LIMIT_C} degC", "longer_than": f"{LONGER_S} s", "stop": ["box-1"]}
            },
        )
        self.bench = Bench(self.clock, bound, {"box-1": self.box})
        self.running = self.bench.guard.running()
        self.loop.run_until_complete(self.running.__aenter__())
        self.bad_s = self.good_s = 0.0
        """How long the truth has been bad, or good, without a break, as far as readings could tell."""
        self.must_be_latched = False
        self.passes(2)

    def teardown(self):
        self.loop.run_until_complete(self.running.__aexit__(None, None, None))
        self.loop.close()

    @property
    def state(self):
        return TripState(self.bench.guard.status()["trips"]["hot"]["state"])

    @property
    def is_good(self):
        answer = self.box.answers["read_temperature"]
        return isinstance(answer, float) and answer <= LIMIT_C

    @rule(seconds=st.integers(1, 12))
    def passes(self, seconds):
        self.loop.run_until_complete(self.clock.sleep(float(seconds)))
        if self.is_good:
            self.good_s, self.bad_s = self.good_s + seconds, 0.0
        else:
            self.good_s, self.bad_s = 0.0, self.bad_s + seconds
        # a reading of its stale age, one period and the deadline of a read, the time it must be so, a tick
        if self.bad_s > STALE_S + LONGER_S + 2 * EVERY_S:
            self.must_be_latched = True

    @rule(value=st.sampled_from([20.0, 1149.0, 1150.0]))
    def is_cool(self, value):
        self.answers(value)

    @rule(value=st.sampled_from([1151.0, 1400.0, float("nan")]))
    def is_hot(self, value):
        self.answers(value)

    @rule(
        value=st.sampled_from(
            [Unreadable("noise"), DeviceFault("broken"), "garbage", None, ValueError("a defect"), True]
        )
    )
    def is_garbled(self, value):
        self.answers(value)

    def answers(self, value):
        was_good = self.is_good
        self.box.answers["read_temperature"] = value
        if was_good != self.is_good:
            self.good_s = self.bad_s = 0.0

    @rule()
    def acknowledges(self):
        before = self.state
        try:
            self.bench.guard.acknowledge("hot", who="Ada", reason="looked")
        except Refused:
            # a latched trip whose reading has been good for a while can be released
            assert before is not TripState.TRIPPED or self.good_s < 2 * EVERY_S
            return
        assert before is TripState.TRIPPED
        assert self.state is TripState.CLEAR
        self.must_be_latched = False
        self.bad_s = min(self.bad_s, 0.0)

    @precondition(lambda self: self.must_be_latched)
    @invariant()
    def what_was_bad_for_long_enough_is_latched_and_stopped(self):
        assert self.state is TripState.TRIPPED
        assert self.box.stopped_at

    @invariant()
    def nothing_acts_on_what_is_not_clear(self):
        answer = self.loop.run_until_complete(self.bench.guard.check("box-1", "set_temperature", {}))
        assert answer.is_allowed == (self.state is TripState.CLEAR)
        if self.good_s == 0.0 and self.bad_s > STALE_S + EVERY_S:
            assert not answer.is_allowed

    @invariant()
    def every_trip_was_told_with_its_stop(self):
        kinds = self.bench.kinds()
        assert kinds.count("tripped") == kinds.count("stopping") == len(self.box.stopped_at)
        assert kinds.count("tripped") - kinds.count("acknowledged") == (self.state is TripState.TRIPPED)


TestGuarding = Guarding.TestCase
TestGuarding.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
