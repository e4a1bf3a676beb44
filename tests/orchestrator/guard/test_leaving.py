"""What must not depend on a well-behaved controller: in wall time, with real processes."""

import asyncio
import os

import pytest

from orchestrator.guard.gate import GuardSilent
from tests.orchestrator.guard.test_process import TEMPERATURE, Kept, Place, furnace, own_folder, until

__all__ = ["own_folder"]
NEVER_PROVED = {"proof": {"falls": TEMPERATURE, "by": "2 K", "within": "1 s"}}
WRONG = [
    ("stop-all", {"who": "Ada", "reason": 5}),
    ("stop-all", {"who": 5, "reason": "smoke"}),
    ("acknowledge", {"trip": [1], "who": "Ada", "reason": "looked"}),
    ("readings", {"readings": [1]}),
    ("check", {"device": "box-1", "command": "stop", "arguments": {}, "epoch": "x"}),
    ("heartbeat", {"epoch": 1, "events_since": "x"}),
    ("dance", {}),
]


def test_a_guard_that_is_not_done_making_a_device_safe_outlives_the_end_of_the_campaign(tmp_path):
    async def use(url):
        place = Place(tmp_path, url, safety=NEVER_PROVED)
        kept = Kept(place)
        async with kept.keeper.running():
            await until(lambda: "not_safe" in kept.kinds())
            pid = await kept.pid()
        await asyncio.sleep(0.5)
        assert os.path.exists(f"/proc/{pid}")
        assert (await kept.keeper.client.status())["devices"]["box-1"]["state"] == "not safe"
        await kept.keeper.client.close()

    with furnace("tcp", 800.0, 1160.0) as url:
        asyncio.run(use(url))


def test_a_guard_that_has_nothing_to_make_safe_ends_with_the_campaign(tmp_path):
    async def use(url):
        kept = Kept(Place(tmp_path, url))
        async with kept.keeper.running():
            pid = await kept.pid()
        assert not os.path.exists(f"/proc/{pid}")

    with furnace("tcp", 700.0) as url:
        asyncio.run(use(url))


def test_what_listens_to_the_keeper_may_break_without_silencing_the_controller(tmp_path):
    async def use(url):
        place = Place(tmp_path, url)
        kept = Kept(place)

        def broken(event):
            raise RuntimeError("the journal is full")

        async with kept.keeper.running():
            kept.keeper.on_event = broken
            await kept.keeper.client.stop_all(who="Ada", reason="smoke")
            await asyncio.sleep(2.5)
            status = await kept.keeper.client.status()
            assert not status["controller"]["is_lost"]

    with furnace("tcp", 700.0) as url:
        asyncio.run(use(url))


def test_whoever_talks_nonsense_is_told_so_and_keeps_nobody_from_being_heard(tmp_path):
    async def use(url):
        place = Place(tmp_path, url)
        kept = Kept(place)
        async with kept.keeper.running():
            for op, body in WRONG:
                with pytest.raises(Exception, match=r".") as caught:
                    await kept.keeper.client.ask(op, **body)
                assert not isinstance(caught.value, GuardSilent), (op, body)
            assert (await kept.keeper.client.status())["trips"]["stop-all"]["state"] == "clear"

    with furnace("tcp", 700.0) as url:
        asyncio.run(use(url))


@pytest.mark.parametrize(("device", "command"), [("nobody", "move"), ("box-1", "dance")])
def test_what_the_lab_does_not_have_is_not_allowed(tmp_path, device, command):
    async def use(url):
        kept = Kept(Place(tmp_path, url))
        async with kept.keeper.running():
            await kept.until_it_acts()
            answer = await kept.keeper.client.check(device, command, {}, epoch=1)
            assert not answer.is_allowed

    with furnace("tcp", 700.0) as url:
        asyncio.run(use(url))
