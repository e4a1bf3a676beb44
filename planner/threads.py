"""One thread for linear algebra: sums then have one order, and equal data give equal digits wherever a planner runs.

At laboratory size threads would cost more than they save, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController


@contextmanager
def one_thread() -> Iterator[None]:
    """Run numpy and scipy on one thread, and leave the number as it was found."""
    with _controller().limit(limits=1, user_api="blas"):
        yield


@cache
def _controller() -> ThreadpoolController:
    # only what is loaded can be limited, and looking for it takes milliseconds: load it, and look once
    import scipy.linalg  # noqa: F401
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
