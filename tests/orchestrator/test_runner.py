import asyncio
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
import pytest

from drivers.capabilities import Identity
from drivers.clock import VirtualClock, VirtualLoop, run_virtual
from drivers.command import Effect, Quantity, command
from drivers.errors import Ambiguous, DeviceFault, NotConnected, NotSent, Rejected, Unreadable
from orchestrator.directory import CampaignDirectory
from orchestrator.evidence import Evidence
from orchestrator.journal import Journal, read_events
from orchestrator.laboratory import Laboratory, station
from orchestrator.plan import Act, Expect, Measure, Wait
from orchestrator.runner import PastStep, Runner, StopRequested, StopSwitch, TrialFailed, TrialLost


@dataclass(frozen=True)
class Frame:
    counts: np.ndarray
    tag: str


@dataclass
class Counter:
    """What a link says of the acting requests that it has put on the wire."""

    n_acts_sent: int = 0


class Oven:
    """A driver whose answers are scripted; it remembers what was done to it."""

    name = "oven"

    def __init__(self, *script):
        self._link = Counter()
        self.script = list(script)
        self.done = []
        self.verdicts = []
        self.holds = None
        self.port = "S1"
        self.connects = 0

    async def connect(self):
        self.connects += 1
        if self.port is None:
            raise NotConnected("still gone")
        return Identity(maker="m", model="o", serial=self.port, firmware="1")

    def _next(self, name):
        outcome = self.script.pop(0) if self.script else None
        if outcome is None or (isinstance(outcome, tuple) and outcome[0] == "landed"):
            self.done.append(name)
        if self._link is not None and (outcome is None or isinstance(outcome, tuple)):
            self._link.n_acts_sent += 1
        if isinstance(outcome, tuple):
            raise outcome[1]
        if isinstance(outcome, Exception):
            raise outcome

    @command(Effect.VERIFIABLE, verify="is_set")
    async def set(self, *, target_c: Annotated[float, Quantity("Cel", 0, 1200)]) -> None:
        try:
            self._next(("set", target_c))
        finally:
            self.holds = next((item[1] for item in reversed(self.done) if item[0] == "set"), None)

    async def is_set(self, *, target_c: float) -> bool:
        if self.verdicts:
            verdict = self.verdicts.pop(0)
            if isinstance(verdict, Exception):
                raise verdict
            return verdict
        return self.holds == target_c

    @command(Effect.IDEMPOTENT)
    async def stop(self) -> None:
        self._next(("stop",))

    @command(Effect.OPERATOR)
    async def dispense(self) -> None:
        self._next(("dispense",))

    @command(Effect.OPERATOR)
    async def mill(self) -> None:
        await asyncio.sleep(10.0)
        self._next(("mill",))

    @command(Effect.VERIFIABLE, verify="has_shot")
    async def shoot(self, *, tag: str) -> Frame:
        self._next(("shoot", tag))
        return Frame(counts=np.arange(2.0), tag=tag)

    async def has_shot(self, *, tag: str) -> bool:
        return ("shoot", tag) in self.done

    @command(Effect.READ)
    async def frame(self, *, tag: str) -> Frame:
        self._next(("frame", tag))
        return Frame(counts=np.arange(3.0), tag=tag)

    @command(Effect.READ)
    async def temperature(self) -> float:
        self._next(("temperature",))
        return 850.0

    @command(Effect.READ, timeout_s=1.0)
    async def hang(self) -> float:
        await asyncio.sleep(1e6)
        return 0.0

    @command(Effect.READ, timeout_s=1e5)
    async def collect(self) -> float:
        await asyncio.sleep(5e4)
        return 1.0

    async def raw(self) -> float:
        """No command: what the decorator would catch comes out as it is."""
        raise KeyError("a defect of the driver")


SET = Act(path="0", label="set", device="oven", command="set", arguments={"target_c": 900.0})
STOP = Act(path="1", label="stop", device="oven", command="stop")
DISPENSE = Act(path="2", label="dispense", device="oven", command="dispense")
FRAME = Act(
    path="3",
    label="frame",
    device="oven",
    command="frame",
    is_tagged=True,
    measure=Measure(kind="spectrum", role="film", facts={"offset_mm": 0.5}),
)
READ = Act(path="4", label="read", device="oven", command="temperature")
MILL = Act(path="5", label="mill", device="oven", command="mill")
SHOOT = Act(
    path="6",
    label="shoot",
    device="oven",
    command="shoot",
    is_tagged=True,
    measure=Measure(kind="spectrum", role="film"),
)
COLLECT = Act(path="8", label="collect", device="oven", command="collect")


