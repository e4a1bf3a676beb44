"""The command behind ``python -m surrogate.xrd.training_fine``: a network that has also learnt from a campaign."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from surrogate.xrd.network import load_network, save_network
from surrogate.xrd.training_command import add_library, library_of, refusing, whole
from surrogate.xrd.training_data import make_world
from surrogate.xrd.training_fine import Replay, Tuning, fine_tune
from surrogate.xrd.training_seen import adjudicated_patterns

logger = logging.getLogger(__name__)

INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> None:
    """Teach a network, and write another one.

    Raises:
        SystemExit: The call was wrong (2), or interrupted (130): nothing is written then.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser = _parser()
    arguments = parser.parse_args(argv)
    try:
        with refusing(parser):
            _tune(arguments)
    except KeyboardInterrupt:
        logger.info("tuning interrupted: nothing was written")
        sys.exit(INTERRUPTED)


def _tune(arguments: argparse.Namespace) -> None:
    library = library_of(arguments)
    network = load_network(arguments.network).belonging_to(library)
    seen = adjudicated_patterns(arguments.adjudicated, network.names, wavelength_angstrom=arguments.wavelength)
    logger.info("tuning begins patterns=%d steps=%d", len(seen), arguments.steps)
    tuned = fine_tune(
        network,
        seen,
        replay=Replay(world=make_world(library), seed=arguments.seed, share=arguments.replay),
        tuning=Tuning(steps=arguments.steps, learning_rate=arguments.learning_rate, scope=arguments.scope),
    )
    save_network(arguments.out, tuned)
    logger.info("tuning done network=%s", arguments.out)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m surrogate.xrd.training_fine",
        description="Teach a network what a campaign has adjudicated, beside generated patterns that keep the rest.",
    )
    tuning = Tuning()
    add_library(parser)
    parser.add_argument("--network", type=Path, required=True, help="what is taught; it is not changed")
    parser.add_argument(
        "--adjudicated", type=Path, required=True, help="a list that `labpilot identify --json FILE` wrote"
    )
    parser.add_argument("--out", type=Path, required=True, help="file of the new network")
    parser.add_argument("--steps", type=whole, default=tuning.steps)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--learning-rate", type=float, default=tuning.learning_rate)
    parser.add_argument("--scope", choices=("head", "all"), default=tuning.scope, help="which layers learn")
    parser.add_argument("--replay", type=float, default=0.875, help="share of generated patterns, 0.5 at least")
    parser.add_argument("--wavelength", type=float, help="in angstrom, in place of the files'")
    return parser
