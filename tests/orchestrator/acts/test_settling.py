import asyncio

import pytest

from drivers.errors import Ambiguous, NotConnected, NotSent, Unreadable
from orchestrator.outcomes import PastStep, TrialLost
from tests.orchestrator.oven import DISPENSE, FRAME, SET, SHOOT, STOP


def test_an_ambiguous_command_that_landed_is_not_sent_again(bench):
    one = bench(("landed", Ambiguous("timed out")))
    one.run(SET)
    assert one.oven.done == [("set", 900.0)]
    assert one.events("step_done")[0].body["settled_by"] == "read back"


def test_an_ambiguous_command_that_did_not_land_is_sent_again(bench):
    one = bench(Ambiguous("timed out"))
    one.run(SET)
    assert one.oven.done == [("set", 900.0)]
    assert one.kinds().count("step_intended") == 2


def test_a_device_that_never_answers_the_read_back_costs_the_trial(bench):
    one = bench(Ambiguous("timed out"))
    one.oven.verdicts = [Unreadable("noise")] * 9
    with pytest.raises(TrialLost, match="stays unknown"):
        one.run(SET)
    assert one.oven.done == []


def test_an_ambiguous_operator_command_is_never_repeated(bench):
    one = bench(("landed", Ambiguous("timed out")))
    with pytest.raises(TrialLost, match="cannot be read back; ask a person"):
        one.run(DISPENSE)
    assert one.oven.done == [("dispense",)]
    assert [event.body["kind"] for event in one.events("incident")] == ["intervention"]


def test_an_idempotent_command_is_sent_again(bench):
    one = bench(("landed", Ambiguous("timed out")))
    one.run(STOP)
    assert one.oven.done == [("stop",), ("stop",)]


@pytest.mark.parametrize("landed", [True, False])
def test_an_open_verifiable_intent_is_read_back(bench, landed):
    one = bench()
    one.run(SET)
    one.oven.done = [("set", 900.0)] if landed else []
    one.oven.holds = 900.0 if landed else None
    with one.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE step SET state = 'intended'")
    one.run(SET, past={"000001.0": PastStep(state="intended", result={})})
    assert one.oven.done == [("set", 900.0)]
    assert [event.body["kind"] for event in one.events("incident")] == ["recovery"]


def test_a_file_that_was_complete_before_the_kill_is_adopted_and_its_time_kept(bench):
    one = bench()
    one.run(FRAME, start_s=100.0)
    with one.engine.begin() as connection:  # the kill came between the file and the journal
        connection.exec_driver_sql("DELETE FROM measurement")
        connection.exec_driver_sql("DELETE FROM journal WHERE kind <> 'step_intended'")
        connection.exec_driver_sql("UPDATE step SET state = 'intended'")
    one.oven.done.clear()
    (done,), now_s = one.run(FRAME, past={"000001.3": PastStep(state="intended", result={})}, start_s=99.0)
    assert one.oven.done == []
    assert now_s == 100.0
    assert done.measurement.metadata["tag"] == "000001.3"
    assert one.events("step_done")[-1].body["settled_by"] == "file"


def test_a_half_written_file_is_measured_again(bench):
    one = bench()
    path = one.directory.path / "measurements/000001/000001.3.npz"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"PK\x03\x04 half")
    one.run(FRAME)
    assert one.oven.done == [("frame", "000001.3")]


GARBLED = [Unreadable("status garbled"), NotSent("out of step"), NotConnected("lost while polling")]


@pytest.mark.parametrize("counts", [True, False], ids=["counted", "not counted"])
@pytest.mark.parametrize("error", GARBLED, ids=str)
def test_an_operator_act_that_may_have_left_is_never_done_twice(bench, error, counts):
    one = bench(("landed", error))
    one.oven._link = one.oven._link if counts else None
    with pytest.raises(TrialLost, match="ask a person"):
        one.run(DISPENSE)
    assert one.oven.done == [("dispense",)]
    assert one.steps() == {"000001.2": "failed"}


@pytest.mark.parametrize("error", GARBLED, ids=str)
def test_an_operator_act_of_which_nothing_left_is_done_once(bench, error):
    one = bench(error)
    one.run(DISPENSE)
    assert one.oven.done == [("dispense",)]
    assert one.kinds().count("step_in_doubt") == 0


@pytest.mark.parametrize("error", GARBLED, ids=str)
@pytest.mark.parametrize(("script", "times"), [("landed", 1), ("sent", 2)])
def test_a_verifiable_act_that_may_have_left_is_read_back_before_it_is_repeated(bench, error, script, times):
    one = bench((script, error))
    one.run(SET)
    assert one.oven.done == [("set", 900.0)]
    assert one.kinds().count("step_in_doubt") == 1
    assert one.kinds().count("step_intended") == times


def test_a_read_back_that_hangs_costs_the_trial_and_closes_the_step(bench):
    one = bench(Ambiguous("timed out"))

    async def hang(**_):
        await asyncio.sleep(1e7)

    one.oven.is_set = hang
    with pytest.raises(TrialLost, match=r"outcome of oven\.set stays unknown: .*no outcome within 605 s"):
        one.run(SET)
    assert one.ended_s < 3600.0
    assert one.steps() == {"000001.0": "failed"}


def test_a_read_back_that_breaks_costs_the_trial_and_closes_the_step(bench):
    one = bench(Ambiguous("timed out"))
    one.oven.verdicts = [ZeroDivisionError("a defect")] * 9
    with pytest.raises(TrialLost, match="the driver failed with ZeroDivisionError"):
        one.run(SET)
    assert one.steps() == {"000001.0": "failed"}


def test_what_landed_but_whose_answer_was_lost_does_not_pass_for_measured(bench):
    one = bench(("landed", Ambiguous("timed out")))
    with pytest.raises(TrialLost, match="shoot was carried out, but its answer was lost") as caught:
        one.run(SHOOT)
    assert not caught.value.is_fault
    assert one.oven.done == [("shoot", "000001.6")]
    assert one.steps() == {"000001.6": "done"}


def test_a_verifiable_act_that_left_its_file_is_settled_from_it(bench):
    one = bench()
    one.run(SHOOT)
    with one.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM measurement")
        connection.exec_driver_sql("DELETE FROM journal WHERE kind <> 'step_intended'")
        connection.exec_driver_sql("UPDATE step SET state = 'intended'")
    (done,), _ = one.run(SHOOT, past={"000001.6": PastStep(state="intended", result={})})
    assert done.measurement.arrays["counts"].tolist() == [0.0, 1.0]
    assert one.oven.done == [("shoot", "000001.6")]
