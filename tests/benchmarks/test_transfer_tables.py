from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import transfer_tables
from transfer_tables import FAMILIES, Family, report


def tables(_data):
    rng = np.random.default_rng(0)
    found = {}
    for number, best in enumerate((0.6, 0.65, 0.62)):
        heat, base = rng.random(60).round(3), rng.choice(["KOH", "NaOH"], 60)
        value = 80 * np.exp(-(((heat - best) / 0.15) ** 2)) * np.where(base == "KOH", 1.0, 0.4)
        found[f"table {number}"] = pd.DataFrame({"heat": heat, "base": base, "yield": value})
    return found


@pytest.fixture
def family(monkeypatch):
    one = Family(name="made up", columns=("heat", "base"), value="yield", read=tables)
    monkeypatch.setattr(transfer_tables, "FAMILIES", (one,))
    return one


@pytest.mark.usefixtures("family")
def test_related_tables_save_trials_and_the_report_says_how_many(capsys):
    rows = [
        transfer_tables._run((Path(), 0, target, seed, policy))
        for target in ("table 0", "table 1")
        for seed in range(2)
        for policy in transfer_tables.POLICIES
    ]
    assert all(row["reached"] for row in rows)
    with_, without = (
        np.mean([row["trials"] for row in rows if row["policy"] == policy]) for policy in ("transfer", "logei")
    )
    assert with_ < without
    report(rows, ["made up"])
    said = capsys.readouterr().out
    assert "| made up | 2 |" in said and "median over 2 targets" in said


def test_replicates_are_one_point_and_gaps_none(family):
    table = pd.DataFrame({"heat": [0.1, 0.1, 0.2], "base": ["KOH", "KOH", None], "yield": [10.0, 20.0, 30.0]})
    cleaned = transfer_tables._clean(table, family)
    assert cleaned.to_dict("records") == [{"heat": 0.1, "base": "KOH", "yield": 15.0}]


def test_families_have_names_of_their_own():
    assert len({one.name for one in FAMILIES}) == len(FAMILIES) >= 3
