"""Run a powder laboratory for 60 virtual days and kill it on the way: `python benchmarks/soak.py --out DIR`.

`examples/powder_lab` with 64 homes and the world's ``harsh`` faults: those of published campaigns (dosing errors,
clogged dosers, dropped crucibles, power losses), grippers that miss, and one exchange in a thousand that goes wrong on
the wire. The process kills itself with SIGKILL at the k-th write of its journal or its world, k drawn from the seed,
and is started again. A seeded tenth of the diffractograms is analysed; for the rest the verdict counts that the same
recipe got in a campaign that was analysed in full beforehand. Then the judges of `laws`.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
from laws import judge, print_table

from orchestrator.check import Ready, check_campaign
from orchestrator.errors import InputError
from orchestrator.execution import Settings, resume, start
from orchestrator.journal import Journal
from simulators.powder_lab import world as powder_lab
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
    found = judge(arguments.out / "campaign")
    print_table(arguments.out / "campaign", found)


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


if __name__ == "__main__":
    main()
