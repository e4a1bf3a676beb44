import pytest

from surrogate.formats.columns_names import axis_named, is_index, value_named


@pytest.mark.parametrize(
    ("name", "quantity", "unit"),
    [
        ("2theta", "two_theta", "deg"), ("2-Theta (deg)", "two_theta", "deg"), ("2θ (°)", "two_theta", "deg"),
        ("Pos. [°2Th.]", "two_theta", "deg"), ("tth", "two_theta", "deg"), ("two_theta", "two_theta", "deg"),
        ("Wavelength (nm)", "wavelength", "nm"), ("Wellenlänge [nm]", "wavelength", "nm"),
        ("Longueur d'onde (nm)", "wavelength", "nm"), ("波長(nm)", "wavelength", "nm"),
        ("wavelength_nm", "wavelength", "nm"),
        ("Длина волны, нм", "wavelength", "nm"), ("Wavelength (µm)", "wavelength", "um"),
        ("Raman shift (cm-1)", "raman_shift", "/cm"), ("Raman Shift/cm-1", "raman_shift", "/cm"),
        ("Wavenumber cm-1", "wavenumber", "/cm"), ("Wavenumbers (cm^-1)", "wavenumber", "/cm"),
        ("Energy (eV)", "energy", "eV"), ("E (keV)", "energy", "keV"), ("Energie [eV]", "energy", "eV"),
        ("q (Å-1)", "q", "/Ao"), ("Q (1/nm)", "q", "/nm"), ("d (Å)", "d_spacing", "Ao"), ("Time (s)", "time", "s"),
    ],
)  # fmt: skip
def test_axes_are_told_by_their_names(name, quantity, unit):
    named = axis_named(name)
    assert named is not None
    assert (named.quantity, named.unit) == (quantity, unit)


@pytest.mark.parametrize(
    ("name", "quantity", "unit", "assumed"),
    [
        ("Angle", "two_theta", "deg", "'Angle' was taken as 2theta"),
        ("Wave", "wavelength", "nm", "'Wave' names no unit; nm was taken"),
        ("q", "q", "/Ao", "'q' names no unit"),
        ("d", "d_spacing", "Ao", "'d' names no unit"),
        ("cm-1", "wavenumber", "/cm", "absolute wavenumber"),
        ("theta", "unknown", "deg", "'theta' is not taken as 2theta"),
    ],
)
def test_what_a_name_leaves_open_is_said(name, quantity, unit, assumed):
    named = axis_named(name)
    assert named is not None
    assert (named.quantity, named.unit) == (quantity, unit)
    assert assumed in named.assumed


def test_a_unit_from_another_row_is_taken():
    named = axis_named("Wave", "[nm]")
    assert named is not None
    assert (named.unit, named.assumed) == ("nm", "")


def test_units_that_are_no_ucum_are_scaled():
    named = axis_named("Frequency (GHz)")
    assert named is not None
    assert (named.unit, named.factor) == ("Hz", 1e9)


@pytest.mark.parametrize("name", ["Intensity", "dose", "X-Axis", "counts", "sample 2", "Energy (MeV)", "", "quartz"])
def test_other_names_are_no_axis(name):
    assert axis_named(name) is None


@pytest.mark.parametrize(
    ("name", "quantity", "unit"),
    [
        ("Intensity (counts)", "intensity", "counts"), ("Intensität [Impulse]", "intensity", "counts"),
        ("cps", "intensity", "counts/s"), ("counts/s", "intensity", "counts/s"), ("%R", "reflectance", "%"),
        ("Reflexion [%]", "reflectance", "%"), ("Réflexion (%)", "reflectance", "%"),
        ("Riflettanza", "reflectance", ""), ("Trasmittanza", "transmittance", ""),
        ("Transmittance", "transmittance", ""),
        ("Absorbance", "absorbance", "1"),
        ("Intensity (a.u.)", "intensity", "arbitrary"), ("I", "intensity", ""), ("background", "background", ""),
    ],
)  # fmt: skip
def test_values_are_told_by_their_names(name, quantity, unit):
    named = value_named(name)
    assert (named.quantity, named.unit, named.is_sigma) == (quantity, unit, False)


@pytest.mark.parametrize("name", ["sigma", "esd", "e", "Error", "σ", "counts_err", "Fehler", "std"])
def test_standard_deviations_are_told_by_their_names(name):
    assert value_named(name).is_sigma


@pytest.mark.parametrize(("name", "index"), [("", True), ("Unnamed: 0", True), ("No.", True), ("2theta", False)])
def test_running_numbers(name, index):
    assert is_index(name) is index
