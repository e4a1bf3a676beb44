"""One seed, as a worker simulates it."""

import numpy as np

from orchestrator.series.parcels import Need
from orchestrator.series.work import LACKS, simulate_seed


def test_all_that_is_lacking_is_asked_for_whatever_was_sent():
    need = Need(at=("known", "table"), name="a.csv", files={"a.csv": "1" * 64, "b.csv": "2" * 64})
    sent = {"1" * 64: np.frombuffer(b"1", np.uint8)}
    for contents in ({}, sent):
        assert simulate_seed({}, {}, [need.data()], contents, {}) == {LACKS: ["1" * 64, "2" * 64]}
