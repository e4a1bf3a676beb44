"""A worker's process: ``python -m surrogate.compute.worker OPTIONS``, started by `surrogate.compute.process`.

It serves one job at a time, says so, and waits for the next one. A thread listens meanwhile, so that a job hears the
wish that it leaves, and the process ends with its controller. What jobs print goes to the standard error.
"""

from __future__ import annotations

import importlib
import inspect
import json
import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import nullcontext
from typing import Any, BinaryIO

from surrogate.compute.errors import BadJob
from surrogate.compute.frames import frame, read_frame
from surrogate.compute.memory import limited, resident_bytes
from surrogate.compute.plain import Plain, packed, unpacked

Message = tuple[dict[str, Any], bytes]


class Voice:
    """The way back to the controller."""

    def __init__(self, pipe: BinaryIO) -> None:
        self._pipe = pipe

    def say(self, kind: str, payload: bytes = b"", **told: Any) -> None:
        """Send a message, with the memory that is held."""
        self._pipe.write(frame({"kind": kind, "rss": resident_bytes() or 0, **told}, payload))
        self._pipe.flush()


class Ear:
    """What the controller says."""

    def __init__(self, pipe: BinaryIO) -> None:
        self._pipe = pipe
        self.jobs: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self.leave = 0
        """The run that is to leave its worker."""
        threading.Thread(target=self._listen, daemon=True, name="ear").start()

    def _listen(self) -> None:
        while (message := read_frame(self._pipe.read)) is not None:
            if message[0]["kind"] == "leave":
                self.leave = message[0]["run"]
            else:
                self.jobs.put(message)
        os._exit(0)  # the controller is no more; nobody waits for what this process does


def main() -> None:
    """Serve until the controller closes the pipe."""
    options = json.loads(sys.argv[1])
    voice = Voice(os.fdopen(os.dup(1), "wb"))
    os.dup2(2, 1)
    ear = Ear(os.fdopen(os.dup(0), "rb"))
    os.close(0)
    os.open(os.devnull, os.O_RDONLY)
    for module in options["preload"]:
        importlib.import_module(module)
    device = _gpu() if options["gpu"] else {}
    _pin_threads(options["threads"])
    voice.say("hello", **device)
    while True:
        head, payload = ear.jobs.get()
        _served(head, payload, voice, ear, options)


def _gpu() -> dict[str, Any]:
    """Return the name and memory of the GPU, warm; or why there is none."""
    try:
        import torch

        if not torch.cuda.is_available():
            return {"gpu": "", "gpu_bytes": 0, "why": "torch.cuda sees no GPU"}
        torch.zeros(1, device="cuda")
        return {"gpu": torch.cuda.get_device_name(), "gpu_bytes": int(torch.cuda.mem_get_info()[1])}
    except (ImportError, RuntimeError, AssertionError) as error:
        return {"gpu": "", "gpu_bytes": 0, "why": f"torch.cuda does not start: {error}"}


def _pin_threads(n: int) -> None:
    """Keep torch to its reservation; the libraries below it read the environment."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.get_num_threads() != n:
        torch.set_num_threads(n)


def _served(head: dict[str, Any], payload: bytes, voice: Voice, ear: Ear, options: dict[str, Any]) -> None:
    run = head["run"]
    try:
        arguments, checkpoint = unpacked(payload[: head["split"]]), unpacked(payload[head["split"] :])
        function = _function(head["function"])
        _pin_threads(options["threads"])
        # what the GPU's owner holds beside it is CUDA's for the most part, and not the job's
        memory = nullcontext() if options["gpu"] else limited(head["lease"] + options["slack"])
        with memory, _Gpu(options["gpu"], head["lease"]):
            arguments |= _device(function, options["gpu"])
            if not head["steps"]:
                kind, value, took_s = "done", _plain_result(function(**arguments)), 0.0
            else:
                generator = function(**arguments, checkpoint=checkpoint)
                kind, value, took_s = _stepped(generator, head, voice, ear)
            content = packed(value)
        voice.say(kind, content, run=run, slice_s=took_s)
    except BaseException as error:  # noqa: B036 - the supervisor of jobs, which may raise anything, SystemExit too
        voice.say("broke", run=run, why=_why(error), reason=f"{type(error).__name__}: {error}"[:2000])


def _function(path: str) -> Callable[..., Any]:
    module, name = path.split(":")
    return getattr(importlib.import_module(module), name)


def _device(function: Callable[..., Any], is_gpu: bool) -> dict[str, str]:
    try:
        has_device = "device" in inspect.signature(function).parameters
    except ValueError:  # a compiled function that does not say what it takes
        has_device = False
    return {"device": "cuda" if is_gpu else "cpu"} if has_device else {}


def _plain_result(value: Any) -> Plain:
    if inspect.isgenerator(value):
        raise BadJob("the function is a generator; submit it with steps=True")
    return value


def _stepped(
    generator: Generator[Plain, None, Plain], head: dict[str, Any], voice: Voice, ear: Ear
) -> tuple[str, Plain, float]:
    """Run a job step by step; return its result, or where it left off."""
    if not inspect.isgenerator(generator):
        raise BadJob("the function is no generator; submit it with steps=False, or let it yield checkpoints")
    began_s = time.monotonic()
    while True:
        try:
            checkpoint = next(generator)
        except StopIteration as end:
            return "done", end.value, time.monotonic() - began_s
        took_s = time.monotonic() - began_s
        if ear.leave == head["run"]:
            generator.close()
            return "left", checkpoint, took_s
        if took_s >= head["slice_s"]:
            voice.say("slice", packed(checkpoint), run=head["run"], slice_s=took_s)
            began_s = time.monotonic()


class _Gpu:
    """A lease of the GPU's memory, where this process owns one."""

    def __init__(self, is_gpu: bool, lease: int) -> None:
        self._cuda = sys.modules["torch"].cuda if is_gpu else None
        self._lease = lease

    def __enter__(self) -> None:
        if self._cuda is not None:
            total = self._cuda.mem_get_info()[1]
            self._cuda.set_per_process_memory_fraction(min(1.0, max(self._lease, 2**26) / total))

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._cuda is not None and kind is not None:
            self._cuda.empty_cache()


def _why(error: BaseException) -> str:
    """Tell a lack of memory from other errors; torch has no class of its own for it on a CPU."""
    is_memory = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    return "memory" if is_memory or "can't allocate memory" in str(error) else "raised"


if __name__ == "__main__":
    main()
