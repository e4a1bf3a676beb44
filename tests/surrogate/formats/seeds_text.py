"""Small valid files of every text format, made by functions, for the tests of readers and for fuzzing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

N = 120
TWO_THETA = 10.0 + 0.02 * np.arange(N)
NM = 400.0 + 2.5 * np.arange(N)
COUNTS = np.round(40 + 400 * np.exp(-(((TWO_THETA - 11.2) / 0.1) ** 2)) + 9 * np.sin(37.0 * TWO_THETA)).astype(int)
REFLECTANCE = 30 + 20 * np.sin(NM / 40)


def _rows(form: str, *columns: np.ndarray, end: str = "\n") -> str:
    return "".join(form.format(*row) + end for row in zip(*columns, strict=True))


def xy() -> bytes:
    return _rows("{:.2f} {}", TWO_THETA, COUNTS).encode()


def xye() -> bytes:
    head = "# Wavelength: 1.5406\n# 2theta counts sigma\n"
    return (head + _rows("{:.2f} {} {:.3f}", TWO_THETA, COUNTS, np.sqrt(COUNTS))).encode()


def csv_named() -> bytes:
    return ("2theta,sample a,sample b\n" + _rows("{:.2f},{},{}", TWO_THETA, COUNTS, COUNTS + 3)).encode()


def csv_german() -> bytes:
    text = "Probe: Rutil\nWellenlänge [nm];Reflexion [%]\n" + _rows("{:.1f};{:.3f}", NM, REFLECTANCE, end="\r\n")
    return text.replace(".", ",").encode("cp1252")


def csv_panalytical() -> bytes:
    head = (
        "[Measurement conditions]\nAnode material,Cu\nK-Alpha1 wavelength,1.54060\nK-Alpha2 wavelength,1.54443\n"
        "Ratio K-Alpha2/K-Alpha1,0.50000\n[Scan points]\nAngle,Intensity\n"
    )
    return (head + _rows("{:.2f},{}", TWO_THETA, COUNTS, end="\r\n")).encode()


def xy_utf16() -> bytes:
    return ("2θ (°)\tIntensity (counts)\n" + _rows("{:.2f}\t{}", TWO_THETA, COUNTS)).encode("utf-16")


def gsas_std() -> bytes:
    rows = ["".join(f"  {value:6d}" for value in COUNTS[at : at + 10]) for at in range(0, N, 10)]
    bank = f"BANK 1 {N} {len(rows)} CONST 1000.00 2.00 0 0 STD"
    return "\r\n".join(line.ljust(80) for line in ["Rutile, a test", bank, *rows, ""]).encode()


def gsas_esd() -> bytes:
    pairs = [f"{value:8.1f}{value**0.5:8.2f}" for value in COUNTS]
    rows = ["".join(pairs[at : at + 5]) for at in range(0, N, 5)]
    bank = f"BANK 1 {N} {len(rows)} CONST 1000.00 2.00 0 0 ESD"
    return "\n".join(line.ljust(80) for line in ["Rutile", bank, *rows, ""]).encode()


def gsas_fxye() -> bytes:
    head = f"Rutile\n# calculated wavelength = 0.413263\nBANK 1 {N} {N} CONS 1000.0 2.0 0 0 FXYE\n"
    second = f"BANK 2 {N} {N} RALF 160000 64 64331 0.001 FXYE\n"
    one = _rows("{:12.4f} {:12.1f} {:10.3f}", 100 * TWO_THETA, COUNTS, np.sqrt(COUNTS))
    return (
        head + one + second + _rows("{:12.4f} {:12.1f} {:10.3f}", 5000 + 9.0 * np.arange(N), COUNTS, COUNTS)
    ).encode()


def gsas_alt() -> bytes:
    points = [f"{round(3200 * x):8d}{100 * y:7d}{1000:5d}" for x, y in zip(TWO_THETA, COUNTS, strict=True)]
    rows = ["".join(points[at : at + 4]) for at in range(0, N, 4)]
    bank = f"BANK 1 {N} {len(rows)} CONST 1000.0 2.0 0 0 ALT"
    return "\n".join(line.ljust(80) for line in ["Rutile", bank, *rows, ""]).encode()


def uxd() -> bytes:
    values = "\n".join(" ".join(f"{v:8d}" for v in COUNTS[at : at + 8]) for at in range(0, N, 8))
    head = (
        "; File exchange\r\n_FILEVERSION=2\r\n_SAMPLE='Quarz'\r\n_WL1=1.540600\r\n_WL2=1.544390\r\n"
        "_WLRATIO=0.500000\r\n_ANODE='Cu'\r\n; (Data for Range number 1)\r\n_DRIVE='COUPLED'\r\n_STEPTIME=2.0\r\n"
        "_STEPSIZE=0.02\r\n_START=10.0\r\n_COUNTS\r\n"
    )
    pairs = _rows("  {:.3f}  {:.4f}", TWO_THETA, COUNTS / 4)
    return (
        head + values + "\n; (Data for Range number 2)\n_DRIVE='2THETA'\n_STEPTIME=4\n_2THETACPS\n" + pairs
    ).encode()


def pdcif() -> bytes:
    head = (
        "data_rutile\n_chemical_formula_sum 'O2 Ti'\nloop_\n_diffrn_radiation_wavelength\n"
        "_diffrn_radiation_wavelength_wt\n1.5406 1.0\n1.5444 0.5\n_pd_meas_2theta_range_min 10.00\n"
        f"_pd_meas_2theta_range_max {TWO_THETA[-1]:.2f}\n_pd_meas_2theta_range_inc 0.02\nloop_\n_pd_meas_counts_total\n"
    )
    second = "data_again\nloop_\n_pd_proc_2theta_corrected\n_pd_proc_intensity_net\n"
    return (head + _rows("{}", COUNTS) + second + _rows("{:.2f} {}(3)", TWO_THETA, COUNTS)).encode()


def ocean() -> bytes:
    head = (
        "SpectraSuite Data File\n++++++++++++++++++++++++++++++++++++\nDate: Fri Aug 19 13:19:52 CDT 2016\n"
        "User: Adolfo\nDark Spectrum Present: Yes\nReference Spectrum Present: Yes\nSpectrometers: USB2+H11150\n"
        "Integration Time (usec): 70000 (USB2+H11150)\nSpectra Averaged: 15 (USB2+H11150)\n"
        "Boxcar Smoothing: 5 (USB2+H11150)\n>>>>>Begin Processed Spectral Data<<<<<\n"
    )
    rows = _rows("{:.2f}\t{:.3f}", NM, REFLECTANCE).replace(".", ",")
    return (head + rows + ">>>>>End Processed Spectral Data<<<<<\n").encode()


def avantes() -> bytes:
    head = (
        "M- \nIntegration time: 175 ms\nAverage: 20 scans\nNr of pixels used for smoothing: 0\n"
        "Data measured with spectrometer serial number: 0411041S1\n"
        "Wave   ;Dark     ;Ref      ;Sample   ;Transmittance\n"
        "[nm]   ;[counts] ;[counts] ;[counts] ;[% transmittance] \n"
    )
    rows = _rows("{:.2f};{:.3f};{:.2f};{:.2f};{:.4f}", NM, COUNTS / 30, COUNTS * 9.0, COUNTS * 3.0, REFLECTANCE)
    return (head + rows.replace(".", ",")).encode()


def craic() -> bytes:
    head = (
        "Time1=24ms:Average1=50:Objective=10X:Aperture=1: (4/28/2021 10:14:13 AM)\nsample 7\nReflectance\n\n\n\n"
        "Avg2: 50\nInt.Time1:24.0\nInt.Time2:24.0\n"
    )
    return (head + _rows("{:.3f},{:.4f}", NM, REFLECTANCE)).encode()


def perkin_elmer() -> bytes:
    head = ["PE UV       SUBTECH     SPECTRUM    ASCII       PEDS        4.00        ", "-1", "scan.sp", "21/03/04"]
    head += [
        "12:30:05.00",
        "21/03/04",
        "12:31:00.00",
        "analyst",
        "glass slide",
        "",
        "",
        "Lambda 1050",
        "1050L1234",
        "6.0",
    ]
    head += ["#HDR", "-1", "#GR", "nm", "%T", "1.0", "0.0", f"{NM[-1]:f}", "-2.5", str(N), "100", "0", "#DATA"]
    rows = _rows("{:.6f}\t{:.6f}", NM[::-1], REFLECTANCE[::-1], end="\r\n")
    return ("\r\n".join(head) + "\r\n" + rows).encode()


def labspec() -> bytes:
    head = (
        "#Acq. time (s)=\t0.15\n#Accumulations=\t20\n#Detector temperature (°C)=\t-75.38\n#Laser (nm)=\t532\n"
        "#Full time(mm:ss)=\t4:00\n#Title=\tdata-01\n#AxisType[0]=\tIntens\n#AxisUnit[0]=\tCnt\n#AxisType[1]=\tSpectr\n"
        "#AxisUnit[1]=\t1/cm\n"
    )
    return (head + _rows("{:.3f}\t{}", NM, COUNTS)).encode("cp1252")


def labspec_map() -> bytes:
    head = "#Acq. time (s)=\t1\n#Laser (nm)=\t532\n#AxisUnit[0]=\tCnt\n#AxisUnit[1]=\t1/cm\n#AxisUnit[2]=\tµm\n"
    spectra = ["\t\t" + "\t".join(f"{x:.3f}" for x in NM)]
    spectra += [f"{y}\t{x}\t" + "\t".join(str(v + x + 10 * y) for v in COUNTS) for y in range(2) for x in range(3)]
    return (head + "\n".join(spectra) + "\n").encode("cp1252")


def labpilot_csv() -> bytes:
    head = (
        "# labpilot measurement 1\n# file: rutile.xrdml\n# format: PANalytical XRDML 1.5\n# reader: xrdml 1\n"
        "# title: rutile\n# kind: diffractogram\n# axis: two_theta in deg\n# values: intensity in counts\n# anode: Cu\n"
        "# wavelength_angstrom: [1.540598, 1.544426]\n# wavelength_ratio: [1.0, 0.5]\n# warning: assumed\n"
        '# fact "sample": "rutile"\n# fact "tube_voltage_kv": 45.0\n'
        "two_theta (deg),intensity (counts),sigma (counts),counts (counts)\n"
    )
    return (head + _rows("{},{:.1f},{},{:.1f}", TWO_THETA, COUNTS, np.sqrt(COUNTS + 1.0), COUNTS)).encode()


SEEDS: dict[str, Callable[[], bytes]] = {
    make.__name__: make
    for make in (
        xy, xye, csv_named, csv_german, csv_panalytical, xy_utf16, gsas_std, gsas_esd, gsas_fxye, gsas_alt, uxd, pdcif,
        ocean, avantes, craic, perkin_elmer, labspec, labspec_map, labpilot_csv,
    )
}  # fmt: skip
