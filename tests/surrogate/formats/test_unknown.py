"""What is said of files that no reader takes."""

import io
import runpy
import zipfile
from pathlib import Path

import h5py
import pytest

from surrogate.formats.errors import NotUnderstood
from surrogate.formats.read import read_bytes


def zipped(*names: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in names:
            archive.writestr(name, "1 2")
    return out.getvalue()


def hdf5() -> bytes:
    out = io.BytesIO()
    with h5py.File(out, "w") as file:
        file["x"] = [1.0, 2.0]
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"1 2\n", "a is text without two rows of numbers; it begins with '1 2"),
        ("Größe\tm²\r\n".encode("cp1252"), "a is text without two rows of numbers; it begins with 'Gr"),
        (b"<html><body>1 2</body></html>", "a is of no known format; it begins with '<html>"),
        (b"%PDF-1.7 ", "a is a PDF, which shows a measurement and does not hold it"),
        (b"PAR1" + bytes(9), "a is Parquet, which labpilot writes"),
        (bytes(range(1, 200)), "a is of no known format; it begins with "),
        (zipped("xl/workbook.xml", "docProps/app.xml"), "a is an Excel workbook; save the sheet as CSV"),
        (zipped("one.xy", "two.xy"), "a is a zip archive of no known format, with one.xy, two.xy; unpack it"),
        (hdf5(), "a is HDF5 without an entry of NeXus"),
    ],
    ids=["one row", "words", "html", "pdf", "parquet", "binary", "workbook", "zip", "hdf5"],
)
def test_what_no_reader_takes_is_described(data, message):
    with pytest.raises(NotUnderstood, match=message):
        read_bytes(data, name="a")


SEEDS = {
    name: make
    for part in ("text", "xrd", "spectra")
    for name, make in runpy.run_path(str(Path(__file__).with_name(f"seeds_{part}.py")))["SEEDS"].items()
}


@pytest.mark.parametrize("cut", [1, 3])
def test_any_beginning_is_described(cut):
    for make in SEEDS.values():
        with pytest.raises(NotUnderstood, match="^a (is|holds|.opus)"):
            read_bytes(make()[:cut], name="a")
