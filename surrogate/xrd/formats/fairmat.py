"""Read .xrdml, .brml, .rasx and RAW4 a second time with fairmat-readers-xrd (Apache-2.0), to compare.

It reads files by path, some kinds of them, and takes for granted what need not hold. Where that is known, it is not
asked and has no opinion: several scans that are no map, attenuation that it leaves out, scans broken off, archives with
images, files beyond `LARGEST_BYTES`, and RAW4 whose numbers do not lie where its only layout has them.
"""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from surrogate.formats.archive import opened
from surrogate.formats.errors import NotUnderstood
from surrogate.formats.record import Array, Axis, Content, Scan
from surrogate.xrd.formats import brml, bruker_raw4, rasx, xrdml
from surrogate.xrd.formats.binary import Bytes

LARGEST_BYTES = 1 << 24
_RAW4 = b"RAW4.00\x00"
_RAW4_POINTS, _RAW4_DATA, _RAW4_RECORD = 0x01C3, 0x051F, 8
_UNSURE = (b"commonBeamAttenuationFactor", b"countingTimes", b'unit="cps"')


def recognises(data: bytes) -> bool:
    """Say whether it is of a kind that fairmat reads."""
    return _kind(data) is not None


def read(data: bytes) -> Content:
    """Read what fairmat reads of it: axis and values of each scan.

    Raises:
        NotUnderstood: It cannot read this one, or is known to read it wrong.
    """
    kind = _kind(data)
    if kind is None or len(data) > LARGEST_BYTES:
        raise NotUnderstood("fairmat does not read it")
    suffix, function, check = kind
    check(data)
    found = _called(function, suffix, data)
    scans = tuple(_scan(axis, values) for axis, values in _curves(found))
    return Content(format=f"as fairmat reads {suffix}", header="", scans=scans)


def _kind(data: bytes) -> tuple[str, str, Callable[[bytes], None]] | None:
    if xrdml.recognises(data):
        return ".xrdml", "read_panalytical_xrdml", _check_xrdml
    if data.startswith(_RAW4):
        return ".raw", "read_bruker_raw", _check_raw4
    if rasx.recognises(data):
        return ".rasx", "read_rigaku_rasx", _check_rasx
    if brml.recognises(data):
        return ".brml", "read_bruker_brml", _check_brml
    return None


def _check_xrdml(data: bytes) -> None:
    if any(word in data for word in _UNSURE):
        raise NotUnderstood("fairmat leaves out one attenuation for all points, and times and rates of points")


def _check_brml(data: bytes) -> None:
    with opened(data) as archive:
        sizes = sum(info.file_size for info in archive.members.values())
    if sizes > LARGEST_BYTES or not brml.is_as_declared(data):
        raise NotUnderstood("fairmat takes equal steps for granted")


def _check_rasx(data: bytes) -> None:
    with opened(data) as archive:
        sizes = sum(info.file_size for info in archive.members.values())
        if sizes > LARGEST_BYTES or rasx.has_images(archive):
            raise NotUnderstood("fairmat would read its images as well")
        in_order = [name for name in archive.members if "Profile" in name]
        if in_order != rasx.profiles_of(archive):
            raise NotUnderstood("fairmat takes scans in the order of the archive")
    if any(scan.attenuation is not None for scan in rasx.read(data).scans):
        raise NotUnderstood("fairmat leaves out attenuation")


def _check_raw4(data: bytes) -> None:
    """Let only that layout pass whose numbers lie where fairmat looks, whatever a file says."""
    numbers = Bytes(data)
    points = numbers.u16(_RAW4_POINTS)
    ours = bruker_raw4.read(numbers).scans
    if len(ours) != 1 or points != ours[0].values.size or len(data) != _RAW4_DATA + _RAW4_RECORD * points:
        raise NotUnderstood("fairmat knows one layout only, and this is another")


def _called(function: str, suffix: str, data: bytes) -> Mapping[str, Any]:
    """Call a function of fairmat on a file that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="labpilot-") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from fairmat_readers_xrd import readers

        path = Path(folder, f"measurement{suffix}")
        path.write_bytes(data)
        # it tells every time that RAW4 is not validated; the comparison does that
        logging.getLogger("fairmat_readers_xrd.bruker_raw_parser").setLevel(logging.ERROR)
        found = getattr(readers, function)(str(path))
    if found is None:
        raise NotUnderstood("fairmat cannot read it")
    return found


def _curves(found: Mapping[str, Any]) -> list[tuple[Array, Array]]:
    """Return axis and values of each scan: the rows of a map, or the one scan that there is."""
    values = np.atleast_2d(_plain(found.get("intensity")))
    axis = next((axis for key in ("2Theta", "Omega") if (axis := _plain(found.get(key))).shape[-1:] > (1,)), None)
    if axis is None:
        raise NotUnderstood("fairmat finds no axis that was scanned")
    if values.shape[1] == 1:
        values = np.broadcast_to(values, (values.shape[0], axis.shape[-1]))  # equal values come as one
    rows = np.broadcast_to(axis, values.shape) if axis.shape[-1] == values.shape[-1] else None
    if rows is None or values.ndim != 2:
        raise NotUnderstood("fairmat reads axes and values of different lengths")
    return [(np.array(one), np.array(other)) for one, other in zip(rows, values, strict=True)]


def _plain(quantity: Any) -> Array:
    """Return what is in a quantity of pint as an array, in degrees if it is an angle."""
    if quantity is None:
        return np.empty(0)
    if str(getattr(quantity, "units", "")) == "radian":
        quantity = quantity.to("degree")
    return np.asarray(getattr(quantity, "magnitude", quantity), dtype=np.float64)


def _scan(axis: Array, values: Array) -> Scan:
    return Scan(
        kind="diffractogram",
        axis=Axis(quantity="unknown", unit="deg", values=axis),
        values=values,
        unit="counts",
    )
