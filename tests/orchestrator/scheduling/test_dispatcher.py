import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.clock import VirtualClock, VirtualLoop, run_virtual
from orchestrator.errors import StorageError
from orchestrator.scheduling.board import Board, Option
from orchestrator.scheduling.dispatcher import Dispatcher

DEVICES = {"arm": 1, "furnace": 2, "balance": 1}


def in_virtual_time(main, capacities=DEVICES, **more):
    loop = VirtualLoop()
    dispatcher = Dispatcher(Board(capacities), VirtualClock(loop), **more)
    return run_virtual(main(dispatcher), loop=loop)


@given(
    st.lists(
        st.tuples(
            st.sets(st.sampled_from(sorted(DEVICES)), min_size=1), st.integers(0, 5), st.integers(0, 5), st.booleans()
        ),
        max_size=12,
    )
)
def test_holders_never_exceed_capacity_and_all_are_served_or_cancelled(wishes):
    held = dict.fromkeys(DEVICES, 0)
    served = []

    async def holder(dispatcher, index, devices, start_s, hold_s):
        await asyncio.sleep(start_s)
        async with dispatcher.holding(str(index), devices):
            for device in devices:
                held[device] += 1
                assert held[device] <= DEVICES[device]
            await asyncio.sleep(hold_s)
            for device in devices:
                held[device] -= 1
        served.append(index)

    async def main(dispatcher):
        tasks = [
            asyncio.create_task(holder(dispatcher, index, devices, start, hold))
            for index, (devices, start, hold, _) in enumerate(wishes)
        ]
        await asyncio.sleep(3)
        for task, (*_, is_cancelled) in zip(tasks, wishes, strict=True):
            if is_cancelled and not task.done() and not any(held.values()):
                task.cancel()
        async with asyncio.timeout(1000):
            await asyncio.gather(*tasks, return_exceptions=True)
        async with asyncio.timeout(1), dispatcher.holding("last", DEVICES):
            pass
        return [task for task in tasks if task.cancelled()]

    cancelled = in_virtual_time(main)
    assert len(served) + len(cancelled) == len(wishes)


def test_two_owners_that_want_each_others_device_do_not_deadlock():
    async def main(dispatcher):
        async def owner(name, devices):
            async with dispatcher.holding(name, devices):
                await asyncio.sleep(1)

        async with asyncio.timeout(10), asyncio.TaskGroup() as group:
            group.create_task(owner("one", ["a", "b"]))
            group.create_task(owner("two", ["b", "a"]))

    in_virtual_time(main, {"a": 1, "b": 1})


def test_a_claim_that_is_cancelled_in_the_turn_in_which_it_is_granted_holds_nothing():
    async def main(dispatcher):
        dispatcher.board.hold("first", ["arm"])
        waiting = asyncio.create_task(dispatcher.claim("second", [Option(name="", resources=frozenset({"arm"}))]))
        await asyncio.sleep(0)
        dispatcher.release("first")
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        return dispatcher.board.held("second"), dispatcher.board.is_free(["arm"])

    assert in_virtual_time(main) == (frozenset(), True)


def test_what_cannot_be_put_on_record_is_not_granted():
    def refuse(_grant):
        raise StorageError("the disk is full")

    async def main(dispatcher):
        with pytest.raises(StorageError, match="the disk is full"):
            await dispatcher.claim("one", [Option(name="", resources=frozenset({"arm"}))])
        return dispatcher.board.is_free(["arm"])

    assert in_virtual_time(main, on_grant=refuse)


def test_the_option_that_was_served_is_told():
    async def main(dispatcher):
        dispatcher.board.hold("other", ["arm"])
        options = [Option(name=name, resources=frozenset({name})) for name in ("arm", "balance")]
        return (await dispatcher.claim("one", options)).name

    assert in_virtual_time(main) == "balance"
