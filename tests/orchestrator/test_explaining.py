"""Why a trial was proposed, told from the journal: by what was known and said then, and by nothing that came later."""

from pathlib import Path

import pytest

from orchestrator.check import check_campaign
from orchestrator.cli.main import supervise
from orchestrator.errors import InputError
from orchestrator.execution import start
from orchestrator.explaining import explained
from orchestrator.people.orders import Kind
from orchestrator.reading import read_snapshot
from tests.orchestrator.test_direction import following

PHOTO = Path(__file__).parents[2] / "examples" / "photocatalysis" / "campaign.yaml"
STRONG = {"box": {"cysteine": [2.0, 5.0], "p10": [4.0, 5.0]}}
RECIPE = dict.fromkeys(("nacl", "naoh", "pvp", "sds", "silicate", "acid_red", "rhodamine_b", "methylene_blue"), 0.0)
WISH = {"p10": 3.0, "cysteine": 2.5, **RECIPE}


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    """A campaign to which a person said something after its first asks."""

    async def script(person):
        await person.at(60.0)
        assert person.order(Kind.HINT, label="strong", area=STRONG, confidence=0.7).is_done
        assert person.order(Kind.SUGGEST, point=WISH).is_done

    changes = (
        "batch=4",
        "controls=[]",
        "budget.trials=16",
        "planner={policy: logei, charge: 30 s, options: {start: 4}}",
    )
    path = tmp_path_factory.mktemp("explained") / "c"
    assert start(check_campaign(PHOTO, None, list(changes)).require(), path, following(script)).status == "finished"
    return path


def said_of(directory, number):
    return explained(directory, number).splitlines()


def chosen(directory, ask):
    return [trial for trial in read_snapshot(directory).trials if trial.ask == ask]


def test_a_trial_is_explained_by_what_was_known_then(directory):
    trial = next(one for one in chosen(directory, 3) if "suggested" not in one.proposal_reason)
    first, *lines = said_of(directory, trial.number)
    assert first.startswith("proposed: ")
    assert trial.proposal_reason in first
    expected = trial.predictions["hydrogen"]
    assert lines[0].startswith(
        f"hydrogen: {expected['mean']:.4g} +- {expected['sd']:.2g} expected, expected improvement"
    )
    known = [line for line in lines if line.startswith("known at distance")]
    later = [f"hydrogen {one.values['hydrogen']:.4g}" for one in chosen(directory, 3)]
    assert len(known) == 3
    assert not any(value in line for value in later for line in known)


def test_the_first_trial_knew_nothing(directory):
    assert len(said_of(directory, 1)) == 1


def test_what_a_person_suggested_is_said_to_be_a_persons(directory):
    wished = next(one for one in read_snapshot(directory).trials if one.proposal_reason == "suggested by a person")
    lines = said_of(directory, wished.number)
    assert "(suggested by a person)" in lines[0]
    assert not any("change its mind" in line for line in lines)


def test_the_command_says_it(directory, capsys):
    number = chosen(directory, 2)[-1].number
    assert supervise(["status", str(directory), "--why", str(number)]) == 0
    assert capsys.readouterr().out.splitlines() == said_of(directory, number)
    assert supervise(["status", str(directory), "--why", "1", "--json"]) == 2
    assert "--why stands alone" in capsys.readouterr().err


def test_only_what_was_proposed_is_explained(directory, tmp_path):
    with pytest.raises(InputError, match="there is no trial 99: the campaign has 16"):
        explained(directory, 99)
    task = check_campaign(PHOTO, None, ["budget.trials=6", "batch=6"]).require()
    start(task, tmp_path / "c", following(_silence))
    control = next(trial for trial in read_snapshot(tmp_path / "c").trials if trial.is_control)
    with pytest.raises(InputError, match=f"did not propose trial {control.number}: it is a control"):
        explained(tmp_path / "c", control.number)


async def _silence(person):
    await person.at(1.0)
