from dataclasses import replace

import pytest

from orchestrator.outcomes import PastStep, TrialLost
from orchestrator.plan import Act, Expect, Measure
from tests.orchestrator.oven import FRAME, READ


def test_a_measurement_is_a_file_with_its_facts(bench):
    one = bench()
    (done,), _ = one.run(FRAME)
    assert done.measurement.metadata["offset_mm"] == 0.5
    assert done.measurement.metadata["command_id"] == "000001.3"
    assert (one.directory.path / "measurements/000001/000001.3.npz").exists()


def test_a_result_outside_its_expectation_loses_the_trial_but_is_no_fault(bench):
    one = bench()
    odd = Act(
        path="4",
        label="read",
        device="oven",
        command="temperature",
        expect=Expect(name="value", low=900, high=1000, otherwise="the oven is cold"),
    )
    with pytest.raises(TrialLost, match=r"the oven is cold \(value = 850.0\)") as caught:
        one.run(odd)
    assert not caught.value.is_fault


@pytest.mark.parametrize(
    ("damage", "match"),
    [
        (lambda file: file.unlink(), "cannot be read"),
        (lambda file: file.write_bytes(b""), "was changed after it was taken"),
        (lambda file: file.write_bytes(file.read_bytes()[:-1] + b"\1"), "was changed after it was taken"),
    ],
    ids=["gone", "empty", "one byte"],
)
def test_a_measurement_that_a_power_cut_took_loses_its_trial(bench, damage, match):
    one = bench()
    (done,), _ = one.run(FRAME)
    file = one.directory.path / "measurements/000001/000001.3.npz"
    sha256 = one.events("measured")[0].body["sha256"]
    past = {"000001.3": PastStep(state="done", result={}, path="measurements/000001/000001.3.npz", sha256=sha256)}
    (recalled,), _ = one.run(FRAME, past=past)
    assert recalled.measurement.metadata == done.measurement.metadata
    damage(file)
    with pytest.raises(TrialLost, match=match) as caught:
        one.run(FRAME, past=past)
    assert not caught.value.is_fault


@pytest.mark.parametrize("number", [float("nan"), float("inf")], ids=str)
def test_an_answer_that_is_no_number_loses_the_trial_and_is_kept(bench, number):
    one = bench()

    async def temperature():
        return number

    one.oven.temperature = temperature
    reading = replace(READ, measure=Measure(kind="reading", role="oven.temperature"))
    with pytest.raises(TrialLost, match=r"oven\.temperature answered no finite number: value"):
        one.run(reading)
    assert (one.directory.path / "measurements/000001/000001.4.npz").exists()
    assert one.events("step_done")[0].body["result"] == {"value": None, "not_finite": ["value"]}
    past = PastStep(state="done", result={"value": None, "not_finite": ["value"]})
    with pytest.raises(TrialLost, match="no finite number"):
        one.run(READ, past={"000001.4": past})


@pytest.mark.parametrize("answer", [object(), {"x": b"bytes"}], ids=["object", "bytes"])
def test_an_answer_that_cannot_be_kept_loses_the_trial_and_closes_the_step(bench, answer):
    one = bench()

    async def temperature():
        return answer

    one.oven.temperature = temperature
    with pytest.raises(TrialLost, match="answered what cannot be kept"):
        one.run(READ)
    assert one.steps() == {"000001.4": "failed"}
