"""Interrupts: what Ctrl-C, SIGTERM and a terminal that goes away mean to a running campaign."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from orchestrator.outcomes import StopSwitch

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def interrupts(stop: StopSwitch) -> Iterator[None]:
    """Let a signal ask for a stop after the current step; use it in the task that runs the campaign.

    A second one cancels that task, so that the instruments are made safe and the campaign ends in the middle of the
    step. A third one ends the process at once.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    n_asked = 0

    def ask(number: int, _frame: object) -> None:
        nonlocal n_asked
        n_asked += 1
        stop.is_set = True  # at once, should the loop be busy; what sleeps is woken by the loop
        if n_asked == 1:
            loop.call_soon_threadsafe(stop.set)
        elif n_asked == 2 and task is not None:
            loop.call_soon_threadsafe(task.cancel)
        else:
            signal.signal(number, signal.SIG_DFL)
            raise KeyboardInterrupt

    # who was started with nohup does not want to hear of the terminal
    heard = [number for number in SIGNALS if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, ask) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
