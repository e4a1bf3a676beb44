"""Tables of `benchmarks/transfer.py`, in Markdown."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from transfer_families import FAMILIES, SCENARIOS

COUNTS = (5, 10, 20)
Key = tuple[str, int]
"""Family and seed: what is paired."""


def report(rows: Iterable[dict], seeds: Iterable[int]) -> None:
    """Print a table for each scenario, and our ratios family by family."""
    wanted = set(seeds)
    kept = [row for row in rows if row["seed"] in wanted]
    methods = list(dict.fromkeys(row["method"] for row in kept))
    for scenario in SCENARIOS:
        errors = {one: _by_key(kept, "regression", one, scenario) for one in methods}
        regrets = {one: _by_key(kept, "optimisation", one, scenario) for one in methods}
        if not any(errors.values()) and not any(regrets.values()):
            continue
        print(f"\n**{scenario}**\n")
        print(
            "| method (n) | RMSE/sd @5, 10, 20 | of cold's @5, 10, 20 (geometric mean) | wins @10 | median NLL @10 | "
            "95 % hold | regret @5, 10, 20 | AUC less cold's (standard error; upper 90 %) | won to lost | "
            "CPU s @5, 10, 20 |"
        )
        print("|---" * 10 + "|")
        for method in methods:
            print(_row(method, errors[method], errors["cold"], regrets[method], regrets["cold"]))
    _by_family(kept)


def _by_key(rows: list[dict], kind: str, method: str, scenario: str) -> dict[Key, dict]:
    return {
        (row["family"], row["seed"]): row
        for row in rows
        if (row["kind"], row["method"], row["scenario"]) == (kind, method, scenario)
    }


def _row(
    method: str, errors: dict[Key, dict], cold: dict[Key, dict], regrets: dict[Key, dict], of_cold: dict[Key, dict]
) -> str:
    cells = [f"{method} ({len(errors)}, {len(regrets)})"]
    if errors:
        rmse, covered = _floats(errors, "rmse"), _floats(errors, "covered")
        ratio = _ratios(errors, cold)
        cells += [
            _three(_mean(rmse)),
            _three(np.exp(_mean(ratio))),
            f"{(ratio[:, 1] < 0).mean():.2f}",
            f"{np.median([row['nll'][1] for row in errors.values()]):.2f}",
            _three(_mean(covered)),
        ]
    else:
        cells += ["-"] * 5
    if regrets:
        found = np.array([row["regret"] for row in regrets.values()])
        less = _areas(regrets, of_cold)
        error = less.std(ddof=1) / len(less) ** 0.5 if len(less) > 1 else np.nan
        cells += [
            _three(found.mean(axis=0)[[n - 1 for n in COUNTS]]),
            f"{less.mean():+.3f} ({error:.3f}; {less.mean() + 1.2816 * error:+.3f})",
            f"{(less < 0).sum()} to {(less > 0).sum()}",
        ]
    else:
        cells += ["-"] * 3
    cells.append(_three(_median(_floats(errors, "seconds"))) if errors else "-")
    return "| " + " | ".join(cells) + " |"


def _ratios(errors: dict[Key, dict], cold: dict[Key, dict]) -> np.ndarray:
    """Return logarithms of errors over cold's, ``pairs x counts``."""
    both = errors.keys() & cold.keys()
    each = sorted(both)
    mine, theirs = (_floats({one: rows[one] for one in each}, "rmse") for rows in (errors, cold))
    return np.log(mine / theirs)


def _floats(rows: dict[Key, dict], name: str) -> np.ndarray:
    """Return a figure of all rows, ``pairs x counts``; not a number where it was not measured."""
    return np.array([row[name] for row in rows.values()], dtype=float)


def _median(values: np.ndarray) -> np.ndarray:
    """Return medians over the pairs (of ``pairs x counts``) for which there is a figure."""
    each = [column[np.isfinite(column)] for column in values.T]
    return np.array([np.median(column) if len(column) else np.nan for column in each])


def _mean(values: np.ndarray) -> np.ndarray:
    """Return means over the pairs (of ``pairs x counts``) for which there is a figure."""
    found = np.isfinite(values)
    return np.where(found, values, 0.0).sum(axis=0) / np.where(found.any(axis=0), found.sum(axis=0), np.nan)


def _areas(regrets: dict[Key, dict], cold: dict[Key, dict]) -> np.ndarray:
    """Return differences of the mean regret over all points that were chosen, from the third on."""
    both = sorted(regrets.keys() & cold.keys())
    return np.array([np.mean(regrets[one]["regret"][2:]) - np.mean(cold[one]["regret"][2:]) for one in both])


def _three(values: np.ndarray) -> str:
    return ", ".join(f"{one:.2f}" if np.isfinite(one) else "-" for one in values)


def _by_family(rows: list[dict]) -> None:
    print(
        "\n| mixture, family | " + " | ".join(f"{one}: RMSE of cold's @10, AUC, 95 % @10" for one in SCENARIOS) + " |"
    )
    print("|---" * (len(SCENARIOS) + 1) + "|")
    for family in (one.name for one in FAMILIES):
        some = [row for row in rows if row["family"] == family]
        cells = []
        for scenario in SCENARIOS:
            ours, cold = (_by_key(some, "regression", one, scenario) for one in ("mixture", "cold"))
            mine, theirs = (_by_key(some, "optimisation", one, scenario) for one in ("mixture", "cold"))
            ratio = f"{np.exp(_ratios(ours, cold)[:, 1].mean()):.2f}" if ours else "-"
            area = f"{_areas(mine, theirs).mean():+.2f}" if mine else "-"
            covered = f"{np.mean([row['covered'][1] for row in ours.values()]):.2f}" if ours else "-"
            cells.append(f"{ratio}, {area}, {covered}")
        print(f"| {family} | " + " | ".join(cells) + " |")
