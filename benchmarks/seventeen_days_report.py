"""The table and the plot of `seventeen_days.py`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from orchestrator.people.interventions import poisson_interval

MADE = 0.5
Laboratory = Mapping[str, Any]


def report(laboratories: Sequence[Laboratory]) -> None:
    """Print a row for each laboratory, one for all, and what hands were needed for."""
    print(
        "\n| seed | recipes | measured | lost | days | powders of at least 50 % | targets made | claims | false "
        "| interventions per 100 | of which physics forces | others | restocks | CPU min |\n" + "|---" * 14 + "|"
    )
    for one in laboratories:
        _row(str(one["seed"]), list(one["campaigns"].values()))
    every = [campaign for one in laboratories for campaign in one["campaigns"].values()]
    _row("all", every)
    forced, others = (_summed(every, key) for key in ("forced", "others"))
    print(f"\nforced: {_words(forced)}; others: {_words(others)}")
    longest = max(one["unassisted"] for one in every)
    print(f"longest run without an intervention: {longest} experiments")
    wrong = _summed(every, "violations")
    print(f"violations in the world's own log, measurements lost: {_words(wrong)}, ", end="")
    print("none" if all(one["is_lawful"] or one["violations"] for one in every) else "SOME")


def _row(name: str, campaigns: Sequence[Mapping[str, Any]]) -> None:
    powders = [powder for one in campaigns for powder in one["powders"]]
    claimed = [powder for powder in powders if powder["claimed"]]
    recipes = sum(one["recipes"] for one in campaigns)
    outcomes = _summed(campaigns, "outcomes")
    cells = [
        name, recipes, outcomes["measured"], outcomes["lost"], f"{sum(one['days'] for one in campaigns):.1f}",
        sum(powder["true"] >= MADE for powder in powders), f"{sum(map(is_made, campaigns))} of {len(campaigns)}",
        len(claimed), sum(powder["true"] < MADE for powder in claimed),
        _rate(sum(len(one["interventions"]) for one in campaigns), recipes),
        _rate(_summed(campaigns, "forced").total(), recipes), _rate(_summed(campaigns, "others").total(), recipes),
        sum(one["restocks"] for one in campaigns), f"{sum(one['cpu_s'] for one in campaigns) / 60.0:.1f}",
    ]  # fmt: skip
    print("| " + " | ".join(str(cell) for cell in cells) + " |")


def is_made(campaign: Mapping[str, Any]) -> bool:
    """Say whether some powder was claimed and truly was the target."""
    return any(powder["claimed"] and powder["true"] >= MADE for powder in campaign["powders"])


def _rate(count: int, recipes: int) -> str:
    """Return a rate per 100 recipes with its exact 95 % interval."""
    low, high = poisson_interval(count)
    return f"{100.0 * count / recipes:.2f} ({100.0 * low / recipes:.2f} to {100.0 * high / recipes:.2f})"


def _summed(campaigns: Sequence[Mapping[str, Any]], key: str) -> Counter[str]:
    total: Counter[str] = Counter()
    for one in campaigns:
        total.update(one[key])
    return total


def _words(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{n} {name}" for name, n in sorted(counts.items(), key=lambda item: -item[1])) or "none"


def draw(laboratories: Sequence[Laboratory], path: Path) -> None:
    """Plot recipes against days, each laboratory a panel, with each target's first claim and every intervention."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(
        len(laboratories), 1, figsize=(8.0, 1.0 + 2.6 * len(laboratories)), sharex=True, squeeze=False,
        layout="constrained",
    )  # fmt: skip
    for panel, one in zip(panels[:, 0], laboratories, strict=True):
        _panel(panel, one)
    panels[0, 0].legend(loc="upper left")
    panels[-1, 0].set_xlabel("days of laboratory time, campaigns one after the other")
    figure.savefig(path, dpi=150)


def _panel(panel: Any, laboratory: Laboratory) -> None:
    begins, n, first_line = 0.0, 0, True
    for target, campaign in laboratory["campaigns"].items():
        days = [begins + powder["day"] for powder in campaign["powders"]]
        label = "recipes measured" if first_line else None
        panel.step([begins, *days], range(n, n + len(days) + 1), where="post", color="C0", label=label)
        made = [i for i, powder in enumerate(campaign["powders"]) if powder["true"] >= MADE]
        good = "powder truly at least half target" if first_line else None
        panel.plot([days[i] for i in made], [n + i + 1 for i in made], ".", color="C2", markersize=3, label=good)
        hands = [begins + day for day in campaign["interventions"]]
        panel.plot(hands, [0.0] * len(hands), "|", color="C3", label="intervention" if first_line else None)
        claim = next((i for i, powder in enumerate(campaign["powders"]) if powder["claimed"]), None)
        if claim is not None:
            panel.plot(days[claim], n + claim + 1, "v", color="C1", label="first claim" if first_line else None)
        panel.axvline(begins, color="0.85", linewidth=0.8, zorder=0)
        panel.text(begins + campaign["days"] - 0.1, 10.0, target, fontsize=8, color="0.3", ha="right")
        begins, n, first_line = begins + campaign["days"], n + len(days), False
    panel.axvline(17.0, color="black", linestyle=":", label="17 days")
    panel.set(ylabel=f"recipes (seed {laboratory['seed']})", ylim=(-12, None))
