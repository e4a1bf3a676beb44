"""What a worker does for a series: one campaign with one seed, from plain data to plain data."""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from orchestrator.check import Ready
from orchestrator.errors import LabpilotError
from orchestrator.execution import Settings
from orchestrator.series.parcels import Need, lacking, unpacked
from orchestrator.simulate import simulate

log = logging.getLogger(__name__)

FUNCTION = f"{__name__}:simulate_seed"
PRELOADED = (
    __name__,
    "orchestrator.record.migrating",
    "planner.models",
    "planner.acquisition",
    "planner.policies.bayes",
    "planner.policies.space_filling",
)
"""What most seeds need, imported once for each process."""

RESULT, LACKS, TROUBLE = "result", "lacks", "trouble"
"""Keys of the answer, of which it has one: JSON as `labpilot simulate --json` writes it; hashes of files; words."""


class Stopped(RuntimeError):
    """A campaign was asked to stop, and is no result."""


def simulate_seed(
    campaign: Mapping[str, Any],
    lab: Mapping[str, Any],
    needs: Sequence[Mapping[str, Any]],
    contents: Mapping[str, Any],
    provenance: Mapping[str, Any],
) -> dict[str, Any]:
    """Simulate a campaign; return its result, or which files are to be sent first, or why there is none.

    Args:
        campaign: Its data, as in a parcel.
        lab: That of its lab.
        needs: `Need.data` of each file that it names.
        contents: Files that were lacking, arrays of bytes by SHA-256.
        provenance: What else the journal says of where answers come from.

    Raises:
        Stopped: Its process was told to end.
    """
    wanted = [Need.of(need) for need in needs]
    missing = lacking(wanted, _folder())
    if not set(missing) <= contents.keys():
        return {LACKS: missing}  # all of it: another process may be asked next, and lack other parts
    try:
        sent = {sha256: content.tobytes() for sha256, content in contents.items()}
        ready = Ready.from_data(unpacked(campaign, wanted, sent, _folder()), lab)
        result = _simulated(ready, provenance)
    except LabpilotError as error:
        return {TROUBLE: str(error)}
    except Exception as error:
        log.exception("seed_failed")
        return {TROUBLE: f"{type(error).__name__}: {error}"}
    if result["status"] == "stopped":
        raise Stopped("the campaign was asked to stop")
    return {RESULT: json.dumps(result, allow_nan=False)}


def _simulated(ready: Ready, provenance: Mapping[str, Any]) -> dict[str, Any]:
    with TemporaryDirectory(prefix="labpilot-") as made:
        return simulate(ready, Path(made) / "run", Settings(is_virtual=True, fsync=False, provenance=provenance))


@cache
def _folder() -> Path:
    """Return where this process unpacks files; it goes with the process's own temporary folder."""
    return Path(tempfile.mkdtemp(prefix="labpilot-files-"))
