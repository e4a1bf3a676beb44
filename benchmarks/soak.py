"""Run a powder laboratory for 60 virtual days and kill it on the way: `python benchmarks/soak.py --out DIR`.

`examples/powder_lab` with 64 homes and the world's ``harsh`` faults: those of published campaigns (dosing errors,
clogged dosers, dropped crucibles, power losses), grippers that miss, and one exchange in a thousand that goes wrong on
the wire. The process kills itself with SIGKILL at the k-th write of its journal or its world, k drawn from the seed,
and is started again. A seeded tenth of the diffractograms is analysed; for the rest the verdict counts that the same
recipe got in a campaign that was analysed in full beforehand.

Then three judges: the world's own log (`simulators.powder_lab.checker`, which knows the intents only), the measurement
files against their rows, and the tables against the journal that they are folded from.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
from scipy.stats import chi2

from orchestrator.check import Ready, check_campaign
from orchestrator.directory import CampaignDirectory
from orchestrator.errors import InputError
from orchestrator.execution import Settings, resume, start
from orchestrator.journal import Journal, read_events
from orchestrator.projections import rebuild
from orchestrator.store import PROJECTIONS
from simulators.powder_lab import world as powder_lab
from simulators.powder_lab.checker import check
from surrogate import ANALYSES, AnalysisResult, Finding

EXAMPLE = Path(__file__).parents[1] / "examples" / "powder_lab"
HOMES = 64
OVERRIDES = (
    "in_flight=60",
    "planner.policy=random",
    "parameters.1.low=850 degC",
    "parameters.1.high=1150 degC",
    "parameters.1.step=150 K",
    "recipe.3.fire.program.hold=4 h",
)
ANALYSED = 10
"""One diffractogram of so many is analysed."""
WRITES_PER_TRIAL = 900
"""About, of journal and world together; for drawing kills over the whole of a campaign."""
FORCED = {
    ("lost", "dropped"): "dropped crucible",
    ("askew", ""): "crucible that cannot be gripped",
    ("device", "clogged"): "clogged doser",
    ("device", "empty"): "empty doser",
}
"""Doubts, by kind and by what the device called it, that a hand must settle whatever a controller does."""


def main() -> None:
    """Soak, and judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--trials", type=int, default=3000)
    parser.add_argument("--days", type=float, default=60.0)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--recorded", type=int, default=36, help="trials of the campaign that is analysed in full")
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child is not None:
        _go_on(arguments, arguments.child)
        return
    began_s = time.monotonic()
    arguments.out.mkdir(parents=True)
    _record(arguments)
    recorded_s = time.monotonic() - began_s
    positions = _positions(arguments)
    n_kills = _soak(positions)
    took_s = time.monotonic() - began_s - recorded_s
    print(f"{n_kills} kills; {took_s / 60.0:.1f} min of wall time (and {recorded_s / 60.0:.1f} min for the verdicts)")
    _judge(arguments.out / "campaign", arguments)


def _positions(arguments: argparse.Namespace) -> list[int]:
    rng = np.random.default_rng([arguments.seed, crc32(b"kills")])
    mean = arguments.trials * WRITES_PER_TRIAL / (arguments.kills + 1)
    return [int(one) for one in rng.uniform(1, 2 * mean, arguments.kills)]


def _soak(positions: list[int]) -> int:
    n_kills = 0
    for kill_at in [*positions, 0]:
        code = subprocess.run([sys.executable, *sys.argv, "--child", str(kill_at)], check=False).returncode
        if code == -signal.SIGKILL:
            n_kills += 1
            continue
        if code:
            raise SystemExit(f"the campaign ended with {code} and not by a kill")
        break
    return n_kills


def _task(arguments: argparse.Namespace, *more: str) -> Ready:
    text = (EXAMPLE / "lab.yaml").read_text().replace("home-48", f"home-{HOMES}")
    lab = arguments.out / "lab.yaml"
    lab.write_text(f"{text}    profile: harsh\n    homes: {HOMES}\n    stock_mg: 2000000\n")
    given = [f"seed={arguments.seed}", f"budget.duration={arguments.days} d", *OVERRIDES, *more]
    return check_campaign(EXAMPLE / "campaign.yaml", lab, given).require()


# --- verdicts ----------------------------------------------------------------------------------------------------


