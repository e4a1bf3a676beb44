import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.states import FINAL_TRIAL_STATES, STEP, TRIAL, IllegalTransition, StepState, TrialState, advance


@pytest.mark.parametrize(("table", "names"), [(TRIAL, TrialState), (STEP, StepState)], ids=["trial", "step"])
def test_tables_speak_of_declared_states_only(table, names):
    spoken = {state for state, _ in table} | set(table.values())
    assert spoken <= {str(name) for name in names}


def test_every_trial_state_can_reach_an_end():
    reaching = set(FINAL_TRIAL_STATES)
    for _ in TRIAL:
        reaching |= {state for (state, _), after in TRIAL.items() if after in reaching}
    assert reaching == {str(state) for state in TrialState}


def test_final_trial_states_admit_no_work():
    assert all(event == "tell" for (state, event) in TRIAL if state in FINAL_TRIAL_STATES)


@given(st.lists(st.sampled_from(sorted({event for _, event in STEP}))))
def test_a_step_that_ended_stays_ended(events):
    state, ended = "intended", None
    for event in events:
        try:
            state = advance(STEP, state, event)
        except IllegalTransition:
            continue
        assert ended is None
        ended = state if state in ("done", "rejected", "failed") else None


def test_illegal_transition_says_what_is_admitted():
    with pytest.raises(IllegalTransition, match=r"'tell' in state 'running'; admitted here: fail, finish_plan, lose"):
        advance(TRIAL, "running", "tell")
