"""Words that drivers read from and write to the wire."""

from __future__ import annotations

import math
import re
from collections.abc import Awaitable, Callable
from typing import TypeVar

from drivers.errors import Rejected

T = TypeVar("T")

_TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/+=@#~-]{0,119}")


def checked_tag(tag: str) -> str:
    """Return a tag that every protocol here can carry.

    Raises:
        Rejected: It is empty, too long, or holds a character with a meaning of its own on some wire.
    """
    if not _TAG.fullmatch(tag):
        raise Rejected(
            f"{tag!r} is no tag: a letter or digit, then up to 119 letters, digits or ._:/+=@#~-; nothing was sent"
        )
    return tag


def finite(text: str) -> float:
    """Read a number.

    Raises:
        ValueError: It is none, or not finite.
    """
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text!r} is not finite")
    return value


async def agreed(read: Callable[[], Awaitable[T]], disagree: Callable[[str], Exception]) -> T:
    """Read twice and return what both readings say.

    For answers that carry no checksum: noise that turns one digit into another makes a good-looking answer, but hardly
    the same one twice.

    Args:
        read: Asks the device.
        disagree: Makes the error to raise, from a text that says what differs.
    """
    first, second = await read(), await read()
    if first != second:
        raise disagree(f"{first!r} and then {second!r} cannot both be right")
    return first
