import pytest

from orchestrator.cli.pattern_files import pattern_files
from orchestrator.errors import InputError


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("1 2\n")


def names(found):
    return [path.name for path in found]


def test_a_folder_is_read_with_the_folders_inside(tmp_path):
    touch(tmp_path, "b/2.raw", "a.xy", "b/1.raw", "b/.cache/3.raw", "notes.md")
    files = pattern_files([str(tmp_path)])
    assert names(files.paths) == ["a.xy", "1.raw", "2.raw"]
    assert names(files.left_out) == ["notes.md"]


def test_a_hidden_folder_that_is_named_is_read(tmp_path):
    touch(tmp_path, ".scans/a.xy")
    assert names(pattern_files([str(tmp_path / ".scans")]).paths) == ["a.xy"]


def test_a_file_that_is_named_is_taken_whatever_its_name(tmp_path):
    touch(tmp_path, "odd.png", "a.xy")
    assert names(pattern_files([str(tmp_path), str(tmp_path / "odd.png")]).paths) == ["a.xy", "odd.png"]


def test_a_structure_among_patterns_is_left_out_and_a_powder_cif_is_not(tmp_path):
    touch(tmp_path, "cell.cif", "powder.CIF")
    (tmp_path / "powder.CIF").write_text("data_a\nloop_\n_pd_meas_counts_total\n1\n")
    files = pattern_files([str(tmp_path)])
    assert names(files.paths) == ["powder.CIF"]
    assert names(files.left_out) == ["cell.cif"]


def test_a_glob_may_go_through_folders(tmp_path):
    touch(tmp_path, "x/1.ras", "y/z/2.ras", "y/3.xy")
    assert names(pattern_files([f"{tmp_path}/**/*.ras"]).paths) == ["1.ras", "2.ras"]


def test_the_same_file_by_two_names_is_read_once(tmp_path, monkeypatch):
    touch(tmp_path, "a.xy", "b.xy")
    monkeypatch.chdir(tmp_path)
    assert names(pattern_files(["b.xy", str(tmp_path / "b.xy"), "."]).paths) == ["b.xy", "a.xy"]


def test_every_name_that_leads_nowhere_is_told(tmp_path):
    with pytest.raises(InputError) as told:
        pattern_files([str(tmp_path), "missing.xy", "*.none"])
    assert told.value.problems == [
        f"the folder {tmp_path} holds no file",
        "there is no file missing.xy",
        "no file matches *.none",
    ]


def test_a_folder_without_patterns_is_refused(tmp_path):
    touch(tmp_path, "picture.png")
    with pytest.raises(InputError, match="there is no pattern in .*; name files, or a folder that holds them"):
        pattern_files([str(tmp_path)])
