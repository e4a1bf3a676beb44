"""Entries per second of the journal, by store and by how often it commits, beside the disk's own fdatasync.

    python benchmarks/record.py [--store postgresql+psycopg://...] [--trials 200]

A trial of fifteen steps is appended over and over, with the tables folded from it. "intents" commits at each intent,
as a laboratory does; "asks" commits once a trial, as a simulation with repeatable acts does. Every commit looks at the
lease.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

from drivers.clock import RealClock
from orchestrator.directory import CampaignDirectory
from orchestrator.journal import Journal
from orchestrator.record.lease import acquire
from orchestrator.record.stores import store_of

CREATED = {"name": "record", "mode": "virtual", "seed": 0, "planner": "random"}
STEP = {"label": "heat", "device": "furnace", "command": "run", "effect": "verifiable"}
PROGRAM = {"target_c": 900.0, "rate_c_per_min": 5.0, "hold_s": 3600.0}
FOUND = {
    "values": {"y": 1.5},
    "details": {"curve": [1.0, 2.0] * 20},
    "analysis": "reading 1",
    "findings": [{"parameters": {"x": 1.0}, "values": {"y": 1.5}, "sd": {}, "failure": None}],
}


def asked(number):
    """Return an ask with one trial."""
    trial = {"number": number, "parameters": {"x": 1.0, "y": 2.0}, "is_control": False, "proposal_id": str(number)}
    body = {"index": number - 1, "n": 1, "asked_s": 0.0, "charged_s": 1.0, "wall_s": 0.5, "policy": "random"}
    return {**body, "fallback_reason": "", "diagnostics": {}, "trials": [{**trial, "predictions": {}}]}


def feed(journal, trials, *, commits_intents):
    """Append trials; return how many entries they are."""
    nothing = {name: {} for name in ("config", "lab", "provenance", "versions")}
    journal.append("campaign_created", {**CREATED, **nothing})
    for number in range(1, trials + 1):
        journal.append("asked", asked(number), durable=True)
        journal.append("trial_started", {"sample": f"s{number}", "place": {"x_mm": 1.0}}, trial=number)
        for step in range(15):
            path = f"0.{step}"
            keys = {"trial": number, "step": path, "command_id": f"{number:06d}.{path}"}
            intent = {**STEP, "path": path, "arguments": {**PROGRAM, "tag": keys["command_id"]}}
            journal.append("step_intended", intent, durable=commits_intents, **keys)
            journal.append("step_done", {"result": {"temperature_c": 899.7, "is_done": True}}, **keys)
        journal.append("plan_finished", {}, trial=number)
        journal.append("analysed", FOUND, trial=number)
        journal.append("told", {"trials": [number]})
    journal.flush()
    return 1 + trials * 35


def fdatasync_us(folder, times=300):
    """Return what the disk takes to keep 4 KiB more, in microseconds, the median."""
    taken = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(times):
            file.write(b"x" * 4096)
            file.flush()
            started = time.perf_counter()
            os.fdatasync(file.fileno())
            taken.append(time.perf_counter() - started)
    return 1e6 * sorted(taken)[times // 2]


def measure(folder, name, store, *, fsync, commits_intents, trials):
    """Return one line of the table."""
    engine = CampaignDirectory.create(folder / name, {}, store=store).database(fsync=fsync, migrate=True)
    journal = Journal(engine, RealClock(), epoch=acquire(engine).epoch)
    wall, cpu = time.perf_counter(), time.process_time()
    entries = feed(journal, trials, commits_intents=commits_intents)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    commits = journal.commits
    journal.close()
    engine.dispose()
    return f"{entries / wall:8.0f} {1e6 * cpu / entries:8.0f} {1e6 * wall / commits:8.0f}"


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--store", help="a PostgreSQL database to measure as well")
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--folder", type=Path, help="a folder on the disk to measure")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        print(f"fdatasync of 4 KiB: {fdatasync_us(folder):.0f} us")
        print(f"{'store':24} {'commits':8} {'entr./s':>8} {'cpu us':>8} {'us/comm.':>8}")
        stores = [("SQLite, fsync off", None, False), ("SQLite, fsync on", None, True)]
        if options.store:
            stores.append(("PostgreSQL", options.store, True))
        for label, url, fsync in stores:
            for commits, commits_intents in (("intents", True), ("asks", False)):
                store = store_of(url, {}, label="benchmark") if url else None
                place = f"{label}-{commits}"
                found = measure(
                    folder, place, store, fsync=fsync, commits_intents=commits_intents, trials=options.trials
                )
                print(f"{label:24} {commits:8} {found}", flush=True)


if __name__ == "__main__":
    main()
