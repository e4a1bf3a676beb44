"""The command behind ``python -m surrogate.xrd.training``: a job in a folder, which signals only postpone."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType

import torch

from surrogate.xrd.library import Library, embedded_library, load_library
from surrogate.xrd.network import save_network
from surrogate.xrd.training import TrainingJob, finished, train
from surrogate.xrd.training_data import make_world

logger = logging.getLogger(__name__)

CHECKPOINT = "checkpoint.npz"
NETWORK = "network.npz"


class _Signals:
    """Remembers the first signal that asks the job to stop; a second one ends it at once."""

    def __init__(self) -> None:
        self.number = 0
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._take)

    def _take(self, number: int, frame: FrameType | None) -> None:
        self.number = self.number or number
        signal.signal(number, signal.SIG_DFL)

    def stop(self, step: int) -> bool:
        """Say whether to stop before a step."""
        return self.number != 0


def main(argv: Sequence[str] | None = None) -> None:
    """Train, and write the network; leave with 128 and the signal's number if the job was stopped.

    Raises:
        SystemExit: The job was stopped, or the call was wrong (2).
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser = _parser()
    arguments = parser.parse_args(argv)
    with refusing(parser):
        _train(arguments, _Signals())


def _train(arguments: argparse.Namespace, signals: _Signals) -> None:
    if arguments.device.startswith("cuda") and not torch.cuda.is_available():
        raise ValueError(f"--device {arguments.device}: no GPU is at hand, or this torch was built without it")
    names = ("steps", "batch", "seed", "learning_rate")
    job = replace(TrainingJob(), **{name: getattr(arguments, name) for name in names})
    world = make_world(library_of(arguments))
    checkpoint = arguments.out / CHECKPOINT
    student = train(job, world, checkpoint, device=arguments.device, every=arguments.every, stop=signals.stop)
    if student.step < job.steps:
        logger.info("training stopped step=%d of=%d: the same command goes on", student.step, job.steps)
        sys.exit(128 + signals.number)
    network = finished(student)
    save_network(arguments.out / NETWORK, network)
    logger.info("training done network=%s held_out=%s", arguments.out / NETWORK, network.facts["held_out"])


@contextmanager
def refusing(parser: argparse.ArgumentParser) -> Iterator[None]:
    """Tell what a call names wrongly in a line.

    Raises:
        SystemExit: 2, with the reason on stderr.
    """
    try:
        yield
    except (KeyError, ValueError, OSError) as error:
        reason = error.args[0] if isinstance(error, KeyError) else error
        parser.exit(2, f"{parser.prog}: error: {reason}\n")


def library_of(arguments: argparse.Namespace) -> Library:
    """Return the phases that a call names.

    Raises:
        KeyError: No embedded phase has one of the names.
        ValueError: The folder is none.
    """
    if arguments.phases is None:
        return embedded_library(None if arguments.embedded == ["all"] else arguments.embedded)
    if not arguments.phases.is_dir():
        raise ValueError(f"--phases {arguments.phases} is no folder; name one that holds CIF files")
    library = load_library(arguments.phases)
    for one in library.rejected:
        logger.warning("left out file=%s reason=%s", one.file, one.reason)
    return library


def whole(text: str) -> int:
    """Read a number of steps or of patterns.

    Raises:
        argparse.ArgumentTypeError: It is below 1.
    """
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"{number} is too few; give 1 at least")
    return number


def add_library(parser: argparse.ArgumentParser) -> None:
    """Let a call name the phases."""
    library = parser.add_mutually_exclusive_group(required=True)
    library.add_argument("--phases", type=Path, help="folder of CIF files")
    library.add_argument("--embedded", nargs="+", metavar="NAME", help="phases that come with the program, or: all")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m surrogate.xrd.training",
        description="Train a network that proposes the phases of powder patterns. The job goes on from its last "
        "checkpoint when the same command is given again.",
    )
    job = TrainingJob()
    add_library(parser)
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoint.npz and network.npz")
    parser.add_argument("--steps", type=whole, default=job.steps)
    parser.add_argument("--batch", type=whole, default=job.batch, help="patterns for each step")
    parser.add_argument("--seed", type=int, default=job.seed)
    parser.add_argument("--learning-rate", type=float, default=job.learning_rate)
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--every", type=whole, default=200, help="steps between checkpoints")
    return parser
