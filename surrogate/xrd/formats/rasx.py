"""Read Rigaku's .rasx, what SmartLab Studio II writes: a zip archive of Data*/Profile*.txt, a table for each scan.

Beside each profile lies ``MesurementConditions*.xml`` (the maker's spelling), whose fields are those of a .ras file:
they are read as such (`ras.scan_of`). Images of detectors in the archive are left alone. Scans come in the order of
their numbers.
"""

from __future__ import annotations

import re
from xml.etree.ElementTree import Element

from surrogate.formats.archive import Archive, names, opened
from surrogate.formats.errors import NotUnderstood
from surrogate.formats.record import Content, Scan
from surrogate.formats.xmltext import parsed
from surrogate.xrd.formats.intensities import gathered
from surrogate.xrd.formats.ras import scan_of, table

_PROFILE = re.compile(r"^Data(\d+)/Profile(\d+)\.txt$")
_IMAGE = re.compile(r"^Data\d+/Image\d+\.bin$")
MOST_SCANS = 10_000
_KEYS = {
    "AxisName": "MEAS_SCAN_AXIS_X", "PositionUnit": "MEAS_SCAN_UNIT_X", "IntensityUnit": "MEAS_SCAN_UNIT_Y",
    "Mode": "MEAS_SCAN_MODE", "Speed": "MEAS_SCAN_SPEED", "SpeedUnit": "MEAS_SCAN_SPEED_UNIT",
    "Step": "MEAS_SCAN_STEP", "StartTime": "MEAS_SCAN_START_TIME", "EndTime": "MEAS_SCAN_END_TIME",
    "TargetName": "HW_XG_TARGET_NAME", "WavelengthKalpha1": "HW_XG_WAVE_LENGTH_ALPHA1",
    "WavelengthKalpha2": "HW_XG_WAVE_LENGTH_ALPHA2", "WavelengthKbeta": "HW_XG_WAVE_LENGTH_BETA",
    "Voltage": "MEAS_COND_XG_VOLTAGE", "Current": "MEAS_COND_XG_CURRENT", "SampleName": "FILE_SAMPLE",
    "Operator": "FILE_OPERATOR", "SystemName": "FILE_SYSTEM_NAME", "Comment": "FILE_COMMENT",
}  # fmt: skip
"""Elements of the conditions, and the keys of a .ras file that say the same."""


def recognises(data: bytes) -> bool:
    """Say whether it is an archive that holds Data*/Profile*.txt."""
    return any(_PROFILE.match(name) for name in names(data))


def read(data: bytes) -> Content:
    """Read all scans.

    Raises:
        NotUnderstood: It is cut or damaged, or a scan has no conditions beside it.
    """
    with opened(data) as archive:
        profiles = profiles_of(archive)
        if len(profiles) > MOST_SCANS:
            raise NotUnderstood(f"it holds {len(profiles)} scans; up to {MOST_SCANS} are read")
        conditions = [archive.read(_conditions(name)) for name in profiles]
        found = [_scan(archive.read(name), about, name) for name, about in zip(profiles, conditions, strict=True)]
    return Content(
        format="Rigaku RASX",
        header="\n".join(dict.fromkeys(about.decode("utf-8-sig", errors="replace") for about in conditions)),
        scans=tuple(scan for scan, _ in found),
        warnings=gathered([told for _, told in found]),
    )


def profiles_of(archive: Archive) -> list[str]:
    """Return the names of the profiles, in the order of their numbers."""
    found = [(int(match[1]), int(match[2]), name) for name in archive.members if (match := _PROFILE.match(name))]
    return [name for _, _, name in sorted(found)]


def has_images(archive: Archive) -> bool:
    """Say whether the archive holds images of a detector as well."""
    return any(_IMAGE.match(name) for name in archive.members)


def _conditions(profile: str) -> str:
    return profile.replace("/Profile", "/MesurementConditions").removesuffix(".txt") + ".xml"


def _scan(profile: bytes, about: bytes, name: str) -> tuple[Scan, list[str]]:
    lines = [line for line in profile.decode("utf-8-sig", errors="replace").splitlines() if line.strip()]
    return scan_of(_keys(parsed(about, _conditions(name))), table(lines, name))


def _keys(root: Element) -> dict[str, str]:
    keys: dict[str, str] = {}
    header = root.find("RASHeader")
    for pair in [] if header is None else header:
        words = [(part.text or "").strip() for part in pair]
        if len(words) == 2:
            keys[words[0].lstrip("*")] = words[1]
    # what the generator's block says is not to be taken from another block with an element of the same name
    blocks = [root.find("ScanInformation"), next(root.iter("XrayGenerator"), None), root.find("SampleInformation")]
    for block in (block for block in (*blocks, root.find("GeneralInformation")) if block is not None):
        for element in block:
            if element.tag in _KEYS and (element.text or "").strip():
                keys[_KEYS[element.tag]] = (element.text or "").strip()
    return keys
