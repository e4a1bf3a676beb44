"""Simulated worlds behind a campaign: time in them never goes back, whatever a killed controller did not write."""

import sqlite3
from contextlib import closing

from drivers.clock import VirtualClock, VirtualLoop, run_virtual
from orchestrator.worlds import VirtualWorlds
from simulators.world import WorldFile


def worlds_with_an_act(tmp_path, at_s):
    loop = VirtualLoop(100.0)
    clock = VirtualClock(loop)
    worlds = VirtualWorlds(directory=tmp_path, clock=clock, seed=0, options={})
    worlds.resolve("film-station", "stage")
    worlds.close()
    file = WorldFile(tmp_path / "film-station.sqlite")
    file.note_act("move", once=False, facts={}, at_s=at_s)
    file.close()
    return loop, worlds, clock


def caught_up_at_s(tmp_path, at_s):
    loop, worlds, clock = worlds_with_an_act(tmp_path, at_s)
    worlds.resolve("film-station", "stage")

    async def main():
        await worlds.caught_up()
        return clock.now_s()

    try:
        return run_virtual(main(), loop=loop)
    finally:
        worlds.close()


def test_time_goes_on_from_the_last_act_of_a_world_that_is_ahead_of_the_journal(tmp_path):
    assert caught_up_at_s(tmp_path, 250.0) == 250.0


def test_a_journal_that_is_ahead_of_the_world_waits_for_nothing(tmp_path):
    assert caught_up_at_s(tmp_path, 40.0) == 100.0


def test_a_world_in_which_nothing_was_done_yet_is_not_ahead(tmp_path):
    file = WorldFile(tmp_path / "empty.sqlite")
    assert file.latest_s == 0.0
    file.close()
    with closing(sqlite3.connect(tmp_path / "empty.sqlite")) as db:
        assert db.execute("SELECT count(*) FROM state").fetchone() == (0,)
