"""The operator's intent as a state machine, and the campaign's state derived from it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from orchestrator.people.intent import INTENT, Activity, CampaignState, Intent, activity, after, campaign_state
from orchestrator.states import IllegalTransition

WORDS = ("pause", "go-on", "stop", "abort", "ended")


class Operator(RuleBasedStateMachine):
    """Gives any words in any order, and holds the intent against what the last words must mean."""

    def __init__(self):
        super().__init__()
        self.intent, self.ends_meant = Intent.RUN, None

    @rule(word=st.sampled_from(WORDS))
    def say(self, word):
        before = self.intent
        try:
            self.intent = after(self.intent, word)
        except IllegalTransition:
            assert word != "ended", "a campaign can always end"
            assert word != "abort" or before is Intent.ABORT, "abort is always possible"
            return
        assert word != "abort" or self.intent is Intent.ABORT
        assert before is not Intent.ABORT or word == "ended", "nothing but the end leaves an abort"
        assert before is not Intent.STOP or word in ("abort", "ended")
        assert word != "go-on" or before is Intent.PAUSE

    @precondition(lambda self: self.intent in (Intent.STOP, Intent.ABORT))
    @rule()
    def resume(self):
        self.intent = after(self.intent, "ended")
        assert self.intent is Intent.RUN

    @invariant()
    def has_a_state_whatever_goes_on(self):
        for going_on in Activity:
            state = campaign_state(self.intent, status="running", is_alive=True, activity=going_on)
            assert (state is CampaignState.ABORTING) == (self.intent is Intent.ABORT)
            assert (state is CampaignState.STOPPING) == (self.intent is Intent.STOP)
            assert state not in (CampaignState.PAUSED, CampaignState.PAUSING) or self.intent is Intent.PAUSE


TestOperator = Operator.TestCase


def test_the_table_knows_only_known_words_and_intents():
    assert {state for state, _ in INTENT} | set(INTENT.values()) == {str(intent) for intent in Intent}
    assert {word for _, word in INTENT} == set(WORDS)


def test_a_pause_outlives_the_process():
    assert after(Intent.PAUSE, "ended") is Intent.PAUSE


@given(st.sampled_from(Intent), st.booleans(), st.sampled_from(Activity))
def test_an_ended_campaign_shows_how_it_ended_and_nothing_else(intent, is_alive, going_on):
    for status in ("finished", "stopped", "faulted"):
        assert campaign_state(intent, status=status, is_alive=is_alive, activity=going_on) == status


@pytest.mark.parametrize(
    ("intent", "going_on", "state"),
    [
        (Intent.RUN, Activity.BUSY, "running"),
        (Intent.RUN, Activity.WAITING, "waiting for a person"),
        (Intent.PAUSE, Activity.BUSY, "pausing"),
        (Intent.PAUSE, Activity.IDLE, "paused"),
        (Intent.PAUSE, Activity.WAITING, "paused"),
        (Intent.RUN, Activity.RECOVERING, "recovering"),
    ],
)
def test_a_live_campaign_shows_intent_and_activity(intent, going_on, state):
    assert campaign_state(intent, status="running", is_alive=True, activity=going_on) == state


def test_a_campaign_without_a_controller_is_interrupted_or_was_never_begun():
    assert campaign_state(Intent.PAUSE, status="running", is_alive=False) is CampaignState.INTERRUPTED
    assert campaign_state(Intent.RUN, status="created", is_alive=False) is CampaignState.CREATED


@pytest.mark.parametrize(
    ("steps", "trials", "waiting", "expected"),
    [(1, 3, 3, Activity.BUSY), (0, 3, 3, Activity.WAITING), (0, 3, 2, Activity.IDLE), (0, 0, 0, Activity.IDLE)],
)
def test_activity_follows_from_counts(steps, trials, waiting, expected):
    assert activity(steps_under_way=steps, open_trials=trials, trials_waiting_for_people=waiting) is expected
