import json
from pathlib import Path

import pytest

from orchestrator.check import check_campaign
from orchestrator.errors import InputError, StorageError
from orchestrator.series.keeping import Shelf
from orchestrator.series.parcels import packed_up

EXAMPLES = Path(__file__).parents[3] / "examples"
RESULT = {"seed": 3, "status": "finished", "best": {"number": 1, "values": {"hydrogen": 0.1 + 0.2}}}


def shelf_of(out, *overrides, example="photocatalysis", versions=None, provenance=None):
    ready = check_campaign(EXAMPLES / example / "campaign.yaml", None, list(overrides)).require()
    parcel = packed_up(ready.campaign, ready.lab)
    return Shelf.of(out, parcel, versions=versions or {"labpilot": "1"}, provenance=provenance or {})


def test_a_result_is_kept_to_the_last_digit(tmp_path):
    shelf = shelf_of(tmp_path / "out")
    shelf.opened()
    assert shelf.kept(3) is None
    shelf.keep(3, RESULT)
    assert shelf_of(tmp_path / "out").kept(3) == RESULT
    assert shelf_of(tmp_path / "out", "seed=17").kept(3) == RESULT, "where seeds begin is not what was run"
    assert sorted(path.name for path in shelf.folder.iterdir()) == ["seed-0003.json", "series.json"]
    assert shelf.folder.name.startswith("logei-") and not shelf.others()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"overrides": ["budget.trials=3"]}, "campaign.budget.trials"),
        ({"overrides": ["lab.name=other"]}, "lab.name"),
        ({"versions": {"labpilot": "2"}}, "versions.labpilot"),
        ({"provenance": {"fault profile": {"file": "f"}}}, "provenance.fault profile"),
    ],
    ids=["campaign", "lab", "version", "faults"],
)
def test_what_was_run_under_other_terms_is_neither_used_nor_lost(tmp_path, change, said):
    first = shelf_of(tmp_path)
    first.opened()
    first.keep(3, RESULT)
    other = shelf_of(tmp_path, *change.pop("overrides", ()), **change)
    assert other.kept(3) is None and first.kept(3) == RESULT
    assert other.others() == f"1 in {first.folder} (other {said})"


def test_a_table_that_was_changed_is_another_series(tmp_path):
    for name in ("campaign.yaml", "lab.yaml", "candidates.csv"):
        (tmp_path / name).write_bytes((EXAMPLES / "screening" / name).read_bytes())
    prints = []
    for _ in range(2):
        ready = check_campaign(tmp_path / "campaign.yaml").require()
        prints.append(Shelf.of(tmp_path, packed_up(ready.campaign, ready.lab), versions={}, provenance={}).fingerprint)
        rows = (tmp_path / "candidates.csv").read_text().splitlines()
        (tmp_path / "candidates.csv").write_text("\n".join(rows[:-1]) + "\n")
    assert prints[0] != prints[1]


def test_a_campaign_that_was_moved_is_the_same_series(tmp_path):
    for name in ("campaign.yaml", "lab.yaml", "candidates.csv"):
        (tmp_path / name).write_bytes((EXAMPLES / "screening" / name).read_bytes())
    ready = check_campaign(tmp_path / "campaign.yaml").require()
    moved = Shelf.of(tmp_path, packed_up(ready.campaign, ready.lab), versions={"labpilot": "1"}, provenance={})
    assert moved.fingerprint == shelf_of(tmp_path, example="screening").fingerprint


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"fingerprint": "0"}', "WHOLE"], ids=["empty", "list", "bare", "other terms", "cut off"]
)
def test_a_damaged_file_is_no_result(tmp_path, text):
    shelf = shelf_of(tmp_path)
    shelf.opened()
    shelf.keep(3, RESULT)
    whole = shelf.file(3).read_text()
    shelf.file(3).write_text(whole[: len(whole) // 2] if text == "WHOLE" else text)
    assert shelf.kept(3) is None
    shelf.file(3).write_text(json.dumps({**json.loads(whole), "result": {**RESULT, "seed": 4}}))
    assert shelf.kept(3) is None, "a result of another seed"


def test_where_nothing_can_be_written_it_is_said_before_the_start(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"file is a file; name a directory with --out"):
        shelf_of(tmp_path / "file" / "deeper").opened()


def test_a_result_that_cannot_be_written_is_told_with_what_to_do(tmp_path):
    shelf = shelf_of(tmp_path)
    with pytest.raises(StorageError, match=r"(?s)cannot write .*seed-0003.json: No such file.*the same command again"):
        shelf.keep(3, RESULT)
