"""What the controller and a worker say to each other: a JSON head, and bytes that only the one who wants them reads."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from typing import Any

HEAD = struct.Struct(">IQ")
"""Lengths of the head and of the payload."""


def frame(head: dict[str, Any], payload: bytes = b"") -> bytes:
    """Return a message as bytes."""
    text = json.dumps(head).encode()
    return HEAD.pack(len(text), len(payload)) + text + payload


def read_frame(read: Callable[[int], bytes]) -> tuple[dict[str, Any], bytes] | None:
    """Return the next message; None: the other end is closed.

    Args:
        read: Returns so many bytes, fewer at the end only.
    """
    lengths = read(HEAD.size)
    if len(lengths) < HEAD.size:
        return None
    n_head, n_payload = HEAD.unpack(lengths)
    text, payload = read(n_head), read(n_payload)
    if len(text) < n_head or len(payload) < n_payload:
        return None
    return json.loads(text), payload
