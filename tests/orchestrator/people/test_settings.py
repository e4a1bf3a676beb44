"""The settings of who is told of what, and the secrets in addresses."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import InputError
from orchestrator.people.addresses import SecretError, expanded, names_in
from orchestrator.people.settings import People, read_people

GOOD = {"url": "mailtos://lab:$SMTP_PASSWORD@example.org?to=ada@example.org", "told_of": ["question", "faulted"]}


def lab(tmp_path, text):
    path = tmp_path / "lab.yaml"
    path.write_text(text)
    return path


def test_settings_are_read_and_written_back():
    people = People.model_validate(
        {"channels": {"ada": {**GOOD, "at_most_every": "5 min"}}, "timezone": "Europe/Berlin", "all_is_well_at": "7:30"}
    )
    assert people.channels["ada"].at_most_every_s == 300.0
    assert (people.all_is_well_at.hour, people.all_is_well_at.minute) == (7, 30)
    data = json.loads(json.dumps(people.data()))
    assert People.model_validate(data) == people
    assert data["channels"]["ada"]["url"] == GOOD["url"]


def test_a_lab_file_without_people_tells_nobody(tmp_path):
    assert read_people(lab(tmp_path, "labpilot: 1\nname: x\n")).channels == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("url: 'mailtos://lab:hunter2@example.org', told_of: [question]", "a password must not stand in the file"),
        ("url: 'mailto://example.org?user=a&pass=hunter2', told_of: [question]", "a password must not stand"),
        ("url: 'slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnl', told_of: [question]", "is a secret itself"),
        ("url: 'ada@example.org', told_of: [question]", "must be an Apprise URL"),
        ("url: 'json://localhost/$', told_of: [question]", "stands before no name"),
        ("url: 'json://localhost', told_of: []", "at least 1"),
        ("url: 'json://localhost', told_of: [questions]", "question"),
        ("url: 'json://localhost', told_of: [question], at_most_every: 5", "needs a unit"),
    ],
)
def test_a_channel_that_cannot_be_is_told_with_its_line(tmp_path, text, message):
    path = lab(tmp_path, f"people:\n  channels:\n    ada: {{{text}}}\n")
    with pytest.raises(InputError, match=message) as told:
        read_people(path)
    assert "lab.yaml:3:" in str(told.value)
    assert "hunter2" not in str(told.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [("timezone: Europe/Berlim", "no time zone 'Europe/Berlim'"), ("all_is_well_at: '25:00'", "must be a time of day")],
)
def test_a_place_or_time_that_is_none_is_told(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read_people(lab(tmp_path, f"people:\n  {text}\n"))


def test_a_secret_is_quoted_inside_an_address_and_taken_whole_as_one():
    assert expanded("mailtos://u:$P@h", {"P": "a/b@c d"}).text == "mailtos://u:a%2Fb%40c%20d@h"
    assert expanded("$HOOK", {"HOOK": "slack://a/b/c"}).text == "slack://a/b/c"
    assert expanded("json://h/$$5", {}).text == "json://h/$5"


@pytest.mark.parametrize("environment", [{}, {"P": ""}])
def test_a_secret_that_is_not_set_is_named(environment):
    with pytest.raises(SecretError, match="the environment variable P is not set"):
        expanded("mailtos://u:$P@h", environment)


@given(st.text(min_size=1))
def test_no_secret_is_shown_in_any_quoting(password):
    secret = expanded("mailtos://u:$P@h", {"P": password})
    assert str(secret) == "***"
    assert password == "" or f"u:{password}@" not in repr(secret)
    error = f"cannot reach {secret.text}"
    assert secret.text not in secret.cleaned(error)


def test_only_names_are_expanded():
    assert names_in("a://$A/$B_2?c=$$D") == ["A", "B_2"]
    assert expanded("a://h/`id`/$A", {"A": "$B", "B": "no"}).text == "a://h/`id`/%24B"
    with pytest.raises(SecretError, match="before no name"):
        names_in("a://${HOME}")


def test_channels_can_be_picked_by_name():
    people = People.model_validate({"channels": {"ada": GOOD, "bob": GOOD}})
    assert list(people.only(["bob"]).channels) == ["bob"]
    with pytest.raises(InputError, match="did you mean 'ada'"):
        people.only(["adda"])
