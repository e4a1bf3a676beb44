"""Bruker OPUS by the package ``brukeropus`` (MIT), as a second opinion.

A parameter of negative length keeps the package in an endless loop, and its tables of reports are as long as the file
says. It therefore gets only the blocks of curves and their parameters, after `opus` has checked their lengths.
"""

from __future__ import annotations

import numpy as np
from brukeropus.file.block import FileBlock, pair_data_and_status_blocks
from brukeropus.file.data import Data

from surrogate.formats.errors import NotUnderstood
from surrogate.formats.record import Axis, Content, Scan
from surrogate.spectra.formats.opus import curves, order, recognises
from surrogate.spectra.formats.opus_blocks import Block, directory
from surrogate.spectra.formats.spectral_words import finite

__all__ = ["read", "recognises"]


@np.errstate(all="ignore")
def read(data: bytes) -> Content:
    """Read all curves of a file.

    Raises:
        NotUnderstood: The package does not pair the blocks of this file.
    """
    ours, _ = curves(data, directory(data))
    used = {block.start: block for curve in ours for block in (curve.block, curve.status)}
    pairs = pair_data_and_status_blocks([_given(data, block) for block in used.values()])
    if len(pairs) != len(ours):
        raise NotUnderstood(f"the package brukeropus pairs {len(pairs)} of {len(ours)} blocks")
    read = [(order(used[block.start]), Data(block, status, key="", vel=0.0)) for block, status in pairs]
    scans = tuple(_scan(curve) for _, curve in sorted(read, key=lambda pair: pair[0]))
    return Content(format="Bruker OPUS", header="", scans=scans)


def _given(data: bytes, block: Block) -> FileBlock:
    given = FileBlock(filebytes=data, block_type=block.codes, size=block.size, start=block.start)
    given.parse()
    return given


def _scan(curve: Data) -> Scan:
    values, _ = finite(np.asarray(curve.y, dtype=float))
    axis = Axis(quantity="unknown", unit="1", values=np.asarray(curve.x, dtype=float))
    return Scan(kind="spectrum", axis=axis, values=values, unit="arbitrary")
