import json
from pathlib import Path

import pytest

from orchestrator.cli.main import supervise

EXAMPLES = Path(__file__).parents[3] / "examples"
BENCH = [str(EXAMPLES / "photocatalysis/campaign.yaml"), "--set", "batch=4", "--planner", "random"]


def simulate(*more):
    return supervise(["simulate", *BENCH, "--trials", "4", *more])


def test_the_result_has_what_the_documentation_says(tmp_path, capsys):
    assert simulate("--json", str(tmp_path / "r.json")) == 0
    result = json.loads((tmp_path / "r.json").read_text())
    documented = (EXAMPLES.parent / "docs/simulate.md").read_text()
    for name in [*result, *result["trials"][0], *result["metrics"]]:
        assert f"`{name}`" in documented, name
    assert result["status"] == "finished"
    assert result["planner"] == "random"
    assert len(result["trials"]) == 4
    assert "4 measured" in capsys.readouterr().out


def test_repeats_are_a_list_of_seeds_and_leave_nothing_behind(tmp_path, capsys):
    assert simulate("--repeat", "2", "--seed", "5", "--json", "-") == 0
    results = json.loads(capsys.readouterr().out)
    assert [result["seed"] for result in results] == [5, 6]
    assert results[0]["trials"] != results[1]["trials"]


def test_kept_directories_are_numbered_by_repeat(tmp_path):
    assert simulate("--repeat", "2", "--out", str(tmp_path / "kept")) == 0
    assert sorted(path.name for path in (tmp_path / "kept").iterdir()) == ["000", "001"]


def test_a_directory_in_use_is_left_alone(tmp_path, capsys):
    assert simulate("--out", str(tmp_path / "c")) == 0
    before = (tmp_path / "c/journal.sqlite").read_bytes()
    assert simulate("--out", str(tmp_path / "c")) == 2
    assert "already holds a campaign" in capsys.readouterr().err
    assert (tmp_path / "c/journal.sqlite").read_bytes() == before


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--set", "budget.trails=4"], "unknown key; did you mean 'trials'?"),
        (["--planner", "logie"], "did you mean 'logei'?"),
        (["--lab", "nowhere.yaml"], "nowhere.yaml"),
    ],
    ids=["key", "planner", "lab"],
)
def test_mistakes_are_found_before_the_start(tmp_path, capsys, more, message):
    assert simulate("--out", str(tmp_path / "c"), *more) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "c").exists()


def test_resume_of_a_finished_campaign_says_so(tmp_path, capsys):
    assert simulate("--out", str(tmp_path / "c")) == 0
    assert supervise(["resume", str(tmp_path / "c")]) == 2
    assert "nothing is left to resume" in capsys.readouterr().err


def test_resume_of_anything_else_says_what_is_missing(tmp_path, capsys):
    assert supervise(["resume", str(tmp_path)]) == 2
    assert "no campaign directory" in capsys.readouterr().err


def test_the_demo_simulates_and_reports(tmp_path, capsys):
    assert supervise(["demo", "--out", str(tmp_path / "demo"), "--trials", "2"]) == 0
    assert "The report is" in capsys.readouterr().out
    assert (tmp_path / "demo/report.html").stat().st_size > 1_000_000


def test_a_second_demo_takes_another_directory(tmp_path):
    (tmp_path / "demo").mkdir()
    assert supervise(["demo", "--out", str(tmp_path / "demo"), "--trials", "1"]) == 0
    assert (tmp_path / "demo-2/report.html").exists()


def test_the_demo_runs_the_example_campaign():
    from importlib import resources

    packaged = resources.files("orchestrator.demo")
    assert packaged.joinpath("lab.yaml").read_text() == (EXAMPLES / "sara/lab.yaml").read_text()
    ours = packaged.joinpath("campaign.yaml").read_text().splitlines()
    theirs = (EXAMPLES / "sara/campaign.yaml").read_text().splitlines()
    changed = [line for line, other in zip(ours, theirs, strict=True) if line != other]
    assert [line.split(":")[0].strip() for line in changed] == ["name", "trials"]
