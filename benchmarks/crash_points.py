"""Crash points of one sample's life in `examples/powder_lab`, in virtual time: `python benchmarks/crash_points.py`.

The world has no faults of its own; the sample is dosed, weighed, milled, fired, ground, measured and put away. A first
life is not killed and numbers its moments (`crash_watch`): before and after each commit of the journal, each renaming
of a measurement file, and each exchange with each device; of equal requests of one command, which is how a driver
waits, the first, the middle and the last. Then lives that end at each of them (`crash_lives`): a process kills itself
there with SIGKILL, another resumes what it left, once nobody has been in control for a while, and judges look at what
came of it (`laws`; `crash_judges` for what differs from the unkilled life). In more lives the recovery is killed as
well, before and after each of its first commits.
"""

from __future__ import annotations

import argparse
import logging
import shutil
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from crash_judges import Verdict
from crash_lives import Case, Lives
from crash_watch import Moment, kept

from orchestrator.check import Ready, check_campaign

EXAMPLE = Path(__file__).parents[1] / "examples" / "powder_lab"
OVERRIDES = ("budget.trials=1", "batch=1", "in_flight=1", "planner.policy=random")
RECOVERY = 8
"""Moments of the journal in a recovery until it has settled what it found and goes on: start, two robots made ready,
and the act in doubt, before and after each commit."""
KINDS = ("journal", "file", "acting", "polling")


def main() -> None:
    """Kill everywhere, judge, and end with 1 where anything was lost, done twice or unsafe."""
    arguments = _arguments()
    logging.disable(logging.WARNING)  # of each restart, that it reconnects
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="crash-points-") as folder:
        lives = Lives(Path(folder), _task(arguments.seed), down_s=arguments.down_s)
        passed = lives.live_once()
        points = kept(passed)
        kills = _kills(points, arguments)
        n_lives = sum(map(len, kills.values()))
        print(f"{len(passed)} moments, {len(points)} of them crash points; {n_lives} lives", flush=True)
        if arguments.list:
            print("\n".join(map(str, kills)))
            return
        verdicts = [one for point, agains in kills.items() for one in lives.killed(point, agains)]
        if arguments.keep:
            shutil.copytree(folder, arguments.keep)
    _print_table(verdicts)
    failed = [(case, verdict) for case, verdict in verdicts if verdict.is_failed]
    print(f"\n{len(failed)} of {len(verdicts)} failed; {(time.monotonic() - began_s) / 60.0:.1f} min of wall time")
    more = f" --down-s {arguments.down_s:g} --seed {arguments.seed}"
    for case, verdict in failed:
        print(f"failed: --only {case.name}{more}: {case.moment}: {'; '.join(verdict.problems)}")
    sys.exit(1 if failed else 0)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--down-s", type=float, default=60.0, help="how long nobody is in control after each kill")
    parser.add_argument("--every", type=int, default=1, help="take every n-th crash point, and one of each kind")
    parser.add_argument(
        "--again",
        choices=["none", "one", "some", "all"],
        default="some",
        help="kills of recoveries: at one of their commits, dealt in turn, or at all; some: one after a kill at a "
        "polling exchange, all after others",
    )
    parser.add_argument("--only", nargs="*", default=[], metavar="N[.K]", help="these lives, by their names")
    parser.add_argument("--keep", type=Path, help="copy the directories of what failed there")
    parser.add_argument("--list", action="store_true", help="print the crash points, and do no more")
    return parser.parse_args()


def _task(seed: int) -> Ready:
    return check_campaign(EXAMPLE / "campaign.yaml", None, [f"seed={seed}", *OVERRIDES]).require()


def _kills(points: Sequence[Moment], arguments: argparse.Namespace) -> dict[Moment, list[int]]:
    """Return where lives are killed, and for each at which moments of its recovery's journal; 0: at none."""
    if arguments.only:
        return _named(points, arguments.only)
    taken = points[:: arguments.every]
    if arguments.every > 1:
        kinds = [[point for point in points if point.kind == kind] for kind in KINDS]
        taken = sorted({*taken, *(some[len(some) // 2] for some in kinds)}, key=lambda point: point.number)
    return {point: [0, *_again(point, index, arguments.again)] for index, point in enumerate(taken)}


def _named(points: Sequence[Moment], names: Sequence[str]) -> dict[Moment, list[int]]:
    numbered = {point.number: point for point in points}
    found: dict[Moment, list[int]] = defaultdict(list)
    for name in names:
        number, _, again = name.partition(".")
        found[numbered[int(number)]].append(int(again or 0))
    return found


def _again(point: Moment, index: int, how: str) -> Sequence[int]:
    if how == "none":
        return []
    if how == "all" or (how == "some" and point.kind != "polling"):
        return range(1, RECOVERY + 1)
    return [1 + (5 * index) % RECOVERY]  # 5: before and after a commit in turn


# --- the table ---------------------------------------------------------------------------------------------------


def _print_table(verdicts: Sequence[tuple[Case, Verdict]]) -> None:
    groups: dict[tuple[str, str], list[Verdict]] = defaultdict(list)
    points: dict[tuple[str, str], set[int]] = defaultdict(set)
    for case, verdict in verdicts:
        key = (case.moment.phase, case.moment.kind)
        groups[key].append(verdict)
        points[key].add(case.moment.number)
    names = ("phase", "at", "points", "lives", "resumed to the end", "measurements lost", "done twice", "violations")
    print(f"\n| {' | '.join(names)} | interventions | ended later by, s: median (largest) | failed |")
    print("|---" * (len(names) + 3) + "|")
    phases = list(dict.fromkeys(phase for phase, _ in groups))
    for key in sorted(groups, key=lambda key: (phases.index(key[0]), KINDS.index(key[1]))):
        print(_row(*key, len(points[key]), groups[key]))
    print(_row("all", "", sum(map(len, points.values())), [verdict for _, verdict in verdicts]))


def _row(phase: str, kind: str, n_points: int, verdicts: Sequence[Verdict]) -> str:
    lost_s = [verdict.lost_s for verdict in verdicts if verdict.is_resumed]
    cells = [
        phase,
        kind,
        n_points,
        len(verdicts),
        sum(verdict.is_resumed for verdict in verdicts),
        sum(verdict.measurements_lost for verdict in verdicts),
        sum(verdict.done_twice for verdict in verdicts),
        sum(verdict.violations for verdict in verdicts),
        sum(verdict.interventions for verdict in verdicts),
        f"{median(lost_s):.0f} ({max(lost_s):.0f})" if lost_s else "",
        sum(verdict.is_failed for verdict in verdicts),
    ]
    return f"| {' | '.join(map(str, cells))} |"


if __name__ == "__main__":
    main()
