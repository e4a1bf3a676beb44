import pytest

from drivers.errors import DeviceFault, NotConnected, Rejected
from orchestrator.foresight import Foresight
from orchestrator.outcomes import TrialLost
from orchestrator.plan import Act, Visit, Way
from orchestrator.visits import FAULTS_IN_A_ROW, Visits
from tests.orchestrator.workshop import FURNACE

TARE = Act(path="2.0", label="tare", device="scale", command="tare")
WEIGH = Act(path="2.1", label="weigh", device="scale", command="weigh")
SHAKE = Act(path="2.2", label="shake", device="scale", command="shake", is_tagged=True, repeats=1)


def weighing(*acts, **more):
    ways = (Way(station="weighing", place="bridge", acts=acts),)
    return Visit(path="2", label="weigh", ways=ways, work_s=60.0, **more)


def visits_of(workshop):
    return Visits(
        furnaces={"oven": FURNACE},
        clock=workshop.clock,
        runner=workshop.runner,
        dispatcher=workshop.dispatcher,
        transport=workshop.transport,
        attention=workshop.attention,
        foresight=Foresight(where=workshop.where),
    )


def test_a_sample_is_carried_worked_on_and_lets_go_of_the_devices(workshop):
    async def script():
        journey = await workshop.admitted()
        await visits_of(workshop).visit(journey, weighing(TARE, WEIGH), 60.0)
        assert journey.at == "bridge"
        assert journey.done == {"2": "bridge"}
        assert "scale" not in workshop.board.held("000001")

    workshop.run(script)
    assert workshop.scale.done == [("tare",), ("weigh",)]
    kinds = [event.kind for event in workshop.events("visit_began", "sample_moved", "visit_ended")]
    assert kinds == ["visit_began", "sample_moved", "visit_ended"]


def test_what_began_later_than_the_recipe_allows_is_said(workshop):
    async def script():
        journey = await workshop.admitted()
        journey.done_s = 0.0
        await workshop.clock.sleep(100.0)
        await visits_of(workshop).visit(journey, weighing(TARE, within_s=40.0), 60.0)

    workshop.run(script)
    (said,) = workshop.events("incident")
    assert said.body["text"] == "weigh began 60 s later than the 40 s that the recipe allows"


def test_an_act_that_broke_off_is_stopped_and_done_again_where_that_does_no_harm(workshop):
    async def script():
        workshop.scale.script = [DeviceFault("broke off")]
        await visits_of(workshop).visit(await workshop.admitted(), weighing(SHAKE), 60.0)

    workshop.run(script)
    assert workshop.scale.done == [("stop",), ("shake", "000001.2.2.again1")]
    assert workshop.incidents() == ["fault"]


def test_a_visit_that_broke_off_brings_its_devices_to_rest(workshop):
    async def script():
        workshop.scale.script = [Rejected("no")]
        with pytest.raises(TrialLost, match="no"):
            await visits_of(workshop).visit(await workshop.admitted(), weighing(SHAKE), 60.0)

    workshop.run(script)
    assert workshop.scale.done == [("stop",)]


def test_a_device_that_cannot_be_brought_to_rest_is_closed_with_the_sample_in_it(workshop):
    async def script():
        workshop.scale.script = [Rejected("no"), *[NotConnected("gone")] * 4]
        journey = await workshop.admitted()
        with pytest.raises(TrialLost, match="no"):
            await visits_of(workshop).visit(journey, weighing(TARE), 60.0)
        assert journey.at is None
        assert workshop.board.closed == {"scale", "@bridge"}

    workshop.run(script)


@pytest.mark.parametrize(
    ("fault", "times"),
    [(DeviceFault("dirty"), FAULTS_IN_A_ROW), (DeviceFault("burnt out", needs_operator=True), 1)],
    ids=["again and again", "needs a person"],
)
def test_a_device_that_fails_is_taken_out_of_service(workshop, fault, times):
    async def script():
        visits, journey = visits_of(workshop), await workshop.admitted()
        for number in range(times):
            assert workshop.board.closed == set()
            workshop.scale.script = [fault]
            act = Act(path=f"2.{number}", label="tare", device="scale", command="tare")
            with pytest.raises(TrialLost):
                await visits.visit(journey, weighing(act), 60.0)
        assert workshop.board.closed == {"scale"}

    workshop.run(script)
    assert workshop.incidents() == ["intervention"]


def test_a_device_that_did_what_it_was_told_has_no_faults_in_a_row(workshop):
    async def script():
        visits, journey = visits_of(workshop), await workshop.admitted()
        for number in range(2 * FAULTS_IN_A_ROW):
            act = Act(path=f"2.{number}", label="tare", device="scale", command="tare")
            workshop.scale.script = [DeviceFault("dirty")] if number % 2 else []
            try:
                await visits.visit(journey, weighing(act), 60.0)
            except TrialLost:
                continue
            journey.done.clear()
        assert workshop.board.closed == set()

    workshop.run(script)
