from orchestrator.records import TrialRecord, observations_of


def trial(outcome="measured"):
    return TrialRecord(number=1, parameters={"t": 900.0}, ask=0, is_control=False, proposal_id="0-0", outcome=outcome)


def test_what_else_an_analysis_found_is_told_as_context():
    finding = {
        "parameters": {"t": 900.0},
        "values": {"yield": 0.6, "phase:rutile": 0.4, "probability:rutile": 0.9, "rwp": 7.0},
        "sd": {"yield": 0.02},
    }
    (told,) = observations_of(trial(), [finding], {"yield"})
    assert told.values == {"yield": 0.6}
    assert told.noise == {"yield": 0.02}
    assert told.context == {"phase:rutile": 0.4, "probability:rutile": 0.9, "rwp": 7.0}


def test_a_failed_trial_is_told_with_its_reason_alone():
    (told,) = observations_of(trial("failed"), [], {"yield"})
    assert told.failure == ""
    assert told.context == {}
