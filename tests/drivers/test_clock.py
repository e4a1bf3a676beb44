import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.clock import VIRTUAL_START, RealClock, VirtualClock, VirtualLoop, VirtualTimeError, run_virtual


def run(main, *, start_s: float = 0.0):
    loop = VirtualLoop(start_s)
    return run_virtual(main(VirtualClock(loop)), loop=loop)


def test_thirty_days_pass_in_no_time():
    async def main(clock):
        await clock.sleep(30 * 86_400.0)
        return clock.now_s(), clock.utc()

    began = time.monotonic()
    now_s, utc = run(main)
    assert time.monotonic() - began < 5.0
    assert now_s == pytest.approx(30 * 86_400.0, abs=1e-3)
    assert utc - VIRTUAL_START == timedelta(seconds=now_s)


@pytest.mark.parametrize("start_s", [1.6e7, 1.67e7, 2e7, 3e8, 1e12], ids=lambda s: f"{s:g} s")
def test_timers_still_fire_when_the_clock_has_shown_years(start_s):
    async def main(clock):
        loop = asyncio.get_running_loop()
        left, real = 10_000, loop.time

        def counted():
            nonlocal left
            left -= 1
            if left < 0:
                raise AssertionError("the loop looks at a timer that is never due")
            return real()

        loop.time = counted
        for seconds in (0.1, 0.123, 1.0 / 3.0, 5.0):
            await clock.sleep(seconds)
        clock.charge(0.7)
        await clock.sleep_until(clock.now_s() + 0.1)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.25):
                await asyncio.Event().wait()
        return clock.now_s() - start_s

    passed_s = run(main, start_s=start_s)
    assert passed_s == pytest.approx(0.1 + 0.123 + 1.0 / 3.0 + 5.0 + 0.7 + 0.1 + 0.25, abs=1e-2)


def test_starts_where_it_is_told():
    async def main(clock):
        return clock.now_s()

    assert run(main, start_s=1234.5) == 1234.5


def test_tasks_wake_in_the_order_of_their_times():
    async def main(clock):
        woken = []

        async def sleeper(seconds):
            await clock.sleep(seconds)
            woken.append((seconds, clock.now_s()))

        async with asyncio.TaskGroup() as group:
            for seconds in (3.0, 1.0, 2.0, 1.0):
                group.create_task(sleeper(seconds))
        return woken

    assert run(main) == [(1.0, 1.0), (1.0, 1.0), (2.0, 2.0), (3.0, 3.0)]


def test_equal_inputs_give_equal_orders():
    async def main(clock):
        seen = []

        async def worker(name):
            for step in range(5):
                await clock.sleep(0.1 * (name % 3 + 1))
                seen.append((name, step, clock.now_s()))

        async with asyncio.TaskGroup() as group:
            for name in range(6):
                group.create_task(worker(name))
        return seen

    assert run(main) == run(main)


def test_timeouts_are_honest():
    async def main(clock):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5.0):
                await asyncio.Event().wait()
        return clock.now_s()

    assert run(main) == 5.0


@given(st.floats(0.0, 1e6), st.floats(0.0, 1e6))
def test_sleep_until_lands_exactly(first_s, second_s):
    async def main(clock):
        await clock.sleep_until(first_s)
        reached = clock.now_s()
        await clock.sleep_until(second_s)
        return reached, clock.now_s()

    reached, later = run(main)
    assert reached == first_s
    assert later == max(first_s, second_s)


def test_a_cancelled_sleeper_leaves_nothing_behind():
    async def main(clock):
        task = asyncio.ensure_future(clock.sleep_until(1e9))
        await clock.sleep(1.0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await clock.sleep(1.0)
        return clock.now_s()

    assert run(main) == 2.0


def test_work_is_charged_to_the_clock():
    async def main(clock):
        clock.charge(12.5)
        return clock.now_s()

    assert run(main) == 12.5


def test_time_does_not_run_backwards():
    async def main(clock):
        with pytest.raises(ValueError, match="backwards"):
            clock.charge(-1.0)

    run(main)


def test_waiting_for_nothing_is_a_deadlock_and_said_to_be_one():
    async def main(clock):
        await asyncio.Event().wait()

    with pytest.raises(VirtualTimeError, match="deadlock"):
        run(main)


@pytest.mark.parametrize(
    "forbidden",
    [
        lambda loop: asyncio.to_thread(time.monotonic),
        lambda loop: loop.run_in_executor(None, time.monotonic),
        lambda loop: asyncio.create_subprocess_exec("true"),
        lambda loop: asyncio.create_subprocess_shell("true"),
        lambda loop: asyncio.open_connection("127.0.0.1", 9),
        lambda loop: asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0),
    ],
    ids=["to_thread", "executor", "exec", "shell", "connect", "listen"],
)
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_what_lives_in_wall_time_is_refused(forbidden):
    async def main(clock):
        with pytest.raises(VirtualTimeError, match="refused in virtual time"):
            await forbidden(asyncio.get_running_loop())

    run(main)


def test_the_wall_clock_counts_from_its_zero_and_never_runs_back():
    created = datetime.now(UTC) - timedelta(hours=1)
    assert RealClock(created).now_s() == pytest.approx(3600.0, abs=5.0)
    stepped_back = RealClock(datetime.now(UTC) + timedelta(hours=1), at_least_s=5000.0)
    assert stepped_back.now_s() >= 5000.0
    assert RealClock(created, at_least_s=10.0).now_s() > 3599.0


def test_the_wall_clock_waits():
    async def main():
        clock = RealClock()
        began_s = clock.now_s()
        await clock.sleep(0.01)
        await clock.sleep_until(began_s + 0.02)
        await clock.sleep_until(began_s)
        assert clock.now_s() - began_s >= 0.0199
        assert clock.utc().tzinfo is UTC

    asyncio.run(main())
