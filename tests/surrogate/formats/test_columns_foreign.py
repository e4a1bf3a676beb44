"""Text of other formats whose rows would read as columns is refused, with the line that shows it."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest

from surrogate.formats.columns_foreign import foreign
from surrogate.formats.errors import NotUnderstood
from surrogate.formats.read import read_bytes

HERE = Path(__file__).parent
TEXT, XRD, SPECTRA = (
    SimpleNamespace(**runpy.run_path(str(HERE / f"seeds_{part}.py"))) for part in ("text", "xrd", "spectra")
)
LINE = b"exported on a Friday\n"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (LINE + SPECTRA.jcamp_free(), "line 2, '##TITLE= example', begins JCAMP-DX, which must be the first line"),
        (SPECTRA.jcamp_free().partition(b"##JCAMP")[2], "is a table of JCAMP-DX, and no ##TITLE="),
        (LINE + XRD.ras(), "line 2, '.RAS_DATA_START', begins a Rigaku .ras file, which must be the first line"),
        (TEXT.gsas_fxye().replace(b"BANK", b" BANK"), "is a BANK record of GSAS, which must begin with BANK"),
        (TEXT.gsas_std().replace(b"BANK", b"bank"), "is a BANK record of GSAS, which must begin with BANK"),
        (LINE + TEXT.uxd(), "line 3, '_FILEVERSION=2', is of DIFFRAC text"),
        (LINE + TEXT.labpilot_csv(), "line 2, '# labpilot measurement 1', begins a CSV of labpilot"),
        (b"# comment\ndata_x\nloop_\n_refln_a\n_refln_b\n1 2.5\n2 3.5\n", "it is CIF .line 2 is 'data_x'."),
    ],
    ids=["jcamp", "table of jcamp", "ras", "indented bank", "small bank", "uxd", "labpilot", "cif"],
)
def test_text_of_other_formats_is_refused(data, reason):
    with pytest.raises(NotUnderstood, match=reason):
        read_bytes(data, name="a.txt")


@pytest.mark.parametrize(
    "head",
    ["## sample = film 7", "data_x,data_y", "data_x", "# data_rutile", "Bank 1 of 3", "#RAS_DATA_START", "_COUNTS_"],
)
def test_headers_that_only_resemble_them_are_read(head):
    assert foreign([head, "1 2", "2 3"]) == ""
    assert read_bytes(f"{head}\n10 2.5\n11 3.5\n12 3.0\n".encode()).reader == "columns"


def test_a_second_table_below_the_first_is_said():
    file = read_bytes(TEXT.xy() + TEXT.xye())
    assert "a second table, 120 lines from line 123 on, was left out" in file.warnings
