"""Make the environments of the peers, each of its own: they ask for versions that contradict each other's and ours."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

TORCH = "torch==2.13.0"
"""Installed first and held: what a peer would choose may pull gigabytes of another version."""
REQUIREMENTS = {
    "ax": [TORCH, "ax-platform==1.3.1"],
    "baybe": [TORCH, "baybe==0.15.0"],
    "bofire": [TORCH, "bofire[optimization]==0.5.0"],
    "botorch": [TORCH, "botorch==0.18.1"],
    "gpcam": ["gpcam==8.6.1"],
}
READY = ".ready"


def prepare(folder: Path, peers: Sequence[str] = ()) -> None:
    """Make the environments that are not there yet.

    Args:
        folder: Where they go, a folder for each.
        peers: Names in `REQUIREMENTS`; all of them by default.

    Raises:
        subprocess.CalledProcessError: pip failed; what was made is taken up again the next time.
        KeyError: There is no such peer.
    """
    for peer in peers or REQUIREMENTS:
        wanted, home = REQUIREMENTS[peer], folder / peer
        if (home / READY).exists():
            continue
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
        for count in range(1, len(wanted) + 1):
            subprocess.run([str(home / "bin" / "pip"), "install", "--quiet", *wanted[:count]], check=True)
        (home / READY).touch()
        print(f"{peer}: {' '.join(wanted)} in {home}")
