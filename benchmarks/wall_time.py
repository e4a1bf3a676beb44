"""Run a powder laboratory on real ports for an hour and kill it on the way: `python benchmarks/wall_time.py --out DIR`.

`labpilot run` with the simulators of `examples/powder_lab` on pseudo-terminals, TCP and Modbus, in wall time. Furnace
programs, milling and counting are shortened (a box furnace takes an hour from 200 to 110 degC); nothing else is. The
controller is killed with SIGKILL at moments drawn from the seed and started again with `labpilot resume`, as a person
or a service manager would. The world goes on in between: a furnace that heats goes on heating. At the end `labpilot
report`, and the judges of `laws`.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from zlib import crc32

import numpy as np
from laws import judge, print_table

CAMPAIGN = Path(__file__).parents[1] / "examples" / "powder_lab" / "campaign.yaml"
SHORTENED = (
    "planner.policy=random",
    "parameters.1.low=125 degC",
    "parameters.1.high=135 degC",
    "parameters.1.step=10 K",
    "parameters.3.low=1 min",
    "parameters.3.high=2 min",
    "recipe.3.fire.program.rate=50 K/min",
    "recipe.3.fire.program.hold=1 min",
    "recipe.3.fire.cooling=50 K/min",
    "recipe.3.fire.unload_below=118 degC",
    "recipe.4.mill.duration=1 min",
    "recipe.5.diffract.count_time=0.02 s",
    "batch=4",
    "in_flight=8",
)
DOWN_S = (5.0, 60.0)
"""How long nobody starts a killed controller again."""


def main() -> None:
    """Run, kill, resume, report, and judge; ends with 1 where a law is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=65.0, help="for how long at least; trials are stopped then")
    parser.add_argument("--trials", type=int, default=24)
    parser.add_argument("--kills", type=int, default=6)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    began_s = time.monotonic()
    n_kills = _run(arguments, began_s)
    print(f"{n_kills} kills; {(time.monotonic() - began_s) / 60.0:.1f} min of wall time", flush=True)
    subprocess.run([*_labpilot("report"), str(arguments.out)], check=True)
    found = judge(arguments.out)
    print_table(arguments.out, found)
    sys.exit(0 if found.is_lawful else 1)


def _run(arguments: argparse.Namespace, began_s: float) -> int:
    """Start the campaign until it ends by itself or is asked to stop; return how often it was killed."""
    rng = np.random.default_rng([arguments.seed, crc32(b"kills in wall time")])
    end_s = began_s + 60.0 * arguments.minutes
    kills_s = [began_s + at_s for at_s in sorted(rng.uniform(60.0, 54.0 * arguments.minutes, arguments.kills))]
    n_kills = 0
    while True:
        controller = subprocess.Popen(_command(arguments))
        kill_s = next((at_s for at_s in kills_s if at_s > time.monotonic() + 5.0), None)
        code = _waited(controller, kill_s or end_s)
        if code is None and kill_s is not None:
            controller.kill()
            controller.wait()
            n_kills += 1
            print(f"killed after {(time.monotonic() - began_s) / 60.0:.1f} min", flush=True)
            time.sleep(float(rng.uniform(*DOWN_S)))
            continue
        if code is None:
            controller.send_signal(signal.SIGINT)
            code = controller.wait()
        if code:
            raise SystemExit(f"the campaign ended with {code}")
        return n_kills


def _waited(controller: subprocess.Popen[bytes], until_s: float) -> int | None:
    """Return the exit code, or None where it still ran at that moment."""
    try:
        return controller.wait(max(0.0, until_s - time.monotonic()))
    except subprocess.TimeoutExpired:
        return None


def _command(arguments: argparse.Namespace) -> list[str]:
    if (arguments.out / "campaign.json").exists():
        return [*_labpilot("resume"), str(arguments.out)]
    given = [f"seed={arguments.seed}", f"budget.trials={arguments.trials}", *SHORTENED]
    settings = [part for one in given for part in ("--set", one)]
    return [*_labpilot("run"), str(CAMPAIGN), "--out", str(arguments.out), *settings]


def _labpilot(command: str) -> list[str]:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    return [sys.executable, "-m", "orchestrator.cli.main", command]


if __name__ == "__main__":
    main()
