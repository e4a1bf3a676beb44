"""Small valid files of diffractometer formats, written byte by byte from their published layouts."""

from __future__ import annotations

import io
import struct
import tempfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import h5py
import numpy as np

from surrogate.formats.record import Axis, MeasurementFile, Radiation, Scan, counted
from surrogate.formats.write import write_nexus

COUNTS = (12, 15, 11, 14, 130, 2481, 14602, 2210, 97, 13, 10, 16)
FACTORS = (1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 24.16, 1.0, 1.0, 1.0, 1.0, 1.0)
START, STEP = 24.5, 0.02
STOP = START + STEP * (len(COUNTS) - 1)
TWO_THETA = tuple(START + STEP * i for i in range(len(COUNTS)))


def words(values: Sequence[float]) -> str:
    return " ".join(repr(float(value)).removesuffix(".0") for value in values)


def xrdml_scan(
    values: Sequence[float] = COUNTS,
    *,
    tag: str = "intensities",
    unit: str = "counts",
    factors: Sequence[float] | None = None,
    positions: str | None = None,
    time: str = '<commonCountingTime unit="seconds">1.50</commonCountingTime>',
    status: str = "Completed",
    more: str = "",
) -> str:
    if positions is None:
        positions = f"<startPosition>{START}</startPosition><endPosition>{STOP}</endPosition>"
    atten = "" if factors is None else f"<beamAttenuationFactors>{words(factors)}</beamAttenuationFactors>"
    return f"""<scan appendNumber="0" mode="Continuous" scanAxis="Gonio" status="{status}">
<header><startTimeStamp>2024-05-06T07:08:09+02:00</startTimeStamp><author><name>Ada</name></author></header>
<dataPoints><positions axis="2Theta" unit="deg">{positions}</positions>
<positions axis="Omega" unit="deg"><startPosition>12.25</startPosition><endPosition>12.36</endPosition></positions>
<positions axis="Phi" unit="deg"><commonPosition>90</commonPosition></positions>
{atten}{time}{more}<{tag} unit="{unit}">{words(values)}</{tag}></dataPoints></scan>"""


def xrdml(*scans: str, version: str = "1.5", lines: str | None = None, root: str = "") -> bytes:
    if lines is None:
        lines = """<usedWavelength intended="K-Alpha 1"><kAlpha1 unit="Angstrom">1.5405980</kAlpha1>
<kAlpha2 unit="Angstrom">1.5444260</kAlpha2><kBeta unit="Angstrom">1.3922500</kBeta>
<ratioKAlpha2KAlpha1>0.5000</ratioKAlpha2KAlpha1></usedWavelength>"""
    return f"""<?xml version="1.0" encoding="UTF-8"?>{root}
<xrdMeasurements xmlns="http://www.xrdml.com/XRDMeasurement/{version}" status="Completed">
<sample type="To be analyzed"><id>S-17</id><name>rutile</name></sample>
<xrdMeasurement measurementType="Scan" status="Completed">{lines}
<incidentBeamPath><radius unit="mm">240.00</radius><xRayTube><tension unit="kV">45</tension>
<current unit="mA">40</current><anodeMaterial>Cu</anodeMaterial></xRayTube></incidentBeamPath>
{"".join(scans or (xrdml_scan(),))}</xrdMeasurement></xrdMeasurements>""".encode()


