"""YAML 1.2 as values with places; every broken file is one message."""

from __future__ import annotations

import errno

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.yaml_source import (
    MOST_BYTES,
    InvalidSource,
    Place,
    Problem,
    kind_of,
    parse_source,
    parse_value,
    read_source,
)


def _message(text):
    with pytest.raises(InvalidSource) as caught:
        parse_source(text, "f.yaml")
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1.", 1.0),
        (".5", 0.5),
        ("-12", -12),
        ("012", 12),
        ("0o17", 15),
        ("0x1F", 31),
        ("1_000", "1_000"),
        ("yes", "yes"),
        ("on", "on"),
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("", None),
        ("null", None),
        ("2026-01-01", "2026-01-01"),
        ("12:30", "12:30"),
        ("'1'", "1"),
        ('"true"', "true"),
        ("!!str 5", "5"),
        (".inf", float("inf")),
        ("350 degC", "350 degC"),
        ("[1, {a: b}]", [1, {"a": "b"}]),
    ],
)
def test_scalars_follow_the_core_schema_of_yaml_1_2(text, value):
    found = parse_source(f"key: {text}", "f.yaml").data["key"]
    assert found == value
    assert type(found) is type(value)


def test_not_a_number_is_one():
    found = parse_source("key: .nan", "f.yaml").data["key"]
    assert found != found


def test_keys_and_values_have_places():
    source = parse_source("a: &x [1, 2]\nb:\n  - name: q\n    unti: 3\nc: *x\n", "dir/f.yaml")
    assert source.data == {"a": [1, 2], "b": [{"name": "q", "unti": 3}], "c": [1, 2]}
    assert source.place(("b", 0, "unti"), of_key=True) == Place("dir/f.yaml", 4, 5)
    assert source.place(("b", 0, "unti")) == Place("dir/f.yaml", 4, 11)
    assert source.place(("b", 0, "missing")) == Place("dir/f.yaml", 3, 5)
    assert source.place(("c", 1)) == Place("dir/f.yaml", 1, 11)
    assert str(source.problem(("b", 0, "unti"), "no", of_key=True)) == "dir/f.yaml:4:5: b.0.unti: no"
    assert str(source.folder) == "dir"


def test_an_alias_is_a_copy_not_the_same_object():
    data = parse_source("a: &x [1]\nb: *x\n", "f.yaml").data
    data["a"].append(2)
    assert data["b"] == [1]


def test_all_duplicate_keys_are_reported_and_the_first_counts():
    source = parse_source("a: 1\na: 2\nb: {c: 1, c: 2}\n", "f.yaml")
    assert source.data == {"a": 1, "b": {"c": 1}}
    assert [str(mistake) for mistake in source.mistakes] == [
        "f.yaml:2:1: a: given twice; first in line 1",
        "f.yaml:3:11: b.c: given twice; first in line 3",
    ]


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("a: !!python/object/apply:os.system x", "f.yaml:1:4: a: tags are not allowed; leave out "),
        ("a: !Furnace {b: 1}", "f.yaml:1:4: a: tags are not allowed; leave out '!Furnace'"),
        ("? [a]\n: 3", "f.yaml:1:3: a key must be text"),
        ("a: " + "9" * 5000, "f.yaml:1:4: a: a number with too many digits"),
    ],
)
def test_what_yaml_allows_and_we_do_not(text, mistake):
    source = parse_source(text, "f.yaml")
    assert [str(found) for found in source.mistakes][0].startswith(mistake)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "f.yaml: the file is empty; see examples/ for one to start from"),
        ("# only a comment\n", "f.yaml: the file is empty; see examples/ for one to start from"),
        ("- 1\n", "f.yaml:1:1: must be a mapping ('key: value' lines), but this is a list"),
        ("5", "f.yaml:1:1: must be a mapping ('key: value' lines), but this is the number 5"),
        ("a:\n\t- b", "f.yaml:2:1: not valid YAML: a tab; indent with spaces"),
        (
            "a: b: c",
            "f.yaml:1:5: not valid YAML: a ':' is not allowed here; "
            "is the indentation right, or does text need quotes?",
        ),
        (
            "a:\n  b: 1\n c: 2",
            "f.yaml:3:2: not valid YAML: the indentation does not fit the lines above, "
            "or a bracket or quote is left open",
        ),
        ("a: 'x", "f.yaml:1:6: not valid YAML: the file ends too early; a quote or a bracket is left open"),
        ("{a: 1, b", "f.yaml:1:9: not valid YAML: a ',' or the closing bracket is missing"),
        ("a: @x", "f.yaml:1:4: not valid YAML: text that begins with this character needs quotes"),
        ("a: *x", "f.yaml:1:4: not valid YAML: an alias (*name) without its anchor (&name)"),
        ("a: &x [*x]", "f.yaml:1:4: a.0: an alias that contains itself"),
        (
            "---\na: 1\n---\nb: 2",
            "f.yaml:3:1: not valid YAML: a second document begins here ('---'); one file holds one document",
        ),
        ("a: \x01", "f.yaml:1:4: not valid YAML: the character U+0001 is not allowed"),
        ("a:\n" + "[" * 200, "f.yaml:2:50: not valid YAML: nested more than 50 deep"),
    ],
)
def test_a_broken_file_is_one_message(text, message):
    assert _message(text) == message


