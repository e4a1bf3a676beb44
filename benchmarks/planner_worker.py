"""One planner on one problem, driven by lines of JSON: a script for an environment that need not have labpilot.

    PYTHON benchmarks/planner_worker.py PLANNER

In goes ``{"space": ..., "seed": 0}``, then ``{"tell": [[point, value or null], ...], "n": 1}`` again and again. Each is
answered: the first with ``{"version": ...}``, the others with ``{"points": [...], "cpu_s": ...}``, where ``cpu_s`` is
what tell and ask took. A planner that cannot express the space answers ``{"unsupported": reason}``, one that fails
``{"error": ...}``; both end the worker. What planners print goes to stderr.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
import warnings
from collections.abc import Iterator
from typing import Any, TextIO

from planner_peers import ENTRIES, Entry, Peer, Unsupported
from planner_space import Space, Value
from planner_versions import version_of


def answers(entry: Entry, lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    """Answer each line."""
    try:
        told = json.loads(next(lines))
        peer = entry.open(Space.from_json(told["space"]), told["seed"])
        yield {"version": version_of(entry)}
        for line in lines:
            asked = json.loads(line)
            yield cycle(peer, asked["tell"], asked["n"])
    except Unsupported as reason:
        yield {"unsupported": str(reason)}
    except Exception as error:  # whatever a peer raises is a result about the peer
        traceback.print_exc(file=sys.stderr)
        yield {"error": f"{type(error).__name__}: {error}"[:300]}


def cycle(peer: Peer, trials: list[list[Any]], n: int) -> dict[str, Any]:
    """Tell, and ask for n points."""
    began = time.process_time()
    peer.tell([(point, value) for point, value in trials])
    points = peer.ask(n)
    cpu_s = time.process_time() - began
    return {"points": [{name: plain(value) for name, value in point.items()} for point in points], "cpu_s": cpu_s}


def plain(value: Any) -> Value:
    """Return a value as JSON can write it."""
    return value if isinstance(value, int | float | str) else value.item()


def own_stdout() -> TextIO:
    """Return the stream for answers, and send whatever else is printed to stderr."""
    stream = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return stream


def main() -> None:
    """Answer until the input ends."""
    stream = own_stdout()
    warnings.simplefilter("ignore")
    for answer in answers(ENTRIES[sys.argv[1]], iter(sys.stdin.readline, "")):
        stream.write(json.dumps(answer) + "\n")
        stream.flush()


if __name__ == "__main__":
    main()
