import errno
import json
import os
from pathlib import Path

import pytest

from orchestrator.cli.results_file import refuse_unwritable, write_json
from orchestrator.errors import InputError, StorageError


def test_a_directory_is_refused_with_a_file_to_name(tmp_path):
    with pytest.raises(InputError, match=r"is a directory; name a file in it, such as .*result\.json"):
        refuse_unwritable(tmp_path)


def test_a_missing_directory_is_refused(tmp_path):
    with pytest.raises(InputError, match="there is no directory .*missing; make it"):
        refuse_unwritable(tmp_path / "missing" / "r.json")


def test_a_file_that_cannot_be_written_is_a_storage_error(tmp_path, monkeypatch):
    def deny(_self, *_arguments, **_options):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "touch", deny)
    with pytest.raises(StorageError, match=r"cannot be written \(Permission denied\); nothing was started"):
        refuse_unwritable(tmp_path / "r.json")


def test_looking_leaves_nothing_behind_and_an_old_file_as_it_is(tmp_path):
    (tmp_path / "r.json").write_text("old")
    refuse_unwritable(tmp_path / "r.json")
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("r.json", "old")]


@pytest.mark.parametrize("file", [None, Path("-")], ids=["none", "stdout"])
def test_stdout_needs_no_look(file):
    refuse_unwritable(file)


def test_a_result_that_cannot_be_written_at_the_end_is_printed_and_its_place_told(tmp_path, capsys):
    (tmp_path / "r.json").mkdir()
    with pytest.raises(StorageError, match="the result is on stdout instead; the campaign is kept in campaigns/one"):
        write_json(tmp_path / "r.json", {"seed": 3}, kept_in="campaigns/one")
    assert json.loads(capsys.readouterr().out) == {"seed": 3}
    assert [file.name for file in tmp_path.iterdir()] == ["r.json"]


def test_no_place_is_claimed_for_a_campaign_that_was_not_kept(tmp_path, capsys):
    (tmp_path / "r.json").mkdir()
    with pytest.raises(StorageError, match="on stdout instead$"):
        write_json(tmp_path / "r.json", {})
