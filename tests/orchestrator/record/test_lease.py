import threading
import time
from dataclasses import replace

import pytest
from sqlalchemy import text

from drivers.clock import RealClock
from orchestrator.errors import InUse, StorageError
from orchestrator.journal import Journal, read_events
from orchestrator.record.lease import Pace, Superseded, acquire, read_lease
from orchestrator.record.owners import this_process

PACE = Pace(renew_s=0.2, stale_s=0.6)


def facts(engine):
    with engine.connect() as connection:
        return read_lease(connection)


def strangers(engine, **changes):
    """Take the lease as a process that cannot be looked at from here."""
    return acquire(engine, pace=PACE, owner=replace(this_process(), host="far", machine="m2", pid=17, **changes))


def test_each_lease_has_a_later_epoch_than_any_before(engine):
    assert (facts(engine).epoch, facts(engine).owner) == (0, None)
    first = acquire(engine)
    assert first.epoch == 1
    assert facts(engine).owner == this_process()
    first.release()
    assert facts(engine).owner is None
    assert acquire(engine).epoch == 2


def test_a_journal_from_before_there_were_leases_counts(engine):
    journal = Journal(engine, RealClock(), epoch=7)
    journal.append("note", {}, durable=True)
    journal.close()
    with engine.begin() as connection:
        connection.execute(text("UPDATE lease SET epoch = 0"))
    assert acquire(engine).epoch == 8


def test_a_fresh_lease_is_refused_with_its_owner(engine):
    strangers(engine)
    with pytest.raises(InUse, match=r"controlled by process 17 on far, which said so 0 s ago: stop it, or.*try again"):
        acquire(engine, pace=PACE)
    assert facts(engine).epoch == 1


def test_an_old_lease_that_nobody_renews_is_taken_over(engine):
    strangers(engine)
    slept = []
    with engine.begin() as connection:
        connection.execute(text("UPDATE lease SET renewed_utc = '2026-01-01T00:00:00+00:00'"))
    lease = acquire(engine, pace=replace(PACE, sleep=slept.append))
    assert lease.epoch == 2
    assert slept == [PACE.watch_s]


@pytest.mark.parametrize("utc", ["2026-01-01T00:00:00+00:00", "2066-01-01T00:00:00+00:00"], ids=["forth", "back"])
def test_a_clock_that_jumps_ends_no_lease_that_is_renewed(engine, utc):
    held = strangers(engine)
    with engine.begin() as connection:
        connection.execute(text("UPDATE lease SET renewed_utc = :utc"), {"utc": utc})
    with pytest.raises(InUse, match="process 17 on far, which has just said so"):
        acquire(engine, pace=replace(PACE, sleep=lambda _s: held.renew()))
    assert facts(engine).epoch == 1


def test_a_lease_of_an_earlier_boot_is_taken_over_at_once(engine):
    acquire(engine, owner=replace(this_process(), boot_id="before the power cut"))
    assert acquire(engine).epoch == 2


def test_a_process_number_that_was_used_again_holds_no_lease(engine):
    acquire(engine, owner=replace(this_process(), started="1"))
    assert acquire(engine).epoch == 2


def test_a_container_beside_this_one_is_not_taken_for_dead(engine):
    acquire(engine, owner=replace(this_process(), space="pid:[1]", pid=2**22 + 1))
    with pytest.raises(InUse, match="controlled by process 4194305"):
        acquire(engine)


def test_a_lease_that_was_lost_is_neither_renewed_nor_released(engine):
    earlier = acquire(engine, owner=replace(this_process(), boot_id="before"))
    later = acquire(engine)
    with pytest.raises(Superseded, match="another controller has taken the lease of epoch 1"):
        earlier.renew()
    assert earlier.is_lost
    earlier.release()
    assert facts(engine).owner == this_process()
    later.renew()


def test_a_lease_is_renewed_while_the_main_thread_is_busy(engine):
    lease = acquire(engine, pace=PACE)
    with lease.kept():
        time.sleep(3.5 * PACE.renew_s)  # a long fit
    assert facts(engine).renewals >= 2
    assert facts(engine).owner is None


def test_no_entry_of_an_earlier_epoch_is_committed_once_a_later_one_exists(engine):
    earlier = Journal(engine, RealClock(), epoch=acquire(engine, owner=replace(this_process(), boot_id="b")).epoch)
    earlier.append("note", {"text": "mine"}, durable=True)
    earlier.append("note", {"text": "buffered"})
    acquire(engine)  # and the later controller has written nothing yet
    with pytest.raises(StorageError, match=r"another controller has gone on .*its epoch is 2, this one's is 1"):
        earlier.append("note", {"text": "about to act"}, durable=True)
    with pytest.raises(StorageError, match="another controller has gone on"):
        earlier.append("note", {})
    earlier.close()
    with engine.connect() as connection:
        assert [event.body["text"] for event in read_events(connection)] == ["mine"]


def test_a_look_right_before_an_act_finds_a_later_controller(engine):
    journal = Journal(engine, RealClock(), epoch=acquire(engine, owner=replace(this_process(), boot_id="b")).epoch)
    journal.append("step_noted", {}, durable=True)
    acquire(engine)
    journal.confirm(within_s=60.0)  # the commit itself was a look
    with pytest.raises(StorageError, match="another controller has gone on"):
        journal.confirm()
    with pytest.raises(StorageError, match="another controller has gone on"):
        journal.confirm(within_s=60.0)
    journal.close()


def test_a_takeover_waits_for_the_commit_under_way(engine):
    earlier = Journal(engine, RealClock(), epoch=acquire(engine, owner=replace(this_process(), boot_id="b")).epoch)
    commit, order = earlier.connection.commit, []
    taking = threading.Thread(target=lambda: order.append(("epoch", acquire(engine).epoch)))

    def slow_commit():
        taking.start()
        time.sleep(0.2)
        order.append(("commit", facts(engine).epoch))
        commit()

    earlier.connection.commit = slow_commit
    earlier.append("note", {}, durable=True)
    taking.join()
    assert order == [("commit", 1), ("epoch", 2)]
    earlier.connection.commit = commit
    earlier.close()