class Bench:
    """A runner over a real journal, in virtual time."""

    def __init__(self, tmp_path, oven):
        self.oven = oven
        self.port_later = oven.port
        self.directory = CampaignDirectory.create(tmp_path / "c", {})
        self.engine = self.directory.database(fsync=False, migrate=True)

    def run(self, *acts, past=None, waits=None, start_s=0.0, stop=False, stop_at_s=None):
        loop = VirtualLoop(start_s)
        clock = VirtualClock(loop)

        async def main():
            self.switch = StopSwitch(stop)
            if stop_at_s is not None:
                loop.call_at(stop_at_s, self.switch.set)
            journal = Journal(self.engine, clock, epoch=1)
            laboratory = Laboratory({"oven": station("oven", self.oven, url="sim:x/oven", capacity=1)}, clock)
            await laboratory.connect()
            self.oven.port = self.port_later
            runner = Runner(
                journal=journal,
                laboratory=laboratory,
                evidence=Evidence(self.directory.path, clock, fsync=False),
                stop=self.switch,
                past=dict(past or {}),
                waits=dict(waits or {}),
            )
            try:
                done = []
                for act in acts:
                    is_wait = isinstance(act, Wait)
                    done.append(await (runner.wait(1, act) if is_wait else runner.act(1, act)))
                return done, clock.now_s()
            finally:
                self.ended_s = clock.now_s()
                journal.close()

        return run_virtual(main(), loop=loop)

    def steps(self):
        with self.engine.connect() as connection:
            return dict(connection.exec_driver_sql("SELECT command_id, state FROM step").fetchall())

    def kinds(self):
        with self.engine.connect() as connection:
            return [event.kind for event in read_events(connection)]

    def events(self, kind):
        with self.engine.connect() as connection:
            return [event for event in read_events(connection) if event.kind == kind]


@pytest.fixture
def bench(tmp_path):
    made = []

    def make(*script):
        made.append(Bench(tmp_path, Oven(*script)))
        return made[-1]

    yield make
    for item in made:
        item.engine.dispose()


def test_intent_stands_before_outcome(bench):
    one = bench()
    one.run(SET)
    assert one.kinds() == ["step_intended", "step_done"]
    assert one.oven.done == [("set", 900.0)]


def test_the_intent_is_durable_before_the_device_hears_of_it(bench):
    one = bench()
    seen = []
    original = one.oven._next

    def look(name):
        seen.append(one.kinds())
        original(name)

    one.oven._next = look
    one.run(SET)
    assert seen == [["step_intended"]]


@pytest.mark.parametrize("error", [NotSent("lost"), NotConnected("gone")], ids=["not sent", "not connected"])
def test_what_was_not_sent_is_sent_again(bench, error):
    one = bench(error, error)
    _, now_s = one.run(SET)
    assert one.oven.done == [("set", 900.0)]
    assert now_s == pytest.approx(6.0)
    assert len(one.events("incident")) == 2


def test_a_lost_port_is_opened_again(bench):
    one = bench(NotConnected("gone"))
    one.run(SET)
    assert one.oven.connects == 2


def test_what_a_device_forgot_while_its_port_was_lost_is_set_again(bench):
    one = bench(None, NotConnected("gone"))
    one.oven.verdicts = [False]
    one.run(SET, READ)
    assert one.oven.done == [("set", 900.0), ("set", 900.0), ("temperature",)]


def test_what_a_device_kept_while_its_port_was_lost_is_not_set_again(bench):
    one = bench(None, NotConnected("gone"))
    one.run(SET, READ)
    assert one.oven.done == [("set", 900.0), ("temperature",)]


def test_another_device_at_the_port_is_not_taken_for_the_first(bench):
    one = bench(NotConnected("gone"))
    one.port_later = "S2"
    with pytest.raises(TrialLost, match="serial number S2 answers where S1 was"):
        one.run(SET)
    assert one.oven.done == []


def test_patience_ends(bench):
    one = bench(*[NotConnected("gone")] * 4)
    with pytest.raises(TrialLost, match="gave up after 4 attempts: .*gone"):
        one.run(SET)
    assert one.kinds()[-1] == "step_failed"


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


def test_a_read_back_that_fails_is_tried_again_before_anything_is_sent(bench):
    one = bench(("landed", Ambiguous("timed out")))
    one.oven.verdicts = [Unreadable("noise"), True]
    one.run(SET)
    assert one.oven.done == [("set", 900.0)]


