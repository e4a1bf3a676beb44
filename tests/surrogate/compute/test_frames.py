import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surrogate.compute.frames import frame, read_frame

messages = st.tuples(st.dictionaries(st.text(), st.integers()), st.binary())


@given(st.lists(messages))
def test_messages_come_one_by_one(sent):
    pipe = io.BytesIO(b"".join(frame(*message) for message in sent))
    assert [read_frame(pipe.read) for _ in sent] == sent
    assert read_frame(pipe.read) is None


@pytest.mark.parametrize("cut", [1, 11, 14, 20])
def test_half_a_message_is_none(cut):
    whole = frame({"kind": "done"}, b"12345")
    assert cut < len(whole) and read_frame(io.BytesIO(whole[:cut]).read) is None
