"""The example that screens a folder of crystals: its files are what its script writes, and screening finds the hits."""

import csv
import importlib.util
from pathlib import Path

from orchestrator.check import check_campaign
from orchestrator.execution import Settings, start
from orchestrator.results import read_result
from surrogate.features.pools import read_folder
from surrogate.xrd.twins import are_twins

HERE = Path(__file__).parents[2] / "examples" / "crystals"


def script():
    spec = importlib.util.spec_from_file_location("make_pool", HERE / "make_pool.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_files_are_what_the_script_writes_of_the_facts(tmp_path):
    script().main(tmp_path)
    assert (tmp_path / "enthalpy.csv").read_text() == (HERE / "enthalpy.csv").read_text()
    ours, fresh = read_folder(HERE / "cifs"), read_folder(tmp_path / "cifs")
    assert ours.words == fresh.words
    assert all(are_twins(one, other) for one, other in zip(ours.items, fresh.items, strict=True))
    assert ours.twins == ()


def test_screening_finds_what_is_bound_most_strongly(tmp_path):
    with (HERE / "enthalpy.csv").open(newline="") as file:
        known = {row["crystal"]: float(row["enthalpy (kJ/mol)"]) for row in csv.DictReader(file)}
    hits = {name for name, enthalpy in known.items() if enthalpy <= -300}
    assert len(known) == 47
    assert len(hits) == 10
    task = check_campaign(HERE / "campaign.yaml").require()
    start(task, tmp_path / "c", Settings(is_virtual=True, fsync=False))
    trials = read_result(tmp_path / "c", wall_s=0.0)["trials"]
    assert len(trials) == 20
    assert len({trial["parameters"]["crystal"] for trial in trials} & hits) >= 7
