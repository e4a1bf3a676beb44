"""Transfer against starting cold: `python benchmarks/transfer.py run --seeds 20`, then `report`.

Four families of tasks (`transfer_families`), sources of 50 random points with 5 % noise, four scenarios. *Regression*:
5, 10 and 20 random points of the target, errors on 580 others in units of the function's standard deviation.
*Optimisation*: two random points, then expected improvement on 600 candidates to 20 points; regret in units of the
candidates' maximum less their median. Cold is the planner's own Gaussian process, which agrees with BoTorch's default
to 1e-6 (`tests/surrogate/test_matern_gp_fit.py`). Rows are kept in benchmarks/results/transfer, and none is run twice.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from transfer_families import FAMILIES, SCENARIOS, Family, Task, tasks
from transfer_methods import BAYBE_PYTHON, METHODS, Data

RESULTS = Path(__file__).parent / "results" / "transfer"
N_SOURCE, N_TEST, N_CANDIDATES, N_BEGUN, N_POINTS = 50, 580, 600, 2, 20
KINDS = ("regression", "optimisation")
COUNTS = (5, 10, 20)
NOISE = 0.05
Z_95 = 1.959964


@dataclass(frozen=True, slots=True)
class Job:
    """One method on one task."""

    kind: str
    method: str
    family: str
    scenario: str
    seed: int
    counts: tuple[int, ...] = COUNTS
    """Of values of the target after which it predicts."""


def main() -> None:
    """Run, or report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=("run", "report"))
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=["cold", "mixture", "rgpe"])
    parser.add_argument("--baybe", metavar="PYTHON", help="interpreter of an environment with BayBE, for its method")
    parser.add_argument("--scenarios", nargs="+", default=list(SCENARIOS))
    parser.add_argument("--families", nargs="+", default=[one.name for one in FAMILIES])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument(
        "--counts", nargs="+", type=int, choices=COUNTS, default=list(COUNTS),
        help="numbers of values that regressions are made with: fewer for peers whose fits take minutes",
    )  # fmt: skip
    parser.add_argument("--workers", type=int, default=1)
    arguments = parser.parse_args()
    seeds = range(arguments.first, arguments.first + arguments.seeds)
    if arguments.action == "report":
        from transfer_report import report

        report(_rows(), seeds)
        return
    if arguments.baybe:
        os.environ[BAYBE_PYTHON] = arguments.baybe
    if "baybe" in arguments.methods and BAYBE_PYTHON not in os.environ:
        parser.error("method baybe needs --baybe, the interpreter of an environment with BayBE (`planners.py prepare`)")
    RESULTS.mkdir(parents=True, exist_ok=True)
    counts = tuple(sorted(arguments.counts))
    done = {_key(row) for row in _rows() if _holds(row, counts)}
    jobs = [
        Job(kind, method, family, scenario, seed, counts)
        for kind in arguments.kinds
        for seed in seeds
        for scenario in arguments.scenarios
        for family in arguments.families
        for method in arguments.methods
    ]
    jobs = [job for job in jobs if (job.kind, job.method, job.family, job.scenario, job.seed) not in done]
    with ProcessPoolExecutor(arguments.workers, mp_context=get_context("spawn")) as pool:
        for number, row in enumerate(pool.map(_done, jobs), start=1):
            with (RESULTS / f"{row['kind']}.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
            if number % 20 == 0:
                print(f"{number} of {len(jobs)}", flush=True)


def _rows() -> Iterator[dict]:
    for file in (RESULTS / f"{kind}.jsonl" for kind in KINDS):
        for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else ():
            yield json.loads(line)


def _holds(row: dict, counts: tuple[int, ...]) -> bool:
    """Say whether a stored row has what is asked for."""
    return row["kind"] != "regression" or all(row["rmse"][COUNTS.index(n)] is not None for n in counts)


def _key(row: dict) -> tuple:
    return row["kind"], row["method"], row["family"], row["scenario"], row["seed"]


def _done(job: Job) -> dict:
    family = next(one for one in FAMILIES if one.name == job.family)
    found = (_regression if job.kind == "regression" else _optimisation)(job, family)
    return {
        "kind": job.kind,
        "method": job.method,
        "family": job.family,
        "scenario": job.scenario,
        "seed": job.seed,
    } | found


def _drawn(job: Job, family: Family) -> tuple[Task, list[Data], np.random.Generator]:
    """Return the target, its sources' values, and the chance that is left; the same for all methods."""
    target, sources = tasks(family, job.scenario, job.seed)
    rng = np.random.default_rng([job.seed, 7])
    return target, [_measured(one, rng.random((N_SOURCE, family.d)), rng) for one in sources], rng


def _measured(task: Task, X: np.ndarray, rng: np.random.Generator) -> Data:
    spread = task(np.random.default_rng(1).random((N_TEST, X.shape[1]))).std()
    return Data(X, task(X) + NOISE * spread * rng.normal(size=len(X)))


def _regression(job: Job, family: Family) -> dict:
    target, sources, rng = _drawn(job, family)
    test = rng.random((N_TEST, family.d))
    truth = target(test)
    seen = _measured(target, rng.random((max(COUNTS), family.d)), rng)
    method = METHODS[job.method](sources, job.seed)
    found: dict[str, list[float | None]] = {"rmse": [], "covered": [], "nll": [], "seconds": []}
    for n in COUNTS:
        if n not in job.counts:
            for values in found.values():
                values.append(None)
            continue
        began = _cpu_s()
        mean, sd = method(seen.first(n), test)
        found["seconds"].append(_cpu_s() - began)
        found["rmse"].append(float(np.sqrt(((mean - truth) ** 2).mean()) / truth.std()))
        found["covered"].append(float((np.abs(mean - truth) <= Z_95 * sd).mean()))
        scaled = (truth - mean) / sd
        found["nll"].append(float(np.median(0.5 * scaled**2 + np.log(sd / truth.std()) + 0.5 * np.log(2 * np.pi))))
    return found


def _cpu_s() -> float:
    """Return what this process and those that it has waited for have used."""
    return sum(os.times()[:4])


def _optimisation(job: Job, family: Family) -> dict:
    target, sources, rng = _drawn(job, family)
    candidates = rng.random((N_CANDIDATES, family.d))
    truth = target(candidates)
    values = _measured(target, candidates, rng).y
    method = METHODS[job.method](sources, job.seed)
    tried = list(rng.choice(N_CANDIDATES, N_BEGUN, replace=False))
    best: list[float] = []
    for n in range(1, N_POINTS + 1):
        if n > N_BEGUN:
            tried.append(_next(method, candidates, values, tried))
        at_least = truth[tried[:n]].max()
        best.append(float((truth.max() - at_least) / (truth.max() - np.median(truth))))
    return {"regret": best}


def _next(method, candidates: np.ndarray, values: np.ndarray, tried: list[int]) -> int:  # noqa: ANN001
    """Return the candidate of the largest expected improvement over the best predicted mean so far."""
    from scipy.stats import norm

    mean, sd = method(Data(candidates[tried], values[tried]), candidates)
    above = (mean - mean[tried].max()) / sd
    improvement = sd * (above * norm.cdf(above) + norm.pdf(above))
    improvement[tried] = -np.inf
    return int(improvement.argmax())


if __name__ == "__main__":
    main()