def test_aliases_cannot_multiply_without_end():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    assert _message("\n".join(lines)) == "f.yaml: means more than 50000 values once its aliases are followed"


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(InvalidSource, match=r"missing\.yaml: no such file"):
        read_source(tmp_path / "missing.yaml")
    with pytest.raises(InvalidSource, match="is a directory; name the file in it"):
        read_source(tmp_path)
    with pytest.raises(InvalidSource, match="is no possible path"):
        read_source("a\0b")


def test_a_file_without_permission(tmp_path, monkeypatch):
    file = tmp_path / "secret.yaml"

    def refuse(*_args, **_kwargs):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("pathlib.Path.open", refuse)
    with pytest.raises(InvalidSource, match="may not be read; check its permissions"):
        read_source(file)


def test_a_huge_file_is_not_read(tmp_path):
    file = tmp_path / "huge.yaml"
    file.write_bytes(b"#" * (MOST_BYTES + 1))
    with pytest.raises(InvalidSource, match="larger than 1 MB: is it the right file"):
        read_source(file)


def test_bytes_that_are_not_utf_8_have_a_place(tmp_path):
    file = tmp_path / "latin.yaml"
    file.write_bytes("a: 1\nb: 350 °C\n".encode("latin-1"))
    with pytest.raises(InvalidSource, match=r"latin\.yaml:2:8: byte 0xb0 is not UTF-8; save the file as UTF-8"):
        read_source(file)


def test_byte_order_mark_and_windows_lines_are_fine(tmp_path):
    file = tmp_path / "windows.yaml"
    file.write_bytes(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n")
    source = read_source(file)
    assert source.data == {"a": 1, "b": 2}
    assert source.place(("b",)).line == 2


def test_values_of_options():
    assert parse_value("{a: [1, 2.5]}", "--set x") == {"a": [1, 2.5]}
    assert parse_value("", "--set x=") is None
    with pytest.raises(InvalidSource, match=r"--set x=\[: not valid YAML"):
        parse_value("[", "--set x=[")
    with pytest.raises(InvalidSource, match="given twice"):
        parse_value("{a: 1, a: 2}", "--set x")


def test_a_problem_without_a_line_prints_what_there_is():
    assert str(Problem(Place("f.yaml"), "", "is empty")) == "f.yaml: is empty"


@pytest.mark.parametrize(
    ("value", "name"),
    [(None, "nothing"), (True, "true"), (5, "the number 5"), ("x", "text 'x'"), ([], "a list"), ({}, "a mapping")],
)
def test_kinds_have_names(value, name):
    assert kind_of(value) == name


@given(st.text(max_size=60))
def test_any_text_is_a_mapping_or_an_error_with_a_place(text):
    try:
        source = parse_source(text, "f.yaml")
    except InvalidSource as error:
        assert all(str(mistake).startswith("f.yaml") for mistake in error.mistakes)
    else:
        assert isinstance(source.data, dict)


@given(st.text(alphabet="ab:-[]{}#&*!|>'\"%@`, \n\t?~0.e", max_size=40))
def test_any_yaml_like_text_is_a_mapping_or_an_error(text):
    try:
        assert isinstance(parse_source(text, "f.yaml").data, dict)
    except InvalidSource as error:
        assert error.mistakes


def test_a_source_knows_what_it_holds():
    source = parse_source("a: {b: null}\nc: [1]", "x.yaml")
    assert source.holds(("a", "b"))
    assert not source.holds(("a", "b", "d"))
    assert not source.holds(("c", 0))


def test_numbers_that_are_none_are_named():
    assert kind_of(float("nan")) == "no number (.nan)"
    assert kind_of(float("-inf")) == "an infinite number (.inf)"
    assert kind_of(1e300) == "a large number"
