import os

import numpy as np
import pytest

from surrogate.compute.memory import limited, resident_bytes


def test_what_a_process_holds_grows_with_what_it_takes():
    before = resident_bytes()
    held = np.ones(2**26, dtype=np.uint8)
    assert resident_bytes() - before > 2**25 and held.any()
    assert resident_bytes(os.getpid()) == pytest.approx(resident_bytes(), rel=0.2)


def test_a_process_that_is_no_more_holds_nothing():
    assert resident_bytes(2**22 + 1) is None


def test_beyond_the_limit_asking_is_an_error_and_afterwards_it_is_not():
    with limited(2**26):
        with pytest.raises(MemoryError):
            np.ones(2**28, dtype=np.uint8)
        assert np.ones(2**20, dtype=np.uint8).all()
    assert np.ones(2**28, dtype=np.uint8).any()
