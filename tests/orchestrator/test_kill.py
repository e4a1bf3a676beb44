"""Kills a real process at random moments and holds the resumed campaign against one that was never killed."""

import hashlib
import json
import os
import signal
import sqlite3
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from orchestrator.check import check_campaign
from orchestrator.directory import CampaignDirectory
from orchestrator.errors import InputError
from orchestrator.execution import Settings, resume, start
from orchestrator.journal import read_events
from orchestrator.projections import rebuild
from orchestrator.records import read_trials
from orchestrator.store import PROJECTIONS

EXAMPLES = Path(__file__).parents[2] / "examples"
KILLS = 25
"""Of each campaign: fifty in all."""

FILM = [
    "budget.trials=3",
    "planner.policy=random",
    "planner.charge=2 s",
    "recipe.3.adaptive_scan.points=8",
    "recipe.1.reference.max_age=30 s",
]
BENCH = ["budget.trials=16", "batch=8", "planner.policy=random"]
CAMPAIGNS = {"film": ("sara/campaign.yaml", FILM), "bench": ("photocatalysis/campaign.yaml", BENCH)}


def ready(name):
    file, overrides = CAMPAIGNS[name]
    return check_campaign(EXAMPLES / file, None, overrides).require()


def in_child(work, *, kill_after_s=None):
    """Run work in a process of its own, perhaps kill it; return its exit status, None if it was killed."""
    child = os.fork()
    if child == 0:
        try:
            work()
            os._exit(0)
        except BaseException as error:  # noqa: BLE001 - the child must not return into pytest
            os.write(2, f"{type(error).__name__}: {error}\n".encode())
            os._exit(1)
    if kill_after_s is not None:
        time.sleep(kill_after_s)  # the one place where real time must pass: the kill comes from outside
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return None if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def go_on(task, path):
    settings = Settings(is_virtual=True, fsync=False)
    if (path / "campaign.json").exists():
        try:
            resume(path, fsync=False)
        except InputError as error:
            if "has finished" not in str(error):
                raise
    else:
        start(task, path, settings)


def status(path):
    try:
        with sqlite3.connect(f"file:{path / 'journal.sqlite'}?mode=ro", uri=True) as db:
            row = db.execute("SELECT status FROM campaign").fetchone()
    except sqlite3.OperationalError:
        return None
    return row[0] if row else None


def story(path):
    """What a campaign came to: trials, measurements and what the world remembers."""
    engine = CampaignDirectory.open(path).database(migrate=False)
    with engine.connect() as connection:
        trials = [
            (t.number, dict(t.parameters), t.outcome, t.reason, dict(t.values), t.started_s, t.finished_s)
            for t in read_trials(connection)
        ]
        rows = connection.exec_driver_sql("SELECT id, path, sha256, taken_s FROM measurement ORDER BY id").fetchall()
        acts = connection.exec_driver_sql(
            "SELECT command_id, state FROM step WHERE effect <> 'read' ORDER BY command_id"
        ).fetchall()
    engine.dispose()
    return trials, [tuple(row) for row in rows], [tuple(row) for row in acts]


def world(path):
    """What was really done in the world: shots fired by tag, experiments started by tag."""
    found = []
    for file in sorted((path / "world").glob("*.sqlite")):
        with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as db:
            items = {key: json.loads(value) for key, value in db.execute("SELECT key, value FROM state")}
        found += [item["tag"] for key, item in items.items() if key.startswith("shot/")]
        found += [key for key in items if "/run/" in key]
    return sorted(found)


def tables(connection):
    return {
        model.__tablename__: connection.exec_driver_sql(f"SELECT * FROM {model.__tablename__} ORDER BY 1").fetchall()
        for model in PROJECTIONS
    }


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")  # newer Pythons warn of threads; the child has none
@pytest.mark.parametrize("name", CAMPAIGNS)
def test_a_campaign_killed_at_random_ends_as_one_that_was_not(tmp_path, name):
    task = ready(name)
    began = time.perf_counter()
    assert in_child(lambda: start(task, tmp_path / "whole", Settings(is_virtual=True, fsync=False))) == 0
    whole_s = time.perf_counter() - began
    expected, expected_world = story(tmp_path / "whole"), world(tmp_path / "whole")
    assert len(expected[0]) == task.campaign.budget.trials

    rng = np.random.default_rng(20261121)
    kills = runs = 0
    while kills < KILLS:
        path = tmp_path / f"killed-{runs}"
        runs += 1
        while kills < KILLS and status(path) != "finished":
            if in_child(partial(go_on, task, path), kill_after_s=rng.uniform(0, 0.6 * whole_s)) is None:
                kills += 1
        assert in_child(partial(go_on, task, path)) == 0
        check_same(path, expected, expected_world)


def check_same(path, expected, expected_world):
    trials, measurements, acts = story(path)
    assert trials == expected[0]
    assert [row[:3] for row in measurements] == [row[:3] for row in expected[1]]
    assert [act[0] for act in acts] == [act[0] for act in expected[2]]
    assert {state for _, state in acts} == {"done"}
    assert world(path) == expected_world
    files = sorted(str(file.relative_to(path)) for file in (path / "measurements").rglob("*.npz"))
    assert files == sorted(row[1] for row in measurements)
    for _, file, sha256, _ in measurements:
        assert hashlib.sha256((path / file).read_bytes()).hexdigest() == sha256
    engine = CampaignDirectory.open(path).database(migrate=False)
    with engine.connect() as connection:
        live = tables(connection)
        rebuild(connection, list(read_events(connection)))
        assert tables(connection) == live
    engine.dispose()
