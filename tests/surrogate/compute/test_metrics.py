import json

import pytest

from surrogate.compute.events import Finish, Record, What
from surrogate.compute.jobs import JobClass
from surrogate.compute.metrics import Meter


def ended(status="done", *, in_time=True, has_deadline=True):
    finish = Finish(ticket=1, status=status, rung=0, is_in_time=in_time)
    return Record(at_s=0.0, what=What.ENDED, job_class=JobClass.PLAN, finish=finish, has_deadline=has_deadline)


def filled():
    meter = Meter()
    for record in (
        Record(at_s=0.0, what=What.LEFT, seconds=40.0),
        Record(at_s=0.0, what=What.LEFT, seconds=60.0),
        Record(at_s=0.0, what=What.SLICED, seconds=5.1, over_s=0.1),
        Record(at_s=0.0, what=What.SLICED, seconds=9.0, over_s=4.0),
        Record(at_s=0.0, what=What.YIELDED, seconds=0.7),
        Record(at_s=0.0, what=What.PREEMPTED),
        Record(at_s=0.0, what=What.FAILED, reason="lost: killed"),
        Record(at_s=0.0, what=What.RETRIED),
        Record(at_s=0.0, what=What.FELL_BACK, reason="gpu -> cpu: no memory"),
        ended(), ended(in_time=False), ended("failed"), ended("cancelled"), ended(has_deadline=False),
    ):  # fmt: skip
        meter.add(record)
    for unseen in (0, 1, 1):
        meter.used(unseen)
    meter.speculated(True)
    meter.speculated(False)
    meter.free("x", 10.0)
    meter.free("x", 11.0)
    meter.taken("x", 13.0)
    meter.taken("x", 14.0)
    meter.free("y", 98.0)
    return meter.metrics(100.0)


def test_sums():
    found = filled()
    assert found.busy_s == 100.0 and found.idle_s == {"x": 3.0, "y": 2.0} and found.hidden == pytest.approx(0.95)
    assert (found.in_time, found.with_deadline, found.hit_rate) == (1, 3, pytest.approx(1 / 3))
    assert found.staleness == {0: 1, 1: 2} and found.mean_staleness == pytest.approx(2 / 3)
    assert (found.speculated, found.speculation_hits) == (2, 1)
    assert (found.slices, found.slices_over, found.worst_over_s, found.worst_yield_s) == (3, 1, 4.0, 0.7)
    assert (found.preemptions, found.retries) == (1, 1)
    assert found.failures == {"lost": 1} and found.fallbacks == {"gpu -> cpu": 1}
    assert found.ended == {"done": 3, "failed": 1, "cancelled": 1}


def test_words_and_json_say_the_same():
    found = filled()
    words, told = found.words(), json.loads(json.dumps(found.as_json()))
    assert told["hidden"] == pytest.approx(0.95) and told["staleness"] == {"0": 1, "1": 2}
    for part in ("hidden behind experiments 95.0 %", "x 3.0 s, y 2.0 s", "deadlines met: 1 of 3", "0 in 1, 1 in 2",
                 "1 hits of 2", "by up to 4.00 s", "lost 1", "gpu -> cpu 1"):  # fmt: skip
        assert part in words


def test_nothing_done_is_nothing_to_blame():
    nothing = Meter().metrics(0.0)
    assert (nothing.hidden, nothing.hit_rate, nothing.mean_staleness) == (1.0, 1.0, 0.0) and nothing.words()
