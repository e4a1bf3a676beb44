"""Kills a process at points drawn over all that it writes, and holds the resumed campaign against an unkilled one.

The process kills itself: before and after the k-th commit of the journal, rename of a file or write of the simulated
world, whichever k is. So every kill lands in the campaign itself, and all that lies between two writes is as one point.
"""

import hashlib
import importlib
import json
import os
import shutil
import signal
import sqlite3
import sys
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from orchestrator import measurements
from orchestrator.check import check_campaign
from orchestrator.directory import CampaignDirectory
from orchestrator.errors import InputError
from orchestrator.execution import Settings, resume, start
from orchestrator.journal import Journal, read_events
from orchestrator.projections import rebuild
from orchestrator.records import read_trials
from orchestrator.store import PROJECTIONS
from simulators.world import WorldFile

EXAMPLES = Path(__file__).parents[2] / "examples"
SEED = 20261121
WARMED = ("orchestrator", "planner", "surrogate", "simulators", "torch", "gpytorch", "botorch", "scipy", "alembic")
PHASES = {f"{moment} {what}" for moment in ("before", "after") for what in ("commit", "rename", "world")}

FILM = [
    "planner.policy=random",
    "planner.charge=2 s",
    "budget.trials=4",
    "recipe.3.adaptive_scan.points=4",
    "recipe.1.reference.max_age=20 s",  # young enough when the third trial begins, and no more when it ends
]
SARA = ["planner.charge=2 s", "budget.trials=4", "recipe.3.adaptive_scan.points=3"]
BENCH = ["budget.trials=12", "batch=6", "planner.policy=random"]


def film(overrides=FILM):
    return check_campaign(EXAMPLES / "sara/campaign.yaml", None, overrides).require()


def bench():
    return check_campaign(EXAMPLES / "photocatalysis/campaign.yaml", None, BENCH).require()


TASKS = {"film": film, "bench": bench, "sara": partial(film, overrides=SARA)}


# --- a process that kills itself ---------------------------------------------------------------------------------


@dataclass
class Countdown:
    """Counts what a process writes, and kills it at the n-th point."""

    kill_at: int | None = None
    passed: list = field(default_factory=list)

    def around(self, what, function):
        def watched(*args, **kwargs):
            self._pass(f"before {what}")
            result = function(*args, **kwargs)
            self._pass(f"after {what}")
            return result

        return watched

    def _pass(self, phase):
        self.passed.append(phase)
        if len(self.passed) == self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def watch(self):
        """For the rest of this process; use it in a child only."""
        flush, counted = Journal.flush, self.around("commit", Journal.flush)
        Journal.flush = lambda journal: counted(journal) if journal._buffer else flush(journal)
        measurements.os = SimpleNamespace(**{**vars(os), "replace": self.around("rename", os.replace)})
        WorldFile.update = self.around("world", WorldFile.update)


