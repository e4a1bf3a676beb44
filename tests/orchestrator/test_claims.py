import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.clock import VirtualLoop, run_virtual
from orchestrator.claims import ClaimBoard

DEVICES = {"arm": 1, "furnace": 2, "balance": 1}


@given(
    st.lists(
        st.tuples(
            st.sets(st.sampled_from(sorted(DEVICES)), min_size=1), st.integers(0, 5), st.integers(0, 5), st.booleans()
        ),
        max_size=12,
    )
)
def test_claims_never_overlap_beyond_capacity_and_always_end(wishes):
    held = dict.fromkeys(DEVICES, 0)
    served = []

    async def holder(board, index, devices, start_s, hold_s):
        await asyncio.sleep(start_s)
        async with board.claim(devices):
            for device in devices:
                held[device] += 1
                assert held[device] <= DEVICES[device]
            await asyncio.sleep(hold_s)
            for device in devices:
                held[device] -= 1
        served.append(index)

    async def main():
        board = ClaimBoard(DEVICES)
        tasks = [
            asyncio.create_task(holder(board, index, devices, start, hold))
            for index, (devices, start, hold, _) in enumerate(wishes)
        ]
        await asyncio.sleep(3)
        for task, (*_, is_cancelled) in zip(tasks, wishes, strict=True):
            if is_cancelled and not task.done() and not any(held.values()):
                task.cancel()
        async with asyncio.timeout(1000):
            await asyncio.gather(*tasks, return_exceptions=True)
        async with asyncio.timeout(1), board.claim(DEVICES):
            pass
        return [task for task in tasks if task.cancelled()]

    cancelled = run_virtual(main(), loop=VirtualLoop())
    assert len(served) + len(cancelled) == len(wishes)


def test_two_holders_that_want_each_others_device_do_not_deadlock():
    async def main():
        board = ClaimBoard({"a": 1, "b": 1})

        async def holder(devices):
            async with board.claim(devices):
                await asyncio.sleep(1)

        async with asyncio.timeout(10):
            await asyncio.gather(holder(["a", "b"]), holder(["b", "a"]), holder(["a"]), holder(["b"]))

    run_virtual(main(), loop=VirtualLoop())


def test_a_wide_claim_is_not_starved_by_narrow_ones():
    order = []

    async def main():
        board = ClaimBoard({"a": 1, "b": 1})

        async def holder(name, devices, start_s):
            await asyncio.sleep(start_s)
            async with board.claim(devices):
                order.append(name)
                await asyncio.sleep(10)

        await asyncio.gather(
            holder("first", ["a"], 0), holder("wide", ["a", "b"], 1), *(holder("narrow", ["b"], 2) for _ in range(3))
        )

    run_virtual(main(), loop=VirtualLoop())
    assert order.index("wide") == 1


def test_an_unknown_device_is_refused():
    async def main():
        async with ClaimBoard({"a": 1}).claim(["a", "oven"]):
            pass

    with pytest.raises(KeyError, match="oven"):
        run_virtual(main(), loop=VirtualLoop())
