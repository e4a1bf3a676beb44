import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.instruments.reprap import Answer, Answered, read_answer, sealed, unsealed
from drivers.links.framing import BadFrame

# the RepRap wiki's example, G-code, introduction
WIKI = [
    b"N3 T0*57",
    b"N4 G92 E0*67",
    b"N5 G28*22",
    b"N6 G1 F1500.0*82",
    b"N7 G1 X2.0 Y2.0 F3000.0*85",
    b"N8 G1 X3.0 Y3.0*33",
]


@pytest.mark.parametrize("line", WIKI)
def test_checksums_are_those_of_the_wiki(line):
    body, _, _ = line.rpartition(b"*")
    assert sealed(body) == line
    assert unsealed(line) == body


@pytest.mark.parametrize("line", [b"N3 T0*58", b"N3 T1*57", b"N3 T0", b"N3 T0*", b"N3 T0*-57"])
def test_a_wrong_checksum_is_none(line):
    assert unsealed(line) is None


@given(body=st.binary(max_size=60), at=st.integers(0, 59), bit=st.integers(0, 7))
def test_a_flipped_bit_is_seen(body, at, bit):
    if not body:
        return
    line = bytearray(sealed(body))
    line[at % len(body)] ^= 1 << bit
    assert unsealed(bytes(line)) is None


def test_an_answer_ends_with_ok():
    stream = b"echo:busy: processing\nok N3 P15 B3\nok\n"
    assert Answer().take(stream) == (b"echo:busy: processing\nok N3 P15 B3", 35)
    assert Answer().take(stream[35:]) == (b"ok", 3)
    for end in range(35):
        assert Answer().take(stream[:end]) is None


def test_a_stream_without_ok_is_garbage():
    assert Answer().take(b"x" * 16_384) is None
    with pytest.raises(BadFrame, match="no ok"):
        Answer().take(b"x" * 16_385)


def test_what_an_answer_says():
    assert read_answer(b"ok N3 P15 B3") == Answered(number=3)
    assert read_answer(b"ok\r") == Answered(number=None)
    # Marlin, as hosts have logged it
    refused = b"Error:Line Number is not Last Line Number+1, Last Line: 3184\nResend: 3185\nok"
    assert read_answer(refused) == Answered(
        number=None, resend=3185, errors=("Line Number is not Last Line Number+1, Last Line: 3184",)
    )
    said = b'echo:busy: processing\necho:Unknown command: "M999"\nT:1*111\nok N4 P15 B3'
    assert sealed(b"T:1") == b"T:1*95"
    with pytest.raises(ValueError, match="no right checksum"):
        read_answer(said)
    assert read_answer(said.replace(b"*111", b"*95")) == Answered(
        number=4, errors=('Unknown command: "M999"',), data=(b"T:1",)
    )


@pytest.mark.parametrize("answer", [b"ok N3 P15", b"ok N", b"okay", b"start\nok N3 P15 B3", b"Resend: x\nok", b"\nok"])
def test_what_no_device_says_is_no_answer(answer):
    with pytest.raises(ValueError, match="checksum|no ok"):
        read_answer(answer)
