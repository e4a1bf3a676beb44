import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.links.framing import BadFrame, Block, Line, Packet, SealedLine

FRAMINGS = {
    "line": Line(),
    "line-crlf": Line(b"\r\n"),
    "sealed": SealedLine(),
    "block": Block(),
    "block-bare": Block(b""),
    "packet": Packet(),
}
framings = pytest.mark.parametrize("framing", FRAMINGS.values(), ids=FRAMINGS.keys())


def message_for(framing) -> st.SearchStrategy[bytes]:
    if isinstance(framing, Line | SealedLine):
        text = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=40)
        return text.map(lambda body: body.encode("ascii"))
    return st.binary(max_size=40)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    at = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[begin:end] for begin, end in zip(at, at[1:], strict=False)]


@framings
@given(data=st.data())
def test_any_split_of_the_bytes_gives_the_message_once_and_only_when_whole(framing, data):
    message = data.draw(message_for(framing))
    wrapped = framing.wrap(message)
    buffer = bytearray()
    for piece in pieces(wrapped, data.draw(st.lists(st.integers(0, 10_000), max_size=8))):
        assert framing.take(buffer) is None
        buffer += piece
    assert framing.take(buffer) == (message, len(wrapped))


@framings
@given(data=st.data())
def test_a_cut_message_is_never_a_value(framing, data):
    wrapped = framing.wrap(data.draw(message_for(framing)))
    for end in range(len(wrapped)):
        assert framing.take(wrapped[:end]) is None


@framings
@given(data=st.data())
def test_messages_that_follow_each_other_come_apart(framing, data):
    messages = data.draw(st.lists(message_for(framing), min_size=2, max_size=4))
    buffer = bytearray(b"".join(framing.wrap(message) for message in messages))
    taken = []
    while buffer:
        message, used = framing.take(buffer)
        taken.append(message)
        del buffer[:used]
    assert taken == messages


@framings
@given(data=st.binary(max_size=60))
def test_garbage_is_a_message_an_error_or_unfinished_but_never_a_crash(framing, data):
    try:
        taken = framing.take(data)
    except BadFrame:
        return
    assert taken is None or 0 < taken[1] <= len(data)


@pytest.mark.parametrize("framing", [SealedLine(), Packet()], ids=["sealed", "packet"])
@given(message=st.binary(min_size=1, max_size=30), bit=st.integers(0, 10_000))
def test_a_flipped_bit_is_never_a_value(framing, message, bit):
    message = message.replace(b"\r", b"").replace(b"\n", b"")
    damaged = bytearray(framing.wrap(message))
    bit %= 8 * len(damaged)
    damaged[bit // 8] ^= 1 << bit % 8
    try:
        taken = framing.take(damaged)
    except BadFrame:
        return
    # a length that grew waits for more; a line whose end was hit does too
    assert taken is None or taken[0] == message


def test_a_line_without_end_is_garbage():
    assert Line(longest=10).take(b"x" * 10) is None
    with pytest.raises(BadFrame, match="no line end within 10"):
        Line(longest=10).take(b"x" * 11)


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"1234\n", "starts with '#'"),
        (b"#0abc\n", "definite length"),
        (b"#2ab", "no length"),
        (b"#9999999999", "no length"),
        (b"#13abcX", "not by its terminator"),
    ],
)
def test_what_is_no_block(data, match):
    with pytest.raises(BadFrame, match=match):
        Block().take(data)


def test_a_block_carries_its_own_terminator():
    assert Block().take(b"#15ab\n\nc\n") == (b"ab\n\nc", 9)


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"\xa5X", "starts with"),
        (b"\xa5\x5a\xff\xff\xff\xff", "too long"),
        (b"\xa5\x5a\x01\x00\x00\x00a\x00\x00\x00\x00", "checksum"),
    ],
)
def test_what_is_no_packet(data, match):
    with pytest.raises(BadFrame, match=match):
        Packet().take(data)


def test_a_line_cannot_carry_its_own_end():
    with pytest.raises(BadFrame, match="its own terminator"):
        Line().wrap(b"a\nb")


def test_the_checksum_is_that_of_nmea():
    # a sentence from the NMEA 0183 literature, with a well-known checksum
    body = b"GPGGA,123519,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,"
    assert SealedLine().wrap(body) == body + b"*47\r\n"


@pytest.mark.parametrize("noise", [b"\x00", b"\x07", b"\x7f", b"\x80", b"\xff"])
def test_a_line_is_text_or_noise(noise):
    with pytest.raises(BadFrame, match="no text"):
        Line().take(b"12" + noise + b"4\n")
