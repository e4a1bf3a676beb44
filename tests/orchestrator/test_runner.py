import asyncio
from dataclasses import dataclass
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


class Oven:
    """A driver whose answers are scripted; it remembers what was done to it."""

    name = "oven"

    def __init__(self, *script):
        self.script = list(script)
        self.done = []
        self.verdicts = []
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
        if isinstance(outcome, tuple):
            raise outcome[1]
        if isinstance(outcome, Exception):
            raise outcome

    @command(Effect.VERIFIABLE, verify="is_set")
    async def set(self, *, target_c: Annotated[float, Quantity("Cel", 0, 1200)]) -> None:
        self._next(("set", target_c))

    async def is_set(self, *, target_c: float) -> bool:
        if self.verdicts:
            verdict = self.verdicts.pop(0)
            if isinstance(verdict, Exception):
                raise verdict
            return verdict
        return ("set", target_c) in self.done

    @command(Effect.IDEMPOTENT)
    async def stop(self) -> None:
        self._next(("stop",))

    @command(Effect.OPERATOR)
    async def dispense(self) -> None:
        self._next(("dispense",))

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


class Bench:
    """A runner over a real journal, in virtual time."""

    def __init__(self, tmp_path, oven):
        self.oven = oven
        self.port_later = oven.port
        self.directory = CampaignDirectory.create(tmp_path / "c", {})
        self.engine = self.directory.database(fsync=False, migrate=True)

    def run(self, *acts, past=None, waits=None, start_s=0.0, stop=False):
        loop = VirtualLoop(start_s)
        clock = VirtualClock(loop)

        async def main():
            journal = Journal(self.engine, clock, epoch=1)
            laboratory = Laboratory({"oven": station("oven", self.oven, url="sim:x/oven", capacity=1)}, clock)
            await laboratory.connect()
            self.oven.port = self.port_later
            runner = Runner(
                journal=journal,
                laboratory=laboratory,
                evidence=Evidence(self.directory.path, clock, fsync=False),
                stop=StopSwitch(stop),
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
                journal.close()

        return run_virtual(main(), loop=loop)

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


def test_a_measurement_that_a_power_cut_took_loses_its_trial(bench):
    one = bench()
    past = {"000001.3": PastStep(state="done", result={}, path="measurements/000001/000001.3.npz", sha256="0" * 64)}
    with pytest.raises(TrialLost, match="cannot be read"):
        one.run(FRAME, past=past)
