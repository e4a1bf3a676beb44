import io
import json
import math
import os
from pathlib import Path

import pytest

from orchestrator.cli.json_list import JsonList
from orchestrator.errors import StorageError


def test_a_list_is_whole_whatever_comes_in_between(tmp_path):
    file = tmp_path / "out.json"
    with pytest.raises(KeyboardInterrupt), JsonList(file) as listing:
        listing.add({"a": 1})
        listing.add({"b": "ü"})
        raise KeyboardInterrupt
    assert json.loads(file.read_text(encoding="utf-8")) == [{"a": 1}, {"b": "ü"}]
    assert list(tmp_path.iterdir()) == [file]


def test_an_item_that_was_being_written_is_cut_off(tmp_path, monkeypatch):
    file = tmp_path / "out.json"
    with JsonList(file) as listing:
        listing.add(1)
        out = listing._out
        assert out is not None
        out.write(b',\n{"half": ')
    assert json.loads(file.read_text()) == [1]


def test_nothing_is_there_until_the_end_but_a_partial_file(tmp_path):
    file = tmp_path / "out.json"
    with JsonList(file) as listing:
        listing.add(1)
        assert not file.exists()
        assert (tmp_path / "out.json.partial").read_text() == "[\n1"


def test_numbers_that_json_does_not_know_are_null(tmp_path):
    file = tmp_path / "out.json"
    with JsonList(file) as listing:
        listing.add({"x": [math.nan, 1.5, (math.inf,)]})
    assert json.loads(file.read_text()) == [{"x": [None, 1.5, [None]]}]


def test_stdout_gets_the_same_list(capsys):
    with JsonList(Path("-")) as listing:
        listing.add(1)
        listing.add(2)
    assert json.loads(capsys.readouterr().out) == [1, 2]


def test_no_file_is_no_work(tmp_path):
    with JsonList(None) as listing:
        listing.add(1)
    assert listing.n_items == 1


def test_a_file_that_cannot_be_written_is_a_storage_error(tmp_path):
    with (
        pytest.raises(StorageError, match=r"--json .*missing.* cannot be written \(No such file"),
        JsonList(tmp_path / "missing" / "out.json"),
    ):
        pass


def test_a_place_taken_meanwhile_is_told_with_what_was_kept(tmp_path):
    file = tmp_path / "out.json"
    with pytest.raises(StorageError, match=r"out\.json\.partial holds what was written"), JsonList(file) as listing:
        listing.add(1)
        file.mkdir()
    assert json.loads((tmp_path / "out.json.partial").read_text()) == [1]


def test_a_name_that_is_no_utf_8_leads_back_to_its_file(tmp_path, capsys):
    name = os.fsdecode(b"lat\xe9\xc3\xbc.xy")
    for file in (tmp_path / "out.json", Path("-")):
        with JsonList(file) as listing:
            listing.add({"file": name})
    for text in (capsys.readouterr().out, (tmp_path / "out.json").read_text(encoding="utf-8")):
        assert json.loads(text) == [{"file": name}]


def test_a_stdout_of_few_characters_gets_escapes_that_json_knows(monkeypatch):
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr("sys.stdout", out)
    with JsonList(Path("-")) as listing:
        listing.add("2θ, é")
    assert json.loads(out.buffer.getvalue()) == ["2θ, é"]
