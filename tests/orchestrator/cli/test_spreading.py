"""`labpilot simulate` over processes and clusters: real schedulers, real workers, some of which are killed."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from orchestrator.cli.main import supervise
from tests.surrogate.compute.cluster.machines import local_cluster, wait_until

EXAMPLES = Path(__file__).parents[3] / "examples"
BENCH = [str(EXAMPLES / "photocatalysis/campaign.yaml"), "--planner", "random", "--set", "planner.charge=2 s"]
SCREENING = [str(EXAMPLES / "screening/campaign.yaml"), "--planner", "random", "--set", "planner.charge=2 s"]
MEASURED = {"wall_s", "planning_wall_s", "planning_cpu_s"}
"""What no two runs have in common."""


@pytest.fixture(scope="module")
def cluster():
    with local_cluster() as made:
        yield made


def repeatable(results):
    """Return what equal seeds must have in common, to the last digit."""
    return [{name: value for name, value in result.items() if name not in MEASURED} for result in results]


def results_of(path):
    return repeatable(json.loads(path.read_text()))


def local(tmp_path, *arguments):
    """Simulate one seed after the other, in this process."""
    assert supervise(["simulate", *arguments, "--json", str(tmp_path / "local.json")]) == 0
    return results_of(tmp_path / "local.json")


@contextmanager
def simulating(log, *arguments):
    """Run the command in a process of its own, which hears Ctrl-C as at a terminal."""
    with log.open("wb") as file, subprocess.Popen(
        [sys.executable, "-m", "orchestrator.cli.main", "simulate", *arguments], stdout=file, stderr=file,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "COLUMNS": "200"},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            process.kill()


def test_processes_come_to_what_one_comes_to_and_make_nothing_twice(tmp_path, capsys):
    task = [*SCREENING, "--trials", "4", "--seed", "5"]
    spread = [*task, "--workers", "2", "--out", str(tmp_path / "kept"), "--json", str(tmp_path / "r.json")]
    assert supervise(["simulate", *spread, "--repeat", "2"]) == 0
    (folder,) = (tmp_path / "kept").iterdir()
    before = {file.name: file.stat().st_mtime_ns for file in folder.glob("seed-*")}
    assert sorted(before) == ["seed-0005.json", "seed-0006.json"]
    assert "2 seeds: 2 finished; kept in " in capsys.readouterr().out
    assert supervise(["simulate", *spread, "--repeat", "3"]) == 0
    assert "made before: 2 of 3 seeds" in capsys.readouterr().out
    assert {file.name: file.stat().st_mtime_ns for file in folder.glob("seed-*")}.items() > before.items()
    assert results_of(tmp_path / "r.json") == local(tmp_path, *task, "--repeat", "3")
    assert supervise(["simulate", *spread, "--repeat", "3"]) == 0
    assert "spread over" not in capsys.readouterr().out, "nothing was to be made"


def test_a_cluster_that_is_interrupted_and_loses_a_worker_comes_to_what_one_process_comes_to(tmp_path, cluster):
    task = [*BENCH, "--trials", "60", "--repeat", "4"]
    out, log, file = tmp_path / "kept", tmp_path / "log", tmp_path / "r.json"
    where = ["--cluster", cluster.scheduler_address, "--out", str(out), "--json", str(file)]
    with simulating(log, *task, *where) as process:
        wait_until(lambda: any(out.glob("*/seed-*.json")))
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130, log.read_text()
    done = results_of(file)
    assert 1 <= len(done) < 4 and f"interrupted: {len(done)} of 4 seeds" in log.read_text()
    with simulating(log, *task, *where) as process:
        workers = [psutil.Process(one.process.pid) for one in cluster.workers.values()]
        wait_until(lambda: any(map(is_at_work, workers)))
        next(one for one in workers if is_at_work(one)).kill()
        assert process.wait(timeout=120) == 0, log.read_text()
    said = log.read_text()
    assert f"made before: {len(done)} of 4 seeds" in said and "4 seeds: 4 finished; kept in " in said
    assert "was begun again (lost: the worker has left the cluster, on " in said
    results = results_of(file)
    assert results == local(tmp_path, *task) and all(result in results for result in done)


def is_at_work(worker):
    """Return whether a process of ours below a worker is in the middle of a seed."""
    with suppress(psutil.NoSuchProcess):
        ours = [one for one in worker.children(recursive=True) if "surrogate.compute.worker" in one.cmdline()]
        return any(list(Path(one.environ()["TMPDIR"]).glob("*/run/journal.sqlite")) for one in ours)
    return False


def test_a_changed_campaign_is_begun_anew_and_what_was_made_is_named(tmp_path, capsys):
    spread = [*BENCH, "--workers", "1", "--out", str(tmp_path), "--set", "batch=1", "--set", "controls=[]"]
    assert supervise(["simulate", *spread, "--trials", "2"]) == 0
    capsys.readouterr()
    assert supervise(["simulate", *spread, "--trials", "3", "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["trials"][-1]["number"] == 3, "one seed is one object"
    assert supervise(["simulate", *spread, "--trials", "2", "--repeat", "1"]) == 0
    said = capsys.readouterr().out
    assert "not used, as made under other terms: 1 in " in said and "(other campaign.budget.trials)" in said
    assert "made before: 1 of 1 seed" in said


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--cluster", "tcp://10.0.0.5:8786"], "tcp://10.0.0.5:8786 is not on this machine, and without TLS"),
        (["--cluster", "tls://10.0.0.5:8786"], "give --cluster-ca FILE, or set LABPILOT_CLUSTER_CA"),
        (["--cluster", "tcp://127.0.0.1:8786", "--workers", "2"], "give --cluster or --workers, not both"),
        (["--cluster-key", "key.pem"], "--cluster-key is of no use without --cluster"),
        (["--workers", "2", "--fsync"], "--fsync is for campaign directories"),
        (["--workers", "2", "--set", "budget.trails=4"], "did you mean 'trials'?"),
    ],
    ids=["no TLS", "no files", "both", "no cluster", "fsync", "campaign"],
)
def test_what_is_wrong_is_said_before_the_start(tmp_path, monkeypatch, capsys, more, message):
    for part in ("CA", "CERT", "KEY"):
        monkeypatch.delenv(f"LABPILOT_CLUSTER_{part}", raising=False)
    assert supervise(["simulate", *BENCH, "--out", str(tmp_path / "kept"), *more]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "kept").exists()


def test_a_scheduler_that_is_not_there_is_told_at_once(tmp_path, capsys):
    began_s = time.monotonic()
    assert supervise(["simulate", *BENCH, "--out", str(tmp_path / "kept"), "--cluster", "tcp://127.0.0.1:1"]) == 2
    assert "no scheduler answers at tcp://127.0.0.1:1 (Connection refused); start one" in capsys.readouterr().err
    assert time.monotonic() - began_s < 20.0 and not (tmp_path / "kept").exists()
