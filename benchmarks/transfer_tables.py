"""Transfer between measured tables: `python benchmarks/transfer_tables.py --data DATA --seeds 10`.

Tables of one reaction with other substrates, solvents or products are campaigns of one family. Each is the target once:
its rows are the only points that may be tried, and `N_SOURCE` random rows of each of the others are the sources. Counts
trials until the first whose value is among the best 5 % of the table, for the policies `logei` (which knows the target
alone, and fills the space first) and `transfer`. Ratios are of `logei` over `transfer`, of medians and of means over
seeds; those of a family are geometric means over its targets.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from time import process_time

import numpy as np
import pandas as pd

from planner import Categorical, Continuous, Objective, Observation, Planner, SearchSpace

N_SOURCE = 40
TOP = 0.05
MOST = 60
"""Trials after which a run ends; it counts as so many."""
POLICIES = ("logei", "transfer")
RESULTS = Path(__file__).with_name("results") / "transfer" / "tables.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Campaigns that are alike."""

    name: str
    columns: tuple[str, ...]
    """Of the settings; words and numbers."""
    value: str
    """Of what is maximised."""
    read: Callable[[Path], Mapping[str, pd.DataFrame]]
    """Returns the tables by name, from the folder of all data."""


def _split(file: str, by: str) -> Callable[[Path], Mapping[str, pd.DataFrame]]:
    def read(data: Path) -> Mapping[str, pd.DataFrame]:
        whole = pd.read_csv(data / file)
        # numbers for names: what is split by are formulas of molecules
        return {f"{by} {i}": part for i, (_, part) in enumerate(whole.groupby(by, sort=True))}

    return read


def _files(pattern: str) -> Callable[[Path], Mapping[str, pd.DataFrame]]:
    return lambda data: {file.stem: pd.read_csv(file) for file in sorted(data.glob(pattern))}


FAMILIES = (
    Family(
        name="suzuki in flow, by substrates",
        columns=("ligand", "res_time", "temperature", "catalyst_loading"),
        value="yield",
        read=_files("suzuki_flow_mixed/*.csv"),
    ),
    Family(
        name="direct arylation, by solvent",
        columns=("Base_SMILES", "Ligand_SMILES", "Concentration", "Temp_C"),
        value="yield",
        read=_split("direct_arylation/direct_arylation.csv", "Solvent_SMILES"),
    ),
    Family(
        name="Buchwald-Hartwig, by product",
        columns=("aryl_halide", "additive", "base", "ligand"),
        value="yield",
        read=_files("buchwald_hartwig/*.csv"),
    ),
    Family(
        name="C-N coupling in droplets, by nucleophile",
        columns=("catalyst", "base", "base_equivalents", "temperature", "residence_time"),
        value="yield",
        read=_files("cn_coupling_droplet/*.csv"),
    ),
    Family(
        name="Suzuki, by electrophile",
        columns=("nucleophile", "base", "ligand", "solvent"),
        value="yield",
        read=_split("suzuki_edbo/suzuki_edbo.csv", "electrophile"),
    ),
)


def main() -> None:
    """Measure what is missing, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="where the measured tables are")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--families", nargs="+", type=int, default=range(len(FAMILIES)), help="numbers, from 0")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    arguments.results.parent.mkdir(parents=True, exist_ok=True)
    done = _rows(arguments.results)
    keys = {_key(row) for row in done}
    jobs = [
        (arguments.data, number, target, seed, policy)
        for seed in range(arguments.first, arguments.first + arguments.seeds)
        for number in arguments.families
        for target in FAMILIES[number].read(arguments.data)
        for policy in POLICIES
    ]
    jobs = [job for job in jobs if (FAMILIES[job[1]].name, *job[2:]) not in keys]
    with ProcessPoolExecutor(arguments.workers, mp_context=get_context("spawn")) as pool:
        for row in pool.map(_run, jobs):
            with arguments.results.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
            done.append(row)
    wanted = range(arguments.first, arguments.first + arguments.seeds)
    report([row for row in done if row["seed"] in wanted], [FAMILIES[number].name for number in arguments.families])


def _rows(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def _key(row: dict) -> tuple:
    return row["family"], row["target"], row["seed"], row["policy"]


def _run(job: tuple[Path, int, str, int, str]) -> dict:
    data, number, target, seed, policy = job
    family = FAMILIES[number]
    tables = {name: _clean(table, family) for name, table in family.read(data).items()}
    mine = tables.pop(target)
    rng = np.random.default_rng(seed)
    sources = [_source(name, table, family, rng) for name, table in tables.items()]
    planner = Planner(
        _space(family, mine, list(tables.values())),
        [Objective("value", "maximize")],
        seed=seed,
        policy=policy,
        options={"sources": sources} if policy == "transfer" else {},
    )
    values = {
        _point_key(point): float(value) for point, value in zip(_points(mine, family), mine[family.value], strict=True)
    }
    least, began, n = float(mine[family.value].quantile(1.0 - TOP)), process_time(), 0
    while n < MOST:
        proposal, n = planner.ask()[0], n + 1
        value = values[_point_key(proposal.parameters)]
        if value >= least:
            break
        planner.tell([Observation(parameters=proposal.parameters, proposal_id=proposal.id, values={"value": value})])
    return {
        "family": family.name,
        "target": target,
        "seed": seed,
        "policy": policy,
        "trials": n,
        "reached": value >= least,
        "cpu_s": round((process_time() - began) / n, 3),
    }


def _clean(table: pd.DataFrame, family: Family) -> pd.DataFrame:
    """Return one row for each setting: the mean of its replicates."""
    return (
        table.dropna(subset=[*family.columns, family.value])
        .groupby(list(family.columns), as_index=False)
        .mean(numeric_only=True)[[*family.columns, family.value]]
    )


def _space(family: Family, mine: pd.DataFrame, others: Sequence[pd.DataFrame]) -> SearchSpace:
    """Return the target's rows as a pool; words and ranges are those of all tables."""
    every = pd.concat([mine, *others])
    parameters = [
        Continuous(name, float(every[name].min()), float(every[name].max()))
        if pd.api.types.is_numeric_dtype(every[name])
        else Categorical(name, sorted(every[name].unique()))
        for name in family.columns
    ]
    return SearchSpace(parameters, candidates={name: mine[name].tolist() for name in family.columns})


