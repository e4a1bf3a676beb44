import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.links.turns import Turns


def test_a_free_turn_is_taken_without_yielding():
    turns = Turns()
    with pytest.raises(StopIteration):
        turns.acquire().send(None)
    assert turns.locked()
    turns.release()
    assert not turns.locked()


@given(
    st.lists(
        st.tuples(st.booleans(), st.sampled_from(["serve", "cancel early", "cancel when handed over"])), max_size=8
    )
)
def test_each_is_served_once_urgent_ones_first_and_the_turn_is_never_lost(waiters):
    async def main():
        turns, served = Turns(), []
        await turns.acquire()

        async def wait(number, is_urgent):
            await turns.acquire(urgent=is_urgent)
            served.append(number)
            await asyncio.sleep(0)
            assert turns.locked()
            turns.release()

        tasks = [asyncio.ensure_future(wait(number, is_urgent)) for number, (is_urgent, _) in enumerate(waiters)]
        await asyncio.sleep(0)
        for task, (_, fate) in zip(tasks, waiters, strict=True):
            if fate == "cancel early":
                task.cancel()
        await asyncio.sleep(0)
        turns.release()
        for task, (_, fate) in zip(tasks, waiters, strict=True):
            if fate == "cancel when handed over":
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert not turns.locked()
        expected = [number for number, (_, fate) in enumerate(waiters) if fate == "serve"]
        assert served == sorted(expected, key=lambda number: not waiters[number][0])

    asyncio.run(main())
