"""The drill: rows that are right, rows that are not, and a page that says what the catalogue does."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.drill import kills, table
from orchestrator.drill.catalogue import Drill, catalogue
from orchestrator.drill.ground import Ground, NotOffered
from orchestrator.drill.judging import measurements_lost, violations
from orchestrator.seams import Seams
from simulators.world import WorldFile

ROOT = Path(__file__).parents[3]
POWDER_LAB = ROOT / "examples" / "powder_lab" / "campaign.yaml"
SARA = ROOT / "examples" / "sara" / "campaign.yaml"
PAGE = ROOT / "docs" / "drill.md"


def drill(campaign, *arguments):
    command = [sys.executable, "-m", "orchestrator.cli.main", "drill", str(campaign), *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, capture_output=True, text=True, timeout=280, check=False, env=environment)


def rows_of(ran):
    return {row["name"]: row for row in map(json.loads, ran.stdout.splitlines())}


def test_a_powder_laboratory_stands_what_it_is_made_to_suffer():
    chosen = ("kill-after-act", "old-controller-wakes", "lost-reply", "planner-nan", "dropped", "answer-late")
    ran = drill(POWDER_LAB, "--json", *(part for name in chosen for part in ("--only", name)))
    rows = rows_of(ran)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert set(rows) == set(chosen)
    assert all(row["is_right"] for row in rows.values())
    assert rows["kill-after-act"]["trials_lost"] == 0 and "read back" in rows["kill-after-act"]["happened"]
    assert rows["dropped"]["trials_lost"] >= 1 and rows["dropped"]["interventions"] >= 1


def test_another_laboratory_says_which_faults_it_cannot_suffer():
    ran = drill(SARA, "--json", "--only", "dropped", "--only", "kill-in-file", "--set", "budget.trials=2")
    rows = rows_of(ran)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert rows["dropped"]["is_right"] is None and "no simulated world" in rows["dropped"]["happened"]
    assert rows["kill-in-file"]["is_right"]


def test_a_fault_that_nobody_knows_is_refused_with_the_nearest():
    ran = drill(POWDER_LAB, "--only", "kil-in-file")
    assert ran.returncode == 2 and "did you mean 'kill-in-file'" in ran.stderr


def test_names_of_faults_are_distinct_and_listed():
    names = [one.name for one in catalogue()]
    assert len(set(names)) == len(names) > 40
    assert [line.split()[0] for line in drill(POWDER_LAB, "--list").stdout.splitlines()[::2]] == names


def test_the_page_has_every_fault_as_it_should_be():
    text = PAGE.read_text()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| ")]
    heads = [row for row in rows if row[0] in ("fault", "name")]
    assert list(table.HEAD) in heads
    right = {row[0]: (row[1], row[2]) for row in rows if len(row) == 3 and row[0] != "name"}
    assert right == {f"`{one.name}`": (one.fault, one.right) for one in catalogue()}
    judged = {row[0]: row[-1] for row in rows if len(row) == len(table.HEAD) and row[0] != "fault"}
    assert set(judged) == {one.fault for one in catalogue()}
    assert set(judged.values()) == {"as it should be"}


@pytest.fixture
def ground(tmp_path, kitchen):
    folder = tmp_path / "kitchen"
    return Ground(campaign=folder / "campaign.yaml", lab=None, overrides=(), folder=tmp_path / "drill")


def _undisturbed(play):
    play.start()
    play.finish()


def test_a_row_that_is_not_as_it_should_be_says_what(ground):
    (ground.folder).mkdir()
    wrong = Drill(
        name="nothing",
        fault="nothing",
        right="the moon is made of cheese",
        act=_undisturbed,
        wrong=lambda _outcome: "it is not",
    )
    (row,) = table.drilled(ground, [wrong])
    assert row.is_right is False and row.wrong == "it is not"
    assert table.cells(row)[-1] == "WRONG: it is not"
    assert row.happened == "9 measured" and row.recovered_s is None


def test_a_campaign_that_does_not_die_is_no_row(ground):
    ground.folder.mkdir()
    with pytest.raises(NotOffered, match="the moment for the kill never came"):
        ground.play("alive").start_and_die(seams=Seams())


def test_a_kill_after_an_operators_act_costs_the_trial_and_is_told(ground):
    ground.folder.mkdir()
    (row,) = table.drilled(ground, [one for one in kills.DRILLS if one.name == "kill-after-act"])
    assert row.is_right and "2 starts" in row.happened


def test_an_act_that_was_done_twice_for_one_command_is_found(tmp_path):
    file = WorldFile(tmp_path / "kitchen.sqlite")
    for tag in ("a", "b", "a"):
        file.note_act("dose", once=True, facts={"tag": tag}, at_s=1.0)
    file.note_act("look", once=False, facts={"tag": "a"}, at_s=2.0)
    file.note_act("look", once=False, facts={"tag": "a"}, at_s=3.0)
    file.close()
    assert violations(tmp_path, []) == ["dose was done 2 times for a"]


def test_files_without_a_row_and_rows_without_their_file_are_found(tmp_path):
    folder = tmp_path / "measurements" / "000001"
    folder.mkdir(parents=True)
    (folder / "a.npz").write_bytes(b"a")
    (folder / "b.npz").write_bytes(b"b")
    digest = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
    rows = [("measurements/000001/a.npz", digest), ("measurements/000001/c.npz", digest)]
    assert measurements_lost(tmp_path, rows) == ["measurements/000001/b.npz", "measurements/000001/c.npz"]
    assert re.fullmatch("[0-9a-f]{64}", digest)


def test_real_devices_are_never_drilled(tmp_path):
    lab = (POWDER_LAB.parent / "lab.yaml").read_text().replace("sim:powder-lab/mill", "tcp://192.0.2.1:4001")
    (tmp_path / "lab.yaml").write_text(lab + "mixed: true\n")
    ran = drill(POWDER_LAB, "--lab", str(tmp_path / "lab.yaml"), "--only", "stop")
    assert ran.returncode in (2, 3) and "mill" in ran.stderr
    assert ran.stdout == ""