def test_a_read_back_over_a_lost_port_opens_it_again(bench):
    one = bench(("landed", Ambiguous("timed out")))
    one.oven.verdicts = [NotConnected("gone"), True]
    one.run(SET)
    assert one.oven.connects == 2
    assert one.oven.done == [("set", 900.0)]


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


@pytest.mark.parametrize(
    ("error", "kind"), [(Rejected("no"), "step_rejected"), (DeviceFault("burnt out"), "step_failed")], ids=str
)
def test_a_refusal_or_fault_costs_the_trial_and_is_not_repeated(bench, error, kind):
    one = bench(error)
    with pytest.raises(TrialLost):
        one.run(SET)
    assert one.kinds()[-1] == kind
    assert one.kinds().count("step_intended") == 1


def test_what_the_limits_refuse_never_reaches_journal_or_wire(bench):
    one = bench()
    hot = Act(path="0", label="set", device="oven", command="set", arguments={"target_c": 1300.0})
    with pytest.raises(TrialFailed, match=r"target_c = 1300.0 is outside \[0, 1200\] Cel; nothing was sent"):
        one.run(hot)
    assert one.kinds() == []
    assert one.oven.done == []


def test_a_driver_that_hangs_is_bounded(bench):
    one = bench()
    hang = Act(path="0", label="hang", device="oven", command="hang")
    with pytest.raises(TrialLost, match="no outcome within 601 s"):
        one.run(hang)


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


def test_a_measurement_is_a_file_with_its_facts(bench):
    one = bench()
    (done,), _ = one.run(FRAME)
    assert done.measurement.metadata["offset_mm"] == 0.5
    assert done.measurement.metadata["command_id"] == "000001.3"
    assert (one.directory.path / "measurements/000001/000001.3.npz").exists()


# --- after a restart ---------------------------------------------------------------------------------------------


def test_an_act_that_was_done_is_not_done_again(bench):
    one = bench()
    past = {"000001.4": PastStep(state="done", result={"value": 1.0})}
    (done,), _ = one.run(READ, past=past)
    assert done.result == {"value": 1.0}
    assert one.oven.done == []


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


def test_a_stop_ends_before_the_next_act_but_settles_what_was_open(bench):
    one = bench()
    with pytest.raises(StopRequested):
        one.run(SET, stop=True)
    assert one.oven.done == []
    one.run(READ, past={"000001.4": PastStep(state="done", result={"value": 2.0})}, stop=True)


def test_a_wait_that_was_interrupted_lasts_only_what_is_left(bench):
    one = bench()
    node = Wait(path="7", label="cool", duration_s=3600)
    _, now_s = one.run(node)
    assert now_s == 3600.0
    _, now_s = one.run(node, waits={"000001.7": 3600.0}, start_s=3000.0)
    assert now_s == 3600.0


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


def test_what_a_device_lost_since_it_was_set_is_set_again_before_anything_new(bench):
    one = bench()
    one.run(SET)
    one.oven.holds = None  # its power was cut together with the controller's
    past = {"000001.0": PastStep(state="done", result={})}
    one.run(SET, FRAME, past=past)
    assert one.oven.done == [("set", 900.0), ("set", 900.0), ("frame", "000001.3")]
    assert [event.body["text"] for event in one.events("incident")] == ["000001.0 (set): lost since, so set again"]
    assert one.steps() == {"000001.0": "done", "000001.0.again1": "done", "000001.3": "done"}


def test_setting_again_is_itself_settled_after_a_kill_and_done_again_after_another_loss(bench):
    one = bench()
    one.run(SET)
    past = {"000001.0": PastStep(state="done", result={}), "000001.0.again1": PastStep(state="intended", result={})}
    one.oven.holds = None
    with one.engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO step SELECT '000001.0.again1', trial, path, label, device, command, effect, 'intended', "
            "arguments, started_s, finished_s, attempts, error, settled_by, result FROM step"
        )
    one.run(SET, READ, past=past)
    assert one.oven.done.count(("set", 900.0)) == 2
    assert one.steps()["000001.0.again1"] == "done"
    one.oven.holds = None
    past["000001.0.again1"] = PastStep(state="done", result={})
    one.run(SET, replace(READ, path="9"), past=past)
    assert one.oven.done.count(("set", 900.0)) == 3
    assert one.steps()["000001.0.again2"] == "done"


