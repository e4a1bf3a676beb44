import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.links.url import BadURL, SerialAddress, SimAddress, parse_url


def test_a_serial_address():
    expected = SerialAddress(path="/dev/pts/3", baud=115_200, parity="E", data_bits=7, stop_bits=2)
    assert parse_url("serial:///dev/pts/3?baud=115200&parity=E&data=7&stop=2") == expected


def test_a_serial_address_has_the_usual_defaults():
    assert parse_url("serial:///dev/ttyUSB0") == SerialAddress(
        path="/dev/ttyUSB0", baud=9600, parity="N", data_bits=8, stop_bits=1
    )


@given(
    baud=st.integers(1, 4_000_000),
    parity=st.sampled_from(["N", "E", "O"]),
    data_bits=st.sampled_from([7, 8]),
    stop_bits=st.sampled_from([1, 2]),
)
def test_serial_addresses_survive_being_written(baud, parity, data_bits, stop_bits):
    address = SerialAddress(path="/dev/ttyS1", baud=baud, parity=parity, data_bits=data_bits, stop_bits=stop_bits)
    assert parse_url(str(address)) == address


def test_a_sim_address():
    assert parse_url("sim:film-station/stage") == SimAddress(world="film-station", instrument="stage")
    assert str(parse_url("sim:film-station/stage")) == "sim:film-station/stage"


@pytest.mark.parametrize(
    "text", ["tcp://10.0.0.5:702", "stage", "", "Serial:///dev/ttyUSB0", "http://x", "/dev/ttyUSB0"]
)
def test_an_unknown_scheme_names_those_that_exist(text):
    with pytest.raises(BadURL, match=r"serial: \(as in serial:///dev/ttyUSB0.*\), sim: \(as in sim:WORLD/INSTRUMENT"):
        parse_url(text)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("serial://dev/ttyUSB0", "three slashes"),
        ("serial:dev/ttyUSB0", "three slashes"),
        ("serial:///dev/ttyUSB0?bud=9600", "unknown option 'bud'; did you mean 'baud'"),
        ("serial:///dev/ttyUSB0?colour=red", "there are baud, parity, data, stop"),
        ("serial:///dev/ttyUSB0?baud=fast", "no positive whole number"),
        ("serial:///dev/ttyUSB0?baud=0", "no positive whole number"),
        ("serial:///dev/ttyUSB0?baud=", "no positive whole number"),
        ("serial:///dev/ttyUSB0?parity=X", "none of N, E, O"),
        ("serial:///dev/ttyUSB0?data=9", "none of 7, 8"),
        ("sim:film-station", "as in sim:film-station/stage"),
        ("sim:/stage", "write sim:WORLD/INSTRUMENT"),
        ("sim:a/", "write sim:WORLD/INSTRUMENT"),
        ("sim:a/b/c", "write sim:WORLD/INSTRUMENT"),
    ],
)
def test_what_is_wrong_with_an_address_is_said(text, match):
    with pytest.raises(BadURL, match=match):
        parse_url(text)
