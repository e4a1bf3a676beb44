import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from surrogate.formats import text
from surrogate.formats.errors import NotUnderstood
from surrogate.formats.text import are_counts, decode, fact, facts_of, lines_of, number, slug


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_unicode_text_is_decoded_with_and_without_its_mark(encoding):
    written = "2Theta (°)\tIntensity\r\n10.0\t5\r\n" * 5
    assert decode(written.encode(encoding)) == written


def test_utf_16_of_the_other_byte_order_is_told_by_its_mark():
    assert decode(b"\xfe\xff" + "Wellenlänge".encode("utf-16-be")) == "Wellenlänge"


@pytest.mark.parametrize("written", ["Wellenlänge [nm] é", "Longueur d'onde (nm) : mesurée à 5 °C", "été ä b"])
def test_western_text_is_not_taken_as_japanese(written):
    assert decode(written.encode("cp1252")) == written


@pytest.mark.parametrize("written", ["試料名 酸化物", "2θ サンプル"])
def test_japanese_text_is_decoded(written):
    assert decode(written.encode("shift_jis")) == written


def test_bytes_of_no_character_set_are_replaced():
    assert decode(b"5 \x81\x8d\xff 6") == "5 \ufffd\ufffdÿ 6"


def test_binary_is_refused():
    with pytest.raises(NotUnderstood, match="binary"):
        decode(b"RAW1.01\x00\x05\x00\x00\x07" * 9)


def test_zeros_at_the_end_are_no_reason_to_refuse():
    assert decode(b"1 2\n3 4\n\x00\x00\x1a") == "1 2\n3 4\n"


def test_a_text_of_absurd_length_is_refused(monkeypatch):
    monkeypatch.setattr(text, "LARGEST_BYTES", 10)
    with pytest.raises(NotUnderstood, match="11 bytes"):
        decode(b"12345678901")


def test_lines_end_at_cr_lf_or_both_and_at_nothing_else():
    assert lines_of("a\rb\nc\r\nd\x0be\u2028f") == ["a", "b", "c", "d\x0be\u2028f"]


@pytest.mark.parametrize(
    ("token", "comma", "value"),
    [
        ("1.5", False, 1.5), ("-1,5", True, -1.5), ("1.5E+03", False, 1500.0), ("1.5D3", False, 1500.0),
        (".5", False, 0.5),
        ("5.", False, 5.0), (",5", True, 0.5), ("\u22121.5", False, -1.5), ("12", True, 12.0),
    ],
)  # fmt: skip
def test_numbers_of_all_spellings(token, comma, value):
    assert number(token, comma=comma) == value


@pytest.mark.parametrize("token", ["NaN", "nan", "inf", "1.#QNAN", "-1.#IND", "1e999", "n/a", "-Infinity"])
def test_missing_and_infinite_numbers_are_nan(token):
    assert math.isnan(number(token))


@pytest.mark.parametrize("token", ["", "1_000", "0x10", "1.5.2", "e5", "--1", "1e", "1 2", "٣", "1,5", "abc", "1" * 70])
def test_what_is_no_number(token):
    assert number(token) is None


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_any_written_number_is_read_back(value):
    assert number(repr(value)) == value
    assert number(repr(value).replace(".", ","), comma=True) == value


@pytest.mark.parametrize(
    ("values", "counts"),
    [([0, 1, 5], True), ([0.0, 0.0], False), ([1.5, 2], False), ([-1, 2], False), ([np.nan, 1], False)],
)
def test_counts_are_whole_and_not_negative(values, counts):
    assert are_counts(np.array(values, dtype=float)) is counts


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Integration Time (usec)", "integration_time_us"),
        ("Detector temperature (°C)", "detector_temperature_c"),
        ("Wellenlänge [nm]", "wellenlaenge_nm"),
        ("K-Alpha1 wavelength", "k_alpha1_wavelength"),
    ],
)
def test_names_become_fields_with_units(name, key):
    assert slug(name) == key


def test_facts_are_found_with_their_units():
    lines = [
        "# Integration Time: 70000 usec (USB2)", "Averages = 15", "Sample\tRutile 3", "Anode material,Cu",
        "Serial: 0042",
        "Laser: 532,2 nm", "plain words", "Date: 2021-03-04 12:30:05",
    ]  # fmt: skip
    assert facts_of(lines) == {
        "integration_time_us": 70000, "averages": 15, "sample": "Rutile 3", "anode_material": "Cu", "serial": "0042",
        "laser_nm": 532.2, "date": "2021-03-04 12:30:05",
    }  # fmt: skip


def test_facts_are_bounded():
    found = facts_of(f"name{index}: " + "x" * 900 for index in range(2000))
    assert len(found) == text.MOST_FACTS
    assert max(map(len, map(str, found.values()))) <= text.LONGEST_FACT


@given(st.text(max_size=80))
def test_any_text_makes_a_fact(value):
    assert isinstance(fact(value), str | int | float)