def _source(name: str, table: pd.DataFrame, family: Family, rng: np.random.Generator) -> dict:
    some = table.iloc[np.sort(rng.choice(len(table), min(N_SOURCE, len(table)), replace=False))]
    return {"name": name, "points": _points(some, family), "values": [float(one) for one in some[family.value]]}


def _points(table: pd.DataFrame, family: Family) -> list[dict]:
    return [
        {
            name: value if isinstance(value, str) else float(value)
            for name, value in zip(family.columns, row, strict=True)
        }
        for row in table[list(family.columns)].itertuples(index=False)
    ]


def _point_key(point: Mapping[str, object]) -> tuple:
    return tuple(one if isinstance(one, str) else round(float(one), 6) for one in point.values())  # type: ignore[arg-type]


def report(rows: Sequence[dict], families: Sequence[str]) -> None:
    """Print the table, by target and by family."""
    print("| family | target | logei | transfer | of medians | of means [90 %] |\n|---|---|---|---|---|---|")
    medians: dict[str, list[float]] = {}
    means: dict[str, list[float]] = {}
    for family in families:
        mine = [row for row in rows if row["family"] == family]
        for target in sorted({row["target"] for row in mine}):
            found = {
                policy: {
                    row["seed"]: row["trials"] for row in mine if (row["target"], row["policy"]) == (target, policy)
                }
                for policy in POLICIES
            }
            seeds = sorted(set.intersection(*(set(one) for one in found.values())))
            if not seeds:
                continue
            alone, helped = (np.array([found[policy][seed] for seed in seeds], dtype=float) for policy in POLICIES)
            medians.setdefault(family, []).append(float(np.median(alone) / np.median(helped)))
            means.setdefault(family, []).append(float(alone.mean() / helped.mean()))
            low, high = _interval(alone, helped)
            cells = [
                f"{np.median(one):g} [{np.quantile(one, 0.25):g}, {np.quantile(one, 0.75):g}]"
                for one in (alone, helped)
            ]
            print(
                f"| {family} | {target} | {' | '.join(cells)} | {medians[family][-1]:.2f} | "
                f"{means[family][-1]:.2f} [{low:.2f}, {high:.2f}] |"
            )
    if not medians:
        return
    print("\n| family | targets | of medians, geometric mean, least | of means, geometric mean, least |")
    print("|---" * 4 + "|")
    for family, some in medians.items():
        print(f"| {family} | {len(some)} | {_in_short(some)} | {_in_short(means[family])} |")
    for name, ratios in (("medians", medians), ("means", means)):
        every = [one for some in ratios.values() for one in some]
        print(f"\nratios of {name}: median over {len(every)} targets {np.median(every):.2f}, least {min(every):.2f}")
    seconds = [row["cpu_s"] for row in rows if row["policy"] == "transfer"]
    print(f"CPU s an ask with sources: median {np.median(seconds):.2f}, most {max(seconds):.2f}")


def _quartiles(trials: np.ndarray) -> str:
    return f"{np.median(trials):g} [{np.quantile(trials, 0.25):g}, {np.quantile(trials, 0.75):g}]"


def _in_short(ratios: Sequence[float]) -> str:
    return f"{np.exp(np.mean(np.log(ratios))):.2f}, {min(ratios):.2f}"


def _interval(alone: np.ndarray, helped: np.ndarray) -> np.ndarray:
    """Return the 90 % bootstrap interval of the ratio of means over pairs of runs."""
    chosen = np.random.default_rng(0).integers(len(alone), size=(4000, len(alone)))
    return np.quantile(alone[chosen].mean(axis=1) / helped[chosen].mean(axis=1), [0.05, 0.95])


if __name__ == "__main__":
    main()