def _key(parameters: Any) -> str:
    return f"{parameters['mixture']} at {float(parameters['temperature']):.0f}"


def _record(arguments: argparse.Namespace) -> None:
    """Analyse a short campaign in full, and write down what each recipe got."""
    place = arguments.out / "recorded"
    start(_task(arguments, f"budget.trials={arguments.recorded}"), place, Settings(is_virtual=True, fsync=False))
    verdicts: dict[str, float | None] = {}
    with closing(sqlite3.connect(place / "journal.sqlite")) as db:
        query = "SELECT parameters, outcome, \"values\" FROM trial WHERE outcome IN ('measured', 'failed')"
        for parameters, outcome, values in db.execute(query):
            found = json.loads(values).get("yield") if outcome == "measured" else None
            verdicts.setdefault(_key(json.loads(parameters)), found)
    (arguments.out / "verdicts.json").write_text(json.dumps(verdicts, indent=1, sort_keys=True))


class _Recorded:
    """The analysis of a soak: a seeded tenth for real, the rest as it was found before."""

    def __init__(self, verdicts: dict[str, float | None], seed: int) -> None:
        self._real = ANALYSES["phase_yield"]
        self.name, self.version = self._real.name, f"{self._real.version} recorded"
        self._verdicts, self._seed = verdicts, seed

    def problems(self, options: Any) -> list[str]:
        return self._real.problems(options)

    def __call__(self, measurements: Any, *, options: Any) -> AnalysisResult:
        trial = int(measurements[-1].metadata["trial"])
        key = _key(options["parameters"])
        is_real = crc32(f"{self._seed} {trial}".encode()) % ANALYSED == 0 or key not in self._verdicts
        if is_real:
            return self._real(measurements, options=options)
        value = self._verdicts[key]
        if value is None:
            return AnalysisResult(cannot_tell="recorded: the pattern could not tell")
        finding = Finding(parameters=dict(options["parameters"]), values={"yield": value}, sd={"yield": 0.05})
        return AnalysisResult(findings=(finding,), values={"yield": value})


# --- a process that kills itself ---------------------------------------------------------------------------------


def _go_on(arguments: argparse.Namespace, kill_at: int) -> None:
    verdicts = json.loads((arguments.out / "verdicts.json").read_text())
    ANALYSES["phase_yield"] = _Recorded(verdicts, arguments.seed)  # type: ignore[index]
    if kill_at:
        _count_down(kill_at)
    place = arguments.out / "campaign"
    if not (place / "campaign.json").exists():
        task = _task(arguments, f"budget.trials={arguments.trials}")
        ending = start(task, place, Settings(is_virtual=True, fsync=False))
    else:
        try:
            ending = resume(place)
        except InputError as error:
            if "has finished" not in str(error):
                raise
            return
    print(f"{ending.status}: {ending.reason}", flush=True)


def _count_down(kill_at: int) -> None:
    left = kill_at

    def passed() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    flush, turn = Journal.flush, powder_lab.PowderLab.turn

    def counted_flush(self: Journal) -> None:
        passed()
        flush(self)
        passed()

    @contextmanager
    def counted_turn(self: Any):  # noqa: ANN202
        with turn(self):
            yield
        passed()

    Journal.flush = counted_flush
    powder_lab.PowderLab.turn = counted_turn


# --- judges ------------------------------------------------------------------------------------------------------


def _judge(path: Path, arguments: argparse.Namespace) -> None:
    engine = CampaignDirectory.open(path).database(migrate=False)
    with engine.connect() as connection:
        events = list(read_events(connection))
        live = _tables(connection)
        rebuild(connection, events)
        is_equal = _tables(connection) == live
        connection.rollback()
    engine.dispose()
    kinds = Counter(event.kind for event in events)
    samples = kinds["sample_admitted"]
    found = check(path / "world" / "powder-lab.sqlite", _intents(events))
    rows = [
        ("virtual days", f"{events[-1].at_s / 86400.0:.1f}"),
        ("samples", str(samples)),
        ("trials measured / told nothing / lost", _outcomes(path)),
        ("journal entries", str(len(events))),
        ("controller starts", str(kinds["controller_started"])),
        ("violations found by the checker", f"{len(found)} {dict(Counter(one.rule for one in found)) or ''}"),
        ("measurements lost", str(_measurements_lost(path))),
        ("tables equal to the journal folded again", "yes" if is_equal else "NO"),
        ("open trials", str(_open_trials(path))),
        *_interventions(events, samples),
    ]
    print("\n| figure | value |\n|---|---|")
    for name, value in rows:
        print(f"| {name} | {value} |")
    print(f"\nend state {_state_hash(events)}")
    for one in found[:20]:
        print(f"violation: {one.rule} at {one.at_s:.0f} s: {one.detail}")


