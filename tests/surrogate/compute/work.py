"""Jobs that workers do in tests: the well-behaved and the others."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np


def double(x):
    return {"twice": 2 * x, "pid": os.getpid(), "threads": os.environ["OMP_NUM_THREADS"]}


def total(n, pause_s=0.0, checkpoint=None):
    """Add up 0 .. n - 1, a number a step; tell by which processes."""
    state = checkpoint or {"i": 0, "sum": np.zeros(1), "pids": []}
    i, so_far, pids = state["i"], state["sum"], state["pids"]
    if os.getpid() not in pids:
        pids = [*pids, os.getpid()]
    while i < n:
        so_far = so_far + i
        i += 1
        time.sleep(pause_s)
        yield {"i": i, "sum": so_far, "pids": pids}
    return {"sum": so_far, "pids": pids}


def once(mark: Path | str) -> bool:
    """Return whether this is the first time, in any process."""
    try:
        os.close(os.open(mark, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True


def hang(seconds):
    time.sleep(seconds)
    return "woke"


def die_once(mark):
    if once(mark):
        print("a last word", file=sys.stderr, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    return "alive"


def die_once_leaving_a_child(mark, pid_file):
    """Leave behind what outlives the process group and holds the standard error open."""
    if once(mark):
        child = subprocess.Popen(["sleep", "600"], start_new_session=True)
        Path(pid_file).write_text(str(child.pid))
        os.kill(os.getpid(), signal.SIGKILL)
    return "alive"


def hang_once(mark):
    if once(mark):
        time.sleep(1000)
    return "awake"


def stop_once(mark):
    if once(mark):
        os.kill(os.getpid(), signal.SIGSTOP)
    return "going"


def raise_once(mark):
    if once(mark):
        raise ValueError("not this time")
    return "fine"


def always_raise():
    raise ValueError("never")


def hoard(n_bytes):
    return int(np.ones(n_bytes, dtype=np.uint8)[::4096].sum())


def creep(n_bytes):
    """Take memory that no limit on data hears of: shared pages."""
    import mmap

    held = mmap.mmap(-1, n_bytes, flags=mmap.MAP_SHARED | mmap.MAP_ANONYMOUS)
    for start in range(0, n_bytes, 2**20):
        held[start : start + 4096 * 256] = b"x" * 4096 * 256
        time.sleep(0.002)
    time.sleep(5)
    return "kept all"


_KEPT = []


def leak(n_bytes):
    _KEPT.append(np.ones(n_bytes, dtype=np.uint8))
    return os.getpid()


def silent(checkpoint=None):
    yield {"i": 1}
    time.sleep(1000)


def where(device):
    return device


def leave():
    sys.exit(3)


def talk(words):
    print(words)
    return words


def not_plain():
    return {1, 2}


def stuck_generator():
    yield 1


def bear():
    """Start a process that would live for long, and leave it."""
    return os.posix_spawn("/bin/sleep", ["sleep", "1000"], os.environ)


def babble():
    """Write nonsense where only the worker may: its copy of the standard output."""
    for fd in range(3, 10):
        try:
            if os.readlink(f"/proc/self/fd/{fd}").startswith("pipe"):
                os.write(fd, b"\xff" * 64 + b"{" * 64)
        except OSError:
            continue
    time.sleep(1000)


def leave_child():
    print(bear(), file=sys.stderr, flush=True)
    os._exit(5)
