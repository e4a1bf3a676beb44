"""What `planners.py report` says: a table for each problem, the ratios to the peers, and a plot of the regret."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from planner_peers import ENTRIES
from planner_plot import draw
from planner_references import Reference, load
from planner_statistics import Comparison, experiments, reached, regrets
from planner_store import Run, Store

from planner.comparison import LEVEL, quartiles

AT = (15, 30, 60)
N_LAST = 5
"""Cycles whose CPU time is told, the last ones."""
HEAD = (
    *("planner", "seeds"),
    *(f"regret at {n}" for n in AT),
    *("experiments to the top 1 %", "reached", "failures", "duplicates", "violations", "CPU s a cycle", "stopped"),
)


@dataclass(frozen=True, kw_only=True)
class Findings:
    """All runs of a report, by problem and planner; whoever cannot express a problem is in with empty runs."""

    runs: Mapping[str, Mapping[str, Sequence[Run]]]
    references: Mapping[str, Reference]
    halves: Mapping[str, str]
    budget: int

    def counts(self) -> dict[str, dict[str, dict[int, int]]]:
        """Return experiments to the top 1 %; a variant is its original where they are the same.

        Whoever cannot express a problem never reaches it.
        """
        return {problem: self._counts(problem, found) for problem, found in self.runs.items()}

    def _counts(self, problem: str, found: Mapping[str, Sequence[Run]]) -> dict[str, dict[int, int]]:
        reference = self.references[problem]
        counts = {
            planner: {run.seed: experiments(run, reference.top, self.budget) for run in runs}
            for planner, runs in found.items()
        }
        for name, entry in ENTRIES.items():
            if name not in counts and entry.variant_of in counts and not reference.fails:
                counts[name] = counts[entry.variant_of]
        return counts


def gather(options: argparse.Namespace) -> Findings:
    """Read the stored runs of the chosen seeds."""
    references, store = load(), Store(options.results)
    halves = {name: reference.half for name, reference in references.items()}
    wanted = [name for name in references if not options.problems or name in options.problems]
    wanted = [name for name in wanted if options.split == "report" or halves[name] == "tune"]
    runs: dict[str, dict[str, list[Run]]] = {}
    for problem in wanted:
        for planner in options.planners:
            kept = store.runs(planner, problem)
            chosen = [kept[seed] for seed in options.seeds if seed in kept]
            chosen = [run for run in chosen if run.revision == references[problem].revision]
            if chosen:
                runs.setdefault(problem, {})[planner] = chosen
    return Findings(runs=runs, references=references, halves=halves, budget=options.budget)


def report(options: argparse.Namespace) -> None:
    """Write the report and the plot beside the results, and print the report."""
    findings = gather(options)
    text = "\n".join(page(findings)) + "\n"
    (options.results / f"report-{options.split}.md").write_text(text)
    draw(findings.runs, {n: r.optimum for n, r in findings.references.items()}, options.budget).savefig(
        options.results / f"regret-{options.split}.svg", metadata={"Date": None}
    )
    print(text)


def page(findings: Findings) -> Iterator[str]:
    """Return the lines of the report."""
    yield from ratios(findings)
    for problem, found in findings.runs.items():
        reference = findings.references[problem]
        yield ""
        yield (
            f"**{problem}** ({findings.halves[problem]}): optimum {reference.optimum:.5g}, top 1 % below "
            f"{reference.top:.5g}, noise sd there {reference.noise_sd:.3g}"
            + (f", {reference.fails:.0%} of the space fails" if reference.fails else "")
        )
        yield ""
        yield from table(HEAD, (row(name, runs, reference, findings.budget) for name, runs in found.items()))


def ratios(findings: Findings) -> Iterator[str]:
    """Return the lines that compare experiments to the top 1 % over all problems."""
    whole = Comparison(counts=findings.counts())
    yield f"Experiments to the top 1 %, peers' over ours, geometric mean over problems [{LEVEL:.0%} interval]:"
    yield ""
    halves = {half: [p for p in whole.problems if half in ("all", findings.halves[p])] for half in HALVES}
    halves = {half: problems for half, problems in halves.items() if problems}
    everyone = list(dict.fromkeys(peer for problem in whole.problems for peer in whole.peers(problem)))
    rows = [["best peer of each problem", *(str(whole.best_of_each(problems)) for problems in halves.values())]]
    for peer in everyone:
        had = {half: [p for p in problems if peer in whole.counts[p]] for half, problems in halves.items()}
        cells = [
            f"{whole.peer_overall(mine, peer)} ({len(mine)} of {len(halves[half])})" if mine else "-"
            for half, mine in had.items()
        ]
        rows.append([peer, *cells])
    yield from table(["peer", *(f"{half} ({len(problems)})" for half, problems in halves.items())], rows)
    yield ""
    best = best_overall(whole)
    if best:
        yield f"Best peer overall, of those with the most problems: {best}."
    for problem in whole.problems:
        each = {peer: ratio for peer in whole.peers(problem) if (ratio := whole.ratio(problem, peer)) is not None}
        if each:
            lowest = min(each, key=lambda peer: each[peer])
            yield f"- {problem}: best peer {lowest}, ratio {each[lowest]:.2f}"


HALVES = ("all", "tune", "held out")


def best_overall(whole: Comparison) -> str | None:
    """Return the peer with the least geometric mean among those that have the most problems."""
    had: dict[str, list[str]] = {}
    for problem in whole.problems:
        for peer in whole.peers(problem):
            had.setdefault(peer, []).append(problem)
    most = max(map(len, had.values()), default=0)
    full = {peer: whole.peer_overall(problems, peer) for peer, problems in had.items() if len(problems) == most}
    if not full:
        return None
    name = min(full, key=lambda peer: full[peer].value)
    return f"{name}, {full[name]} over {most} problems"


def row(name: str, runs: Sequence[Run], reference: Reference, budget: int) -> list[str]:
    """Return the cells of one planner on one problem."""
    if runs[0].is_unsupported:
        return [name, "-", *["-"] * (len(HEAD) - 3), runs[0].stopped]
    curves = np.array([regrets(run, reference.optimum, budget) for run in runs])
    counts = [experiments(run, reference.top, budget) for run in runs]
    n_reached = sum(reached(run, reference.top, budget) is not None for run in runs)
    stopped = [f"seed {run.seed} at {len(run.true)}: {run.stopped}" for run in runs if run.stopped]
    return [
        f"{name} {', '.join(sorted({run.version for run in runs}))}",
        str(len(runs)),
        *(spread(curves[:, n - 1]) if n <= budget else "-" for n in AT),
        spread(counts),
        f"{n_reached} of {len(runs)}",
        *(mean(values) for values in ([run.failures for run in runs], [run.duplicates for run in runs])),
        str(sum(run.violations for run in runs)),
        cycle(runs, budget),
        "; ".join(stopped),
    ]


def cycle(runs: Sequence[Run], budget: int) -> str:
    """Return the CPU seconds of the last cycles, of runs that were not stopped."""
    seconds = [s for run in runs if len(run.true) >= budget for s in run.cpu_s[-N_LAST:]]
    return f"{np.median(seconds):.3g}" if seconds else "-"


def spread(values: Sequence[float] | np.ndarray) -> str:
    """Return a median with its quartiles."""
    middle, low, high = (f"{value:.3g}" for value in quartiles(list(values)))
    return f"{middle} [{low}, {high}]"


def mean(values: Sequence[float]) -> str:
    """Return a mean a run."""
    return f"{np.mean(values):.3g}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Return the lines of a table."""
    yield f"| {' | '.join(head)} |"
    yield "|---" * len(head) + "|"
    for cells in rows:
        yield f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"