def _tables(connection: Any) -> dict[str, Any]:
    names = [model.__tablename__ for model in PROJECTIONS]
    return {name: connection.exec_driver_sql(f'SELECT * FROM "{name}" ORDER BY 1').fetchall() for name in names}


def _intents(events: list[Any]) -> list[dict[str, Any]]:
    intents: dict[str, dict[str, Any]] = {}
    for event in events:
        if event.kind == "step_intended" and event.command_id not in intents:
            intents[event.command_id] = {"id": event.command_id, "device": event.body["device"], "at_s": event.at_s}
        elif event.kind == "incident" and event.body["text"].startswith(
            "stopped "
        ):  # made safe: needs no intent before
            names = event.body["text"].removeprefix("stopped ").partition(" after ")[0].split(", ")
            intents |= {f"safe {event.seq} {name}": _made_safe(name, event) for name in names}
        elif event.kind in ("step_done", "step_failed", "step_rejected"):
            intents[event.command_id]["ends_s"] = event.at_s
    return list(intents.values())


def _made_safe(device: str, event: Any) -> dict[str, Any]:
    return {"id": f"safe-{event.seq}", "device": device, "at_s": event.at_s - 60.0, "ends_s": event.at_s}


def _outcomes(path: Path) -> str:
    with closing(sqlite3.connect(path / "journal.sqlite")) as db:
        counts = dict(db.execute("SELECT outcome, count(*) FROM trial GROUP BY outcome"))
    return " / ".join(str(counts.get(name, 0)) for name in ("measured", "failed", "lost"))


def _measurements_lost(path: Path) -> int:
    with closing(sqlite3.connect(path / "journal.sqlite")) as db:
        rows = db.execute("SELECT path, sha256 FROM measurement").fetchall()
    files = {str(file.relative_to(path)) for file in (path / "measurements").rglob("*.npz")}
    strangers = files - {name for name, _ in rows}
    return len(strangers) + sum(
        name not in files or hashlib.sha256((path / name).read_bytes()).hexdigest() != digest for name, digest in rows
    )


def _open_trials(path: Path) -> int:
    with closing(sqlite3.connect(path / "journal.sqlite")) as db:
        return db.execute("SELECT count(*) FROM trial WHERE state NOT IN ('told', 'failed', 'lost')").fetchone()[0]


def _interventions(events: list[Any], samples: int) -> list[tuple[str, str]]:
    doubts = [event.body for event in events if event.kind == "doubted"]
    restocks = sum(doubt["kind"] == "restock" for doubt in doubts)
    named = [(doubt["kind"], doubt["facts"].get("code", "")) for doubt in doubts if doubt["kind"] != "restock"]
    forced = dict(Counter(FORCED[one] for one in named if one in FORCED))
    others = dict(Counter(" ".join(one).strip() for one in named if one not in FORCED))
    return [
        ("planned restocks", str(restocks)),
        ("interventions that physics forces, per 100 samples", f"{_rate(sum(forced.values()), samples)} {forced}"),
        ("other interventions, per 100 samples", f"{_rate(sum(others.values()), samples)} {others or ''}"),
    ]


def _rate(count: int, samples: int) -> str:
    """Return a rate per 100 samples with its exact 95 % Poisson interval (Garwood, Biometrika 28, 437, 1936)."""
    low = chi2.ppf(0.025, 2 * count) / 2.0 if count else 0.0
    high = chi2.ppf(0.975, 2 * count + 2) / 2.0
    each = 100.0 / max(samples, 1)
    return f"{count * each:.2f} ({low * each:.2f} to {high * each:.2f}; {count} in all)"


def _state_hash(events: list[Any]) -> str:
    rows = [[event.kind, event.trial, event.command_id, round(event.at_s, 6)] for event in events]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16]


if __name__ == "__main__":
    main()