def test_set_points_that_still_hold_are_left_alone_and_events_are_never_repeated(bench):
    one = bench()
    one.run(SET, SHOOT)
    done = {key: PastStep(state="done", result={}) for key in ("000001.0", "000001.6")}
    one.oven.done.remove(("shoot", "000001.6"))  # the device has forgotten the shot, which stays fired all the same
    one.run(SET, replace(SHOOT, measure=None), READ, past=done)
    assert one.oven.done == [("set", 900.0), ("temperature",)]
    assert one.events("incident") == []


def test_a_set_point_is_set_again_before_a_wait_goes_on_and_not_after_it(bench):
    one = bench()
    one.run(SET)
    one.oven.holds = None
    seen = []
    one.oven._next = lambda name: seen.append((name, asyncio.get_running_loop().time())) or one.oven.done.append(name)
    node = Wait(path="7", label="hold", duration_s=3600)
    past = {"000001.0": PastStep(state="done", result={})}
    one.run(SET, node, past=past, waits={"000001.7": 3600.0}, start_s=1000.0)
    assert seen == [(("set", 900.0), 1000.0)]


def test_a_device_that_does_not_say_whether_it_still_holds_costs_the_trial(bench):
    one = bench()
    one.run(SET)
    one.oven.verdicts = [Unreadable("garbled")] * 9
    with pytest.raises(TrialLost, match=r"outcome of oven\.set stays unknown: .*garbled"):
        one.run(SET, READ, past={"000001.0": PastStep(state="done", result={})})
    assert one.steps() == {"000001.0": "done"}


# --- what a driver may do wrong ----------------------------------------------------------------------------------


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


@pytest.mark.parametrize("act", [SET, READ], ids=["acting", "reading"])
def test_a_driver_that_breaks_costs_the_trial_and_not_the_campaign(bench, act):
    one = bench()
    setattr(one.oven, act.command, lambda **_: one.oven.raw())
    one.oven.verdicts = [False] * 9
    with pytest.raises(TrialLost, match="the driver failed with KeyError"):
        one.run(act)
    assert list(one.steps().values()) == ["failed"]


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


def test_a_limit_that_cannot_be_compared_costs_the_trial(bench):
    one = bench()
    with pytest.raises(TrialLost, match=r"target_c = 'hot' is not a number"):
        one.run(replace(SET, arguments={"target_c": "hot"}))
    assert one.kinds() == []


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


# --- a stop ------------------------------------------------------------------------------------------------------


def test_a_stop_does_not_wait_for_waits(bench):
    one = bench()
    node = Wait(path="7", label="cool", duration_s=86_400)
    with pytest.raises(StopRequested):
        one.run(node, stop=True)
    assert one.kinds() == []
    with pytest.raises(StopRequested):
        one.run(node, stop_at_s=100.0)
    assert one.ended_s == 100.0
    assert [event.body["until_s"] for event in one.events("wait")] == [86_400.0]
    one.run(node, waits={"000001.7": 90.0}, start_s=100.0, stop=True)  # over, so nothing is left to wait for


def test_a_stop_finishes_an_act_but_leaves_a_long_reading(bench):
    one = bench()
    _, now_s = one.run(MILL, stop_at_s=1.0)
    assert (now_s, one.oven.done) == (10.0, [("mill",)])
    with pytest.raises(StopRequested):
        one.run(COLLECT, stop_at_s=1000.0)
    assert one.ended_s == 1000.0
    one.run(COLLECT, past={"000001.8": PastStep(state="intended", result={})}, start_s=1000.0)
    assert one.steps()["000001.8"] == "done"


# --- what reaches the disk when ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("act", "is_durable"), [(DISPENSE, True), (SET, False), (READ, False)], ids=lambda a: str(a))
def test_only_an_outcome_that_nothing_can_settle_is_committed_at_once(bench, act, is_durable, monkeypatch):
    one = bench()
    at_the_end = []
    monkeypatch.setattr(Journal, "close", lambda journal: at_the_end.append(one.kinds()) or journal.connection.close())
    one.run(act)
    assert ("step_done" in at_the_end[0]) is is_durable


def test_in_wall_time_every_event_is_committed_at_once(bench, monkeypatch):
    one = bench()
    at_the_end = []
    monkeypatch.setattr(Journal, "close", lambda journal: at_the_end.append(one.kinds()) or journal.connection.close())
    monkeypatch.setattr(VirtualClock, "is_virtual", False)
    one.run(READ)
    assert at_the_end == [["step_intended", "step_done"]]
