"""Measure how well an emulator answers for conditions of a table that it has not seen.

    python benchmarks/emulators.py DATA_DIRECTORY

Four tables are read through the example campaigns that replay them; two more are described here. The output
is the table in docs/replay.md.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from orchestrator.check import check_campaign
from simulators.replay import ReplayLab

EXAMPLES = Path(__file__).parents[1] / "examples"
TABLES = {
    "crossed_barrel": "crossed_barrel/crossed_barrel.csv",
    "fullerene_flow": "fullerene_flow/fullerenes.csv",
    "suzuki_flow": "suzuki_flow_mixed/suzuki_i.csv",
    "agnp_flow": "agnp_flow/agnp.csv",
}
PHOTOCATALYSIS = {
    **dict.fromkeys(
        (
            "AcidRed87-1gL",
            "MethyleneB-250mgL",
            "NaCl-3M",
            "NaOH-1M",
            "PVP-1wt",
            "RhodamineB-1gL",
            "SDS-1wt",
            "SodiumSilicate-1wt",
            "TEOA-0-5VV",
        ),
        "mL",
    ),
    "pt/gcn2": "mg",
}
HPLC = {
    "sample_loop": "mL",
    "additional_volume": "mL",
    "tubing_volume": "mL",
    "sample_flow": "mL/min",
    "push_speed": "Hz",
    "wait_time": "s",
}


def main(data: Path) -> None:
    """Print one row for each table and target."""
    print("| table | rows | conditions | target | regression | RMSE | R2 | noise sd | failures | seconds |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for options in _laboratories(data):
        began = time.perf_counter()
        facts = ReplayLab.describe({**options, "mode": "emulator"})
        seconds = time.perf_counter() - began
        for name, target in facts["targets"].items():
            print(f"| {_row(facts, name, target)} | {seconds:.1f} |")


def _laboratories(data: Path) -> Iterator[Mapping[str, Any]]:
    for example, table in TABLES.items():
        checked = check_campaign(EXAMPLES / example / "campaign.yaml", overrides=[f"replay.table={data / table}"])
        yield checked.require().worlds["replay"]
    yield _options(data / "photocat_ptgcn_99/photocat_ptgcn_99.csv", PHOTOCATALYSIS, "Target", "umol/h")
    failure = {"column": "peak_area", "equals": 0}
    yield {**_options(data / "hplc_process/hplc.csv", HPLC, "peak_area", "a.u."), "failure": failure}


def _options(table: Path, parameters: Mapping[str, str], target: str, unit: str) -> dict[str, Any]:
    return {
        "table": str(table),
        "parameters": [{"name": name, "kind": "continuous", "unit": unit} for name, unit in parameters.items()],
        "objectives": [{"name": target, "unit": unit}],
    }


def _row(facts: Mapping[str, Any], name: str, target: Mapping[str, Any]) -> str:
    unit = "" if target["unit"] == "1" else f" {target['unit']}"
    spread = [sd for _, sd in target["noise_by_value"]]
    noise = f"{target['noise_sd']:.3g}{unit}" + (f" ({min(spread):.3g} to {max(spread):.3g})" if spread else "")
    cells = [
        facts["table"],
        str(facts["rows"]),
        str(facts["conditions"]),
        name,
        target["model"],
        f"{target['cv_rmse']:.3g}{unit}",
        f"{target['cv_r2']:.3f}",
        noise if target["noise_from"].startswith("repeats") else f"{noise}, no repeats",
        f"{facts['failures']['rate']:.1%}, {facts['failures']['model']}" if facts["failures"]["rate"] else "none",
    ]
    return " | ".join(cells)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