def in_child(work, *, kill_at=None):
    """Run work in a process of its own; return the points that it passed, None where it was killed at one.

    What it imported is imported here as well, so that the next ones need not.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            countdown = Countdown(kill_at)
            countdown.watch()
            work()
            said = {"passed": Counter(countdown.passed), "modules": sorted(sys.modules)}
            with os.fdopen(writer, "w") as pipe:
                json.dump(said, pipe)
            os._exit(0)
        except BaseException as error:  # noqa: BLE001 - the child must not return into pytest
            os.write(2, f"{type(error).__name__}: {error}\n".encode())
            os._exit(1)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        text = pipe.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return None
    assert os.WEXITSTATUS(status) == 0
    said = json.loads(text)
    for name in said["modules"]:
        if name not in sys.modules and name.partition(".")[0] in WARMED:
            importlib.import_module(name)
    return said["passed"]


def go_on(task, path, *, is_virtual=True):
    if not (path / "campaign.json").exists():
        start(task, path, Settings(is_virtual=is_virtual, fsync=not is_virtual))
        return
    try:
        resume(path)
    except InputError as error:
        if "has finished" not in str(error):
            raise


# --- what came of it ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Story:
    """What a campaign came to: trials, measurements, acts, and what the world remembers."""

    trials: list
    measurements: list
    acts: list
    world: list


def story(path):
    with closing(sqlite3.connect(f"file:{path / 'journal.sqlite'}?mode=ro", uri=True)) as db:
        rows = db.execute("SELECT id, path, sha256 FROM measurement ORDER BY id").fetchall()
        query = "SELECT command_id, state FROM step WHERE effect <> 'read' ORDER BY command_id"
        acts = db.execute(query).fetchall()
    engine = CampaignDirectory.open(path).database(migrate=False)
    with engine.connect() as connection:
        trials = [
            (t.number, dict(t.parameters), t.outcome, t.reason, dict(t.values), t.started_s, t.finished_s)
            for t in read_trials(connection)
        ]
    engine.dispose()
    return Story(trials, rows, acts, world(path))


def world(path):
    """What was done in the world that is not the same if done twice: shots, runs, doses and heatings, by tag.

    This is taken from the state of the instruments themselves. (Their log of acts is a write of its own, after it.)
    """
    found = []
    for file in sorted((path / "world").glob("*.sqlite")):
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as db:
            items = {key: json.loads(value) for key, value in db.execute("SELECT key, value FROM state")}
        found += [f"shot {item['tag']}" for key, item in items.items() if key.startswith("shot/")]
        found += [key for key in items if "/run/" in key]
        found += [f"{key} {item['times']}" for key, item in items.items() if key.startswith(("dispense/", "heat/"))]
    return sorted(found)


def tables(connection):
    return {
        model.__tablename__: connection.exec_driver_sql(f"SELECT * FROM {model.__tablename__} ORDER BY 1").fetchall()
        for model in PROJECTIONS
    }


def check_files_and_tables(path):
    with closing(sqlite3.connect(f"file:{path / 'journal.sqlite'}?mode=ro", uri=True)) as db:
        recorded = dict(db.execute("SELECT path, sha256 FROM measurement").fetchall())
    files = {str(file.relative_to(path)) for file in (path / "measurements").rglob("*.npz")}
    assert files == recorded.keys()
    assert {name: hashlib.sha256((path / name).read_bytes()).hexdigest() for name in recorded} == recorded
    engine = CampaignDirectory.open(path).database(migrate=False)
    with engine.connect() as connection:
        live = tables(connection)
        rebuild(connection, list(read_events(connection)))
        assert tables(connection) == live
    engine.dispose()


def check_same(path, expected):
    found = story(path)
    assert found.trials == expected.trials
    assert found.measurements == expected.measurements
    assert found.acts == expected.acts
    assert {state for _, state in found.acts} == {"done"}
    assert found.world == expected.world
    check_files_and_tables(path)


def took(trial):
    *_, started_s, finished_s = trial
    return pytest.approx(finished_s - started_s)


def check_asked_a_person(path, expected):
    """Hold a campaign whose acts nothing can settle against an unkilled one: what is in doubt is lost, never repeated.

    Only an open OPERATOR act may cost a trial, at most the three that are under way at once for each kill.
    """
    found = story(path)
    assert {text.rpartition(" ")[2] for text in found.world} == {"1"}, "something was done twice"
    assert [trial[:2] for trial in found.trials] == [trial[:2] for trial in expected.trials]
    lost = {trial[0] for trial in found.trials if trial[2] == "lost"}
    assert all("ask a person" in trial[3] for trial in found.trials if trial[0] in lost)
    measured = [(trial[0], trial[4], took(trial)) for trial in found.trials if trial[0] not in lost]
    assert measured == [(trial[0], trial[4], took(trial)) for trial in expected.trials if trial[0] not in lost]
    assert {trial[2] for trial in found.trials} <= {"measured", "lost"}
    assert {command_id for command_id, state in found.acts if state != "done"} == {f"{n:06d}.0" for n in lost}
    check_files_and_tables(path)


def check_each_sample_was_made_once(path, expected):
    """Hold a laboratory with racks against its own file: nothing unsafe, and of every act on every sample one.

    Which sample goes first may differ after a kill, so times and places may; what is done to a sample may not.
    """
    with closing(sqlite3.connect(f"file:{path / 'world/bakery.sqlite'}?mode=ro", uri=True)) as db:
        items = {key: json.loads(value) for key, value in db.execute("SELECT key, value FROM state")}
    acts = [item for key, item in items.items() if key.startswith("act/")]
    assert [act["facts"] for act in acts if act["what"] == "unsafe"] == []
    tags = Counter(act["facts"]["tag"] for act in acts)
    assert set(tags.values()) == {1}, "something was done twice"
    trays = [item for key, item in items.items() if key.startswith("tray/")]
    assert {tray["place"] for tray in trays} == {"bin"}
    assert [(len(t["doses"]), t["milled"], len(t["bakes"])) for t in trays] == [(1, 2, 1)] * len(expected.trials)
    found = story(path)
    assert [(trial[0], trial[1], trial[2], trial[4]) for trial in found.trials] == [
        (trial[0], trial[1], trial[2], trial[4]) for trial in expected.trials
    ]
    assert {trial[2] for trial in found.trials} == {"measured"}
    check_files_and_tables(path)


# --- the proof ---------------------------------------------------------------------------------------------------


def kill_at_random(folder, task, kills, check):
    """Kill a campaign at so many points (None: at each), each in a directory of its own, and twice in every fifth.

    Returns how acts were settled after the kills.
    """
    whole = in_child(partial(go_on, task, folder / "whole"))
    assert set(whole) == PHASES, "the campaign does not write what it should"
    expected = story(folder / "whole")
    assert len(expected.trials) == task.campaign.budget.trials
    rng = np.random.default_rng(SEED)
    n_points = sum(whole.values())
    points = rng.choice(np.arange(1, n_points + 1), size=kills or n_points, replace=False)
    settled = Counter()
    for count, point in enumerate(sorted(points.tolist())):
        path = folder / f"killed-{point}"
        assert in_child(partial(go_on, task, path), kill_at=point) is None
        if count % 5 == 0:  # in its recovery, or soon after it
            in_child(partial(go_on, task, path), kill_at=int(rng.integers(1, 12)))
        assert in_child(partial(go_on, task, path)) is not None
        check(path, expected)
        settled += how_settled(path)
        shutil.rmtree(path)
    return settled


def how_settled(path):
    with closing(sqlite3.connect(f"file:{path / 'journal.sqlite'}?mode=ro", uri=True)) as db:
        return Counter(row[0] for row in db.execute("SELECT settled_by FROM step WHERE settled_by <> ''"))


quick = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")  # newer Pythons warn of threads; here are none


@quick
@pytest.mark.parametrize(
    ("name", "kills", "how"),
    # where trials run side by side, the intent of one's reading is committed with the acts of others
    [("film", 17, {"read back"}), ("bench", 12, {"read back", "file"}), ("sara", 4, {"read back"})],
    ids=["film", "bench", "sara"],
)
def test_a_campaign_killed_at_random_ends_as_one_that_was_not(tmp_path, name, kills, how):
    settled = kill_at_random(tmp_path, TASKS[name](), kills, check_same)
    assert settled.keys() == how


@quick
def test_what_was_known_beforehand_is_known_again_after_a_kill(tmp_path):
    source = EXAMPLES / "photocatalysis/campaign.yaml"
    made = start_of_trials(check_campaign(source, None, BENCH).require(), tmp_path / "before")
    (tmp_path / "known.csv").write_text(made)
    told = [f"known={tmp_path / 'known.csv'}", f"candidates={tmp_path / 'known.csv'}", *BENCH, "budget.trials=6"]
    (tmp_path / "more.csv").write_text("\n".join(made.splitlines()[:7]) + "\n")
    told[0] = f"known={tmp_path / 'more.csv'}"
    task = check_campaign(source, None, [*told, "planner.policy=logei", "planner.charge=2 s"]).require()
    kill_at_random(tmp_path, task, 3, check_same)


@quick
def test_the_time_of_a_trial_is_the_same_after_a_kill(tmp_path):
    timed = [
        "planner.policy=mobile_chemist",
        "planner.options={time: started_h}",
        "planner.charge=2 s",
        "budget.trials=18",
    ]
    source = EXAMPLES / "photocatalysis/campaign.yaml"
    kill_at_random(tmp_path, check_campaign(source, None, [*BENCH, *timed]).require(), 3, check_same)


def start_of_trials(task, path):
    """Run a campaign, and return what it measured as a table."""
    start(task, path, Settings(is_virtual=True, fsync=False))
    names = [parameter.name for parameter in task.campaign.parameters]
    lines = [[str(trial[1][name]) for name in names] + [str(trial[4]["hydrogen"])] for trial in story(path).trials]
    return "\n".join(",".join(line) for line in [[*names, "hydrogen"], *lines]) + "\n"


@quick
def test_what_nothing_can_settle_costs_its_trial_and_is_never_done_twice(tmp_path, kitchen):
    settled = kill_at_random(tmp_path, kitchen, 17, check_asked_a_person)
    assert settled.keys() == {"read back", "operator"}


@quick
def test_samples_in_racks_are_made_once_wherever_the_kill_came(tmp_path, bakery):
    settled = kill_at_random(tmp_path, bakery("budget.trials=6"), 12, check_each_sample_was_made_once)
    assert settled.keys() <= {"read back", "repeated", "file"}


@quick
@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_samples_in_racks_are_made_once_with_a_kill_at_every_point(tmp_path, bakery):
    kill_at_random(tmp_path, bakery("budget.trials=3"), None, check_each_sample_was_made_once)


@quick
@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", TASKS)
def test_a_campaign_killed_at_every_point_ends_as_one_that_was_not(tmp_path, name):
    kill_at_random(tmp_path, TASKS[name](), None, check_same)


@quick
@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_what_nothing_can_settle_is_never_done_twice_wherever_the_kill_came(tmp_path, kitchen):
    kill_at_random(tmp_path, kitchen, None, check_asked_a_person)
