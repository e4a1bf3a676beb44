"""Let processes leave what they are at when a series is broken off, so that Ctrl-C need not wait for long patterns.

The parent holds one end of a pipe; when it closes that end, or dies, each process interrupts its own work. What is not
at work is never interrupted: results that are being sent would be cut, and their reader would wait for the rest.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnContext
from typing import Any, TypeVar

T = TypeVar("T")
SIGNAL = getattr(signal, "SIGUSR1", None)
"""What interrupts the work; where the system has none, work is ended between two files only."""


class Left(BaseException):
    """Raised in the midst of work that nobody waits for any more."""


class _State:
    is_left = False
    is_busy = False


@contextmanager
def processes(
    workers: int, context: SpawnContext, begin: Callable[..., None], arguments: tuple[Any, ...]
) -> Iterator[ProcessPoolExecutor]:
    """Lend processes that ran ``begin(*arguments, watched)`` first; at the end they leave what they are at."""
    watched, held = context.Pipe(duplex=False)
    with watched, held, ProcessPoolExecutor(workers, context, begin, (*arguments, watched)) as pool:
        try:
            yield pool
        finally:
            held.close()


def watch(watched: Connection) -> None:
    """Make this process leave its work when the other end of a pipe is closed."""
    if SIGNAL is not None:
        signal.signal(SIGNAL, _interrupt)
    threading.Thread(target=_wait, args=(watched,), daemon=True).start()


def _wait(watched: Connection) -> None:
    with suppress(OSError):
        watched.poll(None)
    _State.is_left = True
    main = threading.main_thread().ident
    if SIGNAL is not None and main is not None:
        signal.pthread_kill(main, SIGNAL)


def _interrupt(_number: int, _frame: object) -> None:
    if _State.is_busy:
        raise Left


def at_work(work: Callable[[], T], otherwise: T) -> T:
    """Return the result of work, or something else if it is left."""
    try:
        _State.is_busy = True
        return otherwise if _State.is_left else work()
    except Left:
        return otherwise
    finally:
        _State.is_busy = False