def zipped(members: Mapping[str, bytes | str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def brml_scan(
    counts: Sequence[float] = COUNTS,
    *,
    factors: Sequence[float] | None = None,
    positions: Sequence[float] = TWO_THETA,
    start: float = START,
    channels: int = 1,
    flag: str = "Measured",
) -> str:
    factors = (1.0,) * len(counts) if factors is None else factors
    rows = "".join(
        f"<Datum>1.5,{factor:g},{position:.4f},{position / 2:.4f},{count!r}</Datum>"
        for factor, position, count in zip(factors, positions, counts, strict=True)
    )
    return f"""<?xml version="1.0"?><RawData xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
<TimeStampStarted>2024-05-06T07:08:09+02:00</TimeStampStarted>
<FixedInformation><Instrument><PrimaryTracks><TrackInfoData><MountedOptics>
<InfoData xsi:type="TubeMountInfoData"><Tube><TubeMaterial>Cu</TubeMaterial>
<Generator><Voltage Unit="kV" Value="40"/><Current Unit="mA" Value="25"/></Generator>
<WaveLengthAlpha1 Unit="Å" Value="1.5406"/><WaveLengthAlpha2 Unit="Å" Value="1.54439"/>
<WaveLengthBeta Unit="Å" Value="1.39222"/><WaveLengthRatio Unit="" Value="0.5"/></Tube></InfoData>
<InfoData xsi:type="OtherInfoData"/></MountedOptics></TrackInfoData></PrimaryTracks></Instrument>
<Drives><InfoData LogicName="Theta"><Position Unit="Deg" Value="12.25"/></InfoData></Drives></FixedInformation>
<DataRoutes><DataRoute RouteFlag="{flag}"><ScanInformation ScanName="CoupledTwoThetaOmega" VisibleName="TwoTheta/Omega">
<MeasurementPoints>{len(counts)}</MeasurementPoints><TimePerStep>1.5</TimePerStep>
<TimePerStepEffective>1.5</TimePerStepEffective><ScanMode>Continuous</ScanMode>
<ScanAxes><ScanAxisInfo AxisId="TwoTheta" AxisName="TwoTheta"><Unit Base="Degree"/><Reference>0</Reference>
<Start>{start}</Start><Stop>{start + STEP * (len(counts) - 1)!r}</Stop><Increment>{STEP}</Increment></ScanAxisInfo>
</ScanAxes></ScanInformation>{rows}<DataViews>
<RawDataView xsi:type="FixedRawDataView" Start="0" Length="1" LogicName="MeasuredTime"/>
<RawDataView xsi:type="FixedRawDataView" Start="1" Length="1" LogicName="AbsorptionFactor"/>
<RawDataView xsi:type="VaryingRawDataView" Start="2" Length="2"><Varying LogicName="ScanAxes">
<FieldDefinitions FieldName="TwoTheta" AxisId="TwoTheta"/><FieldDefinitions FieldName="Theta" AxisId="Theta"/>
</Varying></RawDataView>
<RawDataView xsi:type="RecordedRawDataView" Start="4" Length="{channels}"><Recording LogicName="Counter1D">
<Unit Base="Counts"/></Recording></RawDataView></DataViews></DataRoute></DataRoutes></RawData>"""


def brml(*scans: str) -> bytes:
    scans = scans or (brml_scan(),)
    listed = "".join(f"<string>Experiment0/RawData{i}.xml</string>" for i in range(len(scans)))
    about = f"""<?xml version="1.0"?><DataContainer><RawDataReferenceList>{listed}</RawDataReferenceList>
<CreatingVersion>7.6</CreatingVersion><MeasurementInfo SampleName="rutile" UserName="Ada"/></DataContainer>"""
    members = {f"Experiment0/RawData{i}.xml": scan for i, scan in enumerate(scans)}
    return zipped({"Experiment0/DataContainer.xml": about, **members})


def put(length: int, *fields: tuple[int, str, object]) -> bytes:
    """Return so many bytes with values packed at their places."""
    out = bytearray(length)
    for at, kind, value in fields:
        data = value.encode("latin-1") if isinstance(value, str) else struct.pack("<" + kind, value)
        out[at : at + len(data)] = data
    return bytes(out)


def floats(values: Sequence[float], gap: bytes = b"") -> bytes:
    return b"".join(struct.pack("<f", value) + gap for value in values)


def raw2(*ranges: bytes, anode: str = "Cu") -> bytes:
    ranges = ranges or (raw2_range(),)
    head = put(
        256, (0, "", "RAW2"), (4, "H", len(ranges)), (168, "", "06-May-2024 07:08:09"), (188, "", anode),
        (190, "f", 1.5406), (194, "f", 1.54439), (198, "f", 0.5), (206, "f", 1.39222),
    )  # fmt: skip
    return head + b"".join(ranges)


def raw2_range(values: Sequence[float] = COUNTS, *, header: int = 60) -> bytes:
    fields = (0, "H", header), (2, "H", len(values)), (8, "f", 1.5), (12, "f", STEP), (16, "f", START), (46, "H", 298)
    return put(header, *fields) + floats(values)


def raw3(*ranges: bytes) -> bytes:
    ranges = ranges or (raw3_range(),)
    head = put(
        712, (0, "", "RAW1.01"), (8, "I", 1), (12, "I", len(ranges)), (16, "", "05/06/24"), (26, "", "07:08:09"),
        (36, "", "Ada"), (326, "", "rutile"), (564, "f", 217.5), (608, "", "Cu"), (616, "d", 1.54184),
        (624, "d", 1.5406), (632, "d", 1.54439), (640, "d", 1.39222), (648, "d", 0.5),
    )  # fmt: skip
    return head + b"".join(ranges)


def raw3_range(
    values: Sequence[float] = COUNTS, *, kind: int = 0, varying: Sequence[float] | None = None, more: int = 40
) -> bytes:
    head = put(
        304, (0, "I", 304), (4, "I", len(values)), (8, "d", START / 2), (16, "d", START), (176, "d", STEP),
        (192, "f", 1.5), (196, "I", kind), (212, "f", 298.0), (224, "I", 40), (228, "I", 25), (240, "d", 1.5406),
        (248, "I", 0 if varying is None else 1), (252, "I", 4 if varying is None else 12), (256, "I", more),
    )  # fmt: skip
    if varying is None:
        return head + bytes(more) + floats(values)
    pairs = zip(values, varying, strict=True)
    return head + bytes(more) + b"".join(struct.pack("<fd", value, angle) for value, angle in pairs)


def segment(kind: int, length: int, *fields: tuple[int, str, object]) -> bytes:
    return put(length, (0, "I", kind), (4, "I", length), *fields)


def raw4(
    values: Sequence[float] = COUNTS,
    *,
    record: int = 8,
    kind: str = "Locked Coupled",
    drive: str = "2Theta",
    ranges: int = 1,
) -> bytes:
    """Return a file whose numbers lie where a reader with fixed places looks for them as well."""
    head = put(61, (0, "", "RAW4.00"), (12, "", "05/06/2024"), (24, "", "07:08:09"))
    texts = b"".join(
        segment(10, 60 + pad, (12, "", name), (36, "", value))
        for name, value, pad in (("USER", "Ada\n", 0), ("SAMPLEID", "rutile\n", 0), ("COMMENT", "", 67))
    )
    lines = (72, "d", 1.54184), (80, "d", 1.5406), (88, "d", 1.54439), (96, "d", 1.39222), (104, "d", 0.5)
    tube = segment(30, 139, *lines, (116, "", "Cu"))
    start = START / 2 if drive == "Theta" else START
    one = put(
        160, (4, "I", len(values)), (32, "", kind), (72, "d", start), (80, "d", STEP), (88, "I", len(values)),
        (92, "f", 1.5), (100, "f", 40.0), (104, "f", 25.0), (112, "d", 1.5406), (136, "I", record), (140, "I", 704),
    )  # fmt: skip
    drives = segment(50, 612, (12, "", "Z-Drive"), (56, "d", 1.25))
    drives += segment(50, 92, (8, "I", 1), (12, "", drive), (56, "d", start))
    return head + texts + tube + (one + drives + floats(values, bytes(record - 4))) * ranges


def ras_scan(
    values: Sequence[float] = COUNTS,
    *,
    factors: Sequence[float] | None = None,
    declared: int | None = None,
    **keys: str,
) -> str:
    texts = {
        "DISP_LINE_COLOR": "0", "FILE_OPERATOR": "Ada", "FILE_SAMPLE": "rutile", "HW_XG_TARGET_NAME": "Cu",
        "HW_XG_VOLTAGE_UNIT": "kV", "HW_XG_WAVE_LENGTH_ALPHA1": "1.540593", "HW_XG_WAVE_LENGTH_ALPHA2": "1.544414",
        "HW_XG_WAVE_LENGTH_BETA": "1.392246", "HW_XG_WAVE_LENGTH_UNIT": "Angstrom", "MEAS_COND_XG_CURRENT": "30",
        "MEAS_COND_XG_VOLTAGE": "40", "MEAS_COND_XG_WAVE_TYPE": "Ka",
        "MEAS_DATA_COUNT": str(len(values) if declared is None else declared), "MEAS_SCAN_AXIS_X": "2θ/θ",
        "MEAS_SCAN_AXIS_X_INTERNAL": "TwoThetaTheta", "MEAS_SCAN_MODE": "CONTINUOUS", "MEAS_SCAN_SPEED": "0.8",
        "MEAS_SCAN_SPEED_UNIT": "deg/min", "MEAS_SCAN_START_TIME": "05/06/2024 7:08:09", "MEAS_SCAN_STEP": str(STEP),
        "MEAS_SCAN_UNIT_X": "deg", "MEAS_SCAN_UNIT_Y": "counts",
    } | keys  # fmt: skip
    factors = (1.0,) * len(values) if factors is None else factors
    header = "".join(f'*{key} "{value}"\r\n' for key, value in texts.items() if value)
    table = zip(TWO_THETA, values, factors, strict=False)
    rows = "".join(f"{position:.4f} {value:.4f} {factor:.4f}\r\n" for position, value, factor in table)
    return f"*RAS_HEADER_START\r\n{header}*RAS_HEADER_END\r\n*RAS_INT_START\r\n{rows}*RAS_INT_END\r\n"


def ras(*scans: str, encoding: str = "shift_jis") -> bytes:
    return f"*RAS_DATA_START\r\n{''.join(scans or (ras_scan(),))}*RAS_DATA_END\r\n".encode(encoding)


def rasx(
    *values: Sequence[float], factors: Sequence[float] | None = None, images: bool = False, axis: str = "TwoThetaTheta"
) -> bytes:
    members: dict[str, bytes | str] = {"root.xml": "<Root/>"}
    for number, each in enumerate(values or (COUNTS,)):
        rows = zip(TWO_THETA, each, factors or (1.0,) * len(each), strict=False)
        members[f"Data{number}/Profile{number}.txt"] = "\ufeff" + "".join(
            f"{position:.4f}\t{value}\t{factor}\r\n" for position, value, factor in rows
        )
        members[f"Data{number}/MesurementConditions{number}.xml"] = f"""<?xml version="1.0"?><MeasurementConditions>
<GeneralInformation><Operator>Ada</Operator><SystemName>SmartLab</SystemName></GeneralInformation>
<ScanInformation><AxisName>{axis}</AxisName><PositionUnit>deg</PositionUnit><IntensityUnit>counts</IntensityUnit>
<Mode>Continuous</Mode><Start>{START}</Start><Step>{STEP}</Step><Speed>0.8</Speed><SpeedUnit>deg/min</SpeedUnit>
<StartTime>2024-05-06T07:08:09Z</StartTime></ScanInformation>
<SampleInformation><SampleName>rutile</SampleName></SampleInformation>
<HWConfigurations><Categories><Category Name="Detector" SelectedUnit="D/teX"/></Categories><Optics/><Distances/>
<XrayGenerator><TargetName>Cu</TargetName><Voltage>40</Voltage><Current>30</Current>
<WavelengthKalpha1>1.540593</WavelengthKalpha1><WavelengthKalpha2>1.544414</WavelengthKalpha2>
<WavelengthKbeta>1.392246</WavelengthKbeta></XrayGenerator></HWConfigurations>
<Axes><Axis Name="Omega" Unit="deg" Offset="0" Position="12.25"/></Axes>
<RASHeader><Pair><Name>*MEAS_COND_AXIS_NAME-0</Name><Value>Omega</Value></Pair></RASHeader></MeasurementConditions>"""
    if images:
        members["Data0/Image0.bin"] = bytes(1000)
    return zipped(members)


def nexus(fill: Callable[[h5py.Group], None] | None = None, *, definition: str = "NXxrd_pan") -> bytes:
    out = io.BytesIO()
    with h5py.File(out, "w") as root:
        entry = root.create_group("entry")
        entry.attrs["NX_class"] = "NXentry"
        entry["definition"] = definition
        (fill or nexus_xrd)(entry)
    return out.getvalue()


def nexus_xrd(entry: h5py.Group) -> None:
    entry["title"] = "rutile"
    data = entry.create_group("experiment_result")
    data.attrs["NX_class"] = "NXdata"
    data.attrs["signal"] = "intensity"
    data.attrs["axes"] = ["two_theta"]
    data["two_theta"] = np.array(TWO_THETA)
    data["two_theta"].attrs["units"] = "deg"
    data["intensity"] = np.array(COUNTS)
    data["intensity"].attrs["units"] = "counts"
    source = entry.create_group("instrument/source")
    source["xray_tube_material"] = "Cu"
    for name, value, unit in (
        ("k_alpha_one", 1.5406, "angstrom"),
        ("k_alpha_two", 1.54439, "angstrom"),
        ("ratio_k_alphatwo_k_alphaone", 0.5, ""),
        ("xray_tube_voltage", 40.0, "kV"),
    ):
        source[name] = value
        source[name].attrs["units"] = unit
    entry["instrument/detector/count_time"] = 1.5


def nexus_labpilot() -> bytes:
    """Return what `labpilot convert` writes, two scans of it."""
    axis = Axis(quantity="two_theta", unit="deg", values=np.array(TWO_THETA))
    lines = Radiation(wavelength_angstrom=(1.5406, 1.54439), ratio=(1.0, 0.5), anode="Cu")
    fields = counted(np.array(COUNTS, dtype=float), attenuation=np.array(FACTORS))
    facts = {"sample": "rutile", "tube_voltage_kv": 45.0, "append_number": 3, "is_spun": True}
    scan = Scan(kind="diffractogram", axis=axis, radiation=lines, title="rutile", facts=facts, **fields)
    file = MeasurementFile(
        name="rutile.xrdml", format="PANalytical XRDML 1.5", reader="xrdml", version="1", sha256="ab" * 32,
        header="<xml/>", scans=(scan, scan), warnings=("assumed",), checked_by=("fairmat",),
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        (path,) = write_nexus(Path(folder, "a.nxs"), file)
        return path.read_bytes()


SEEDS: dict[str, Callable[[], bytes]] = {
    "xrdml": xrdml, "brml": brml, "bruker_raw_2": raw2, "bruker_raw_1.01": raw3, "bruker_raw_4.00": raw4, "ras": ras,
    "rasx": rasx, "nexus": nexus, "nexus_labpilot": nexus_labpilot,
}  # fmt: skip
