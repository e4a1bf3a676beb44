"""One process and the two ends of its pipe."""

import asyncio
import os
import re
import sys
from pathlib import Path

import pytest

from surrogate.compute.plain import packed, unpacked
from surrogate.compute.process import WorkerLost, WorkerProcess

WITHIN_S = 90.0
WORK = "tests.surrogate.compute.work:"


def made(preload=(), folder=None):
    return WorkerProcess(1, threads=2, preload=preload, is_gpu=False, slack_bytes=2**28, folder=folder)


def alone(life, **options):
    """Run a coroutine function of a process that was spawned, and end that."""

    async def main():
        process = made(**options)
        async with asyncio.TaskGroup() as group:
            await process.spawn(group)
            try:
                return await life(process)
            finally:
                await process.closed()

    return asyncio.run(main())


def lost(caught):
    (error,) = caught.value.exceptions
    assert isinstance(error, WorkerLost)
    return str(error)


async def answers(process, n, **job):
    """Return the first n messages after a job was sent."""
    heard = []
    arguments, checkpoint = packed(job.pop("arguments", {})), packed(job.pop("checkpoint", None))
    told = {"steps": False, "slice_s": 0.0, "split": len(arguments), **job}
    process.send(told, arguments + checkpoint, ticket=1, lease=2**28)
    while len(heard) < n:
        async with asyncio.timeout(WITHIN_S):
            heard.append(await process._next())
    return heard


def test_a_process_says_that_it_is_ready_and_what_it_holds():
    hello = alone(lambda process: process.ready(within_s=WITHIN_S))
    assert hello["kind"] == "hello" and hello["rss"] > 2**20 and "gpu" not in hello


def test_temporary_files_go_with_the_process_that_made_them(tmp_path):
    async def life(process):
        await process.ready(within_s=WITHIN_S)
        ((_, payload),) = await answers(process, 1, function="tempfile:mkdtemp")
        made = Path(unpacked(payload))
        assert made.is_dir() and tmp_path in made.parents
        return made

    assert not alone(life, folder=str(tmp_path)).exists() and not any(tmp_path.iterdir())


def test_a_process_that_is_not_ready_in_time_is_ended():
    with pytest.raises(ExceptionGroup) as caught:
        alone(lambda process: process.ready(within_s=0.0))
    assert "not ready within 0 s (exit code -9)" in lost(caught)


def test_a_process_that_cannot_import_says_what():
    with pytest.raises(ExceptionGroup) as caught:
        alone(lambda process: process.ready(within_s=WITHIN_S), preload=("no.such",))
    assert re.search(r"exit code 1\); its last words: .*No module named 'no'", lost(caught))


def test_every_slice_is_told_and_the_result_is_the_last_word():
    async def life(process):
        await process.ready(within_s=WITHIN_S)
        return await answers(process, 4, function=WORK + "total", arguments={"n": 3}, steps=True)

    heard = alone(life)
    assert [head["kind"] for head, _ in heard] == ["slice", "slice", "slice", "done"]
    assert [unpacked(payload)["i"] for _, payload in heard[:3]] == [1, 2, 3]
    assert unpacked(heard[-1][1])["sum"].tolist() == [3.0] and {head["run"] for head, _ in heard} == {1}


def test_a_job_leaves_as_it_is_asked_to_and_goes_on_from_there():
    async def life(process):
        await process.ready(within_s=WITHIN_S)
        job = {"function": WORK + "total", "arguments": {"n": 10**6}, "steps": True, "slice_s": 1e3}
        asked = asyncio.get_running_loop().call_later(0.2, process.ask_leave)
        ((head, payload),) = await answers(process, 1, **job)
        asked.cancel()
        state = unpacked(payload)
        short = job | {"arguments": {"n": state["i"] + 2}, "checkpoint": state}
        return head["kind"], state["i"], (await answers(process, 1, **short))[0]

    kind, i, (head, payload) = alone(life)
    assert kind == "left" and head["kind"] == "done"
    assert unpacked(payload)["sum"].tolist() == [sum(range(i + 2))]


def test_a_wish_for_a_job_that_is_over_does_not_reach_the_next_one():
    async def life(process):
        await process.ready(within_s=WITHIN_S)
        await answers(process, 1, function=WORK + "double", arguments={"x": 1})
        process.ask_leave()
        return await answers(process, 1, function=WORK + "total", arguments={"n": 50}, steps=True, slice_s=1e3)

    assert alone(life)[0][0]["kind"] == "done"


@pytest.mark.parametrize("function", ["bear", "leave_child"])
def test_children_of_a_job_end_with_its_process(function):
    async def life(process):
        await process.ready(within_s=WITHIN_S)
        (answer,) = await answers(process, 1, function=WORK + function)
        if answer is not None:
            return unpacked(answer[1])
        reason = await process.listen(lambda *_: None)
        assert "exit code 5" in reason
        return int(reason.split()[-1])

    child = alone(life)

    async def until_gone():
        async with asyncio.timeout(WITHIN_S):
            while is_running(child):
                await asyncio.sleep(0.01)

    asyncio.run(until_gone())


def is_running(pid):
    """Return whether a process runs; a dead one that nobody has buried does not."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def test_a_process_that_was_not_started_says_so():
    with pytest.raises(WorkerLost, match="not started"):
        _ = made().pid


def test_a_machine_without_room_for_a_process_is_told(monkeypatch):
    monkeypatch.setattr(sys, "executable", os.devnull)

    async def main():
        async with asyncio.TaskGroup() as group:
            await made().spawn(group)

    with pytest.raises(ExceptionGroup) as caught:
        asyncio.run(main())
    assert "no process could be made" in lost(caught)


def test_a_process_that_the_system_does_not_bury_is_given_up(monkeypatch):
    # as one in an uninterruptible call to a driver, of which no test can make one
    monkeypatch.setattr("surrogate.compute.process._ENDS_S", 0.1)
    monkeypatch.setattr("os.killpg", lambda *_: None)

    async def life(process):
        await process.ready(within_s=WITHIN_S)
        process.kill("it hangs")
        words = await process._ended()
        async with asyncio.timeout(WITHIN_S):
            while process._live.returncode is None:  # it is no such process, and dies as its pipes are closed
                await asyncio.sleep(0.01)
        return words

    assert alone(life) == "it hangs (exit code unknown: it is still there)"
