import itertools
import json
import math
import resource
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from surrogate.formats.record import Axis, MeasurementFile, Radiation
from surrogate.xrd import claims
from surrogate.xrd import identify as module
from surrogate.xrd.identify import Identifier, Settings, default_tables
from surrogate.xrd.library import Library, embedded_library, load_library
from tests.surrogate.xrd.mixtures import (
    CALIBRATION,
    NAMES,
    POISON,
    gaussians,
    phase_of,
    scan_of,
    simulated_scan,
    work_or_die,
    write_xy,
)

TWO = {"rutile": 0.6, "corundum": 0.4}
ANGLES = np.arange(20.0, 70.0, 0.02)
MOLYBDENUM = Radiation(wavelength_angstrom=(0.70932, 0.713607), ratio=(1.0, 0.5), anode="Mo")
COBALT = Radiation(wavelength_angstrom=(1.78901, 1.7929), ratio=(1.0, 0.5), anode="Co")


def of(phases, **settings):
    return Identifier(Library(phases=tuple(phases)), settings=Settings(**settings), calibration=CALIBRATION)


def names(found):
    return {claim.name for claim in found.phases}


def flat(level=100.0, seed=0, angles=ANGLES):
    return scan_of(angles, np.random.default_rng(seed).poisson(np.full(len(angles), level)))


def facts(found):
    """Return all that does not depend on the time it took."""
    return {name: value for name, value in found.as_dict().items() if name != "seconds"}


@pytest.fixture(scope="module")
def mixture(identifier):
    return identifier.identify(simulated_scan("L1", TWO, 1), file="two.xy")


def test_a_mixture_is_identified_with_amounts_and_cells(mixture):
    assert mixture.verdict == "identified" and names(mixture) == set(TWO) and mixture.file == "two.xy"
    for claim in mixture.phases:
        low, high = claim.weight_interval
        assert low <= claim.weight_fraction <= high
        assert claim.weight_fraction == pytest.approx(TWO[claim.name], abs=0.1) and claim.probability > 0.9
        assert claim.cell.values[0] == pytest.approx(claim.reference_cell[0], rel=0.01) and claim.cell.esd[0] > 0.0
        assert claim.formula == phase_of(claim.name).formula and claim.source == phase_of(claim.name).source
    assert 0.0 < mixture.rexp < mixture.rwp < 20.0 and mixture.gof == pytest.approx(mixture.rwp / mixture.rexp)
    assert len(mixture.gates) == 8 and mixture.unknown_probability < 0.5 and mixture.seconds > 0.0


def test_alternatives_come_by_probability_and_the_best_is_what_is_claimed(mixture):
    chances = [one.probability for one in mixture.alternatives]
    assert chances == sorted(chances, reverse=True) and sum(chances) <= 1.0 + 1e-9
    assert set(mixture.alternatives[0].phases) == names(mixture)


def test_it_is_told_as_json(mixture):
    text = json.dumps(mixture.as_dict(), allow_nan=False)
    told = json.loads(text)
    wanted = {
        "file",
        "phases",
        "alternatives",
        "unknown_probability",
        "amorphous_fraction",
        "rwp",
        "gof",
        "verdict",
        "seconds",
    }
    assert wanted <= set(told)
    wanted = {"name", "formula", "probability", "weight_fraction", "weight_interval", "cell"}
    assert all(wanted <= set(phase) for phase in told["phases"])


def test_what_cannot_be_used_is_told_as_json_too(identifier):
    found = identifier.identify(scan_of(np.array([20.0, 30.0]), np.array([1.0, 2.0])))
    assert json.loads(json.dumps(found.as_dict(), allow_nan=False))["verdict"] == "unusable"


def test_curves_are_in_units_of_the_file_and_add_up(mixture):
    curves = mixture.curves
    observed = simulated_scan("L1", TWO, 1).values
    assert np.nanmax(curves.observed) == pytest.approx(observed.max(), rel=0.1)
    whole = curves.background + sum(curves.contributions.values())
    assert whole == pytest.approx(curves.calculated) and set(curves.contributions) == set(curves.ticks_deg) == set(TWO)
    strongest = curves.two_theta_deg[int(curves.contributions["rutile"].argmax())]
    assert np.abs(curves.ticks_deg["rutile"] - strongest).min() < 0.05


def test_curves_may_be_left_out(identifier):
    assert identifier.identify(simulated_scan("L1", TWO, 1), curves=False).curves is None


def test_provenance_tells_library_and_wavelength(mixture, small_library):
    assert mixture.provenance["library"] == small_library.key
    assert mixture.provenance["wavelength_angstrom"][0] == pytest.approx(1.540598)


def test_the_same_scan_gives_the_same_twice(identifier, mixture):
    again = identifier.identify(simulated_scan("L1", TWO, 1), file="two.xy")
    assert facts(again) == facts(mixture)


@pytest.mark.parametrize(
    ("scan", "words"),
    [
        (scan_of(np.array([20.0, 30.0]), np.array([1.0, 2.0])), "2 usable points"),
        (scan_of(ANGLES, np.full(len(ANGLES), 7.0)), "intensities are 7"),
        (replace(flat(), axis=Axis(quantity="energy", unit="eV", values=ANGLES)), "the axis is energy"),
    ],
    ids=["two points", "constant", "no angles"],
)
def test_a_scan_that_cannot_be_used_says_why(identifier, scan, words):
    found = identifier.identify(scan, file="bad.xy")
    assert found.verdict == "unusable" and words in found.reasons[0] and found.file == "bad.xy" and not found.phases


def test_a_phase_that_the_library_lacks_raises_its_probability(identifier, small_library):
    scan = simulated_scan("L1", {"rutile": 0.6, "silicon": 0.4}, 2)
    lacking = of(phase for phase in small_library.phases if phase.name != "silicon")
    whole, part = identifier.identify(scan), lacking.identify(scan)
    assert whole.verdict == "identified" and names(whole) == {"rutile", "silicon"}
    assert part.verdict == "unknown phase present" and part.unknown_probability > 0.9 > 0.5 > whole.unknown_probability
    assert min(abs(peak.two_theta_deg - 28.45) for peak in part.unknown_peaks) < 0.3
    gate = next((gate for gate in part.gates if gate.name == "G1"), None)
    assert gate is None or gate.passed is False


def test_no_candidate_at_all_leaves_an_unknown_phase():
    found = of([]).identify(simulated_scan("L1", {"silicon": 1.0}, 0))
    assert found.verdict == "unknown phase present" and not found.phases and found.unknown_peaks


def test_one_candidate_that_is_there_is_identified():
    found = of([phase_of("silicon")]).identify(simulated_scan("L1", {"silicon": 1.0}, 0))
    assert found.verdict == "identified" and names(found) == {"silicon"}


def test_one_candidate_that_is_not_there_is_not_identified():
    found = of([phase_of("silicon")]).identify(simulated_scan("L1", {"calcite": 1.0}, 0))
    assert found.verdict == "unknown phase present"


@pytest.mark.parametrize("level", [20.0, 5000.0])
def test_background_alone_is_no_unknown_phase(identifier, level):
    found = identifier.identify(flat(level))
    assert found.verdict in ("no crystalline phase", "cannot tell") and not found.phases


def test_background_alone_is_no_unknown_phase_by_the_shipped_calibration(small_library):
    found = Identifier(small_library).identify(flat())
    assert found.unknown_probability < 0.5 and not found.phases


def test_a_hump_alone_is_amorphous(identifier):
    mean = gaussians(ANGLES, {30.0: 3000.0}, fwhm_deg=10.0)
    found = identifier.identify(scan_of(ANGLES, np.random.default_rng(0).poisson(mean)))
    assert found.verdict == "amorphous" and found.amorphous_fraction > 0.8 and not found.phases


def test_a_hump_below_peaks_is_a_share():
    phases = [phase_of("rutile"), phase_of("corundum")]
    found, more = (of(phases).identify(with_hump(height)) for height in (0.0, 20_000.0))
    assert names(found) == names(more) == {"rutile"}
    assert 0.0 <= found.amorphous_fraction < 0.15 < more.amorphous_fraction < 0.98


def with_hump(height):
    """Return a clean pattern of rutile, on a flat background, and a hump of some height below it."""
    scan = simulated_scan("L0", {"rutile": 1.0}, 1)
    mean = gaussians(scan.axis.values, {30.0: height}, fwhm_deg=9.0, background=0.0)
    values = scan.values + np.random.default_rng(0).poisson(mean)
    return scan_of(scan.axis.values, values, scan.radiation)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_background_that_was_taken_off_before_makes_no_unknown_phase(identifier, seed):
    scan = simulated_scan("L1", TWO, seed)
    values = scan.values - np.median(scan.values) + 0.1
    found = identifier.identify(replace(scan, values=values, counts=None, sigma=None))
    assert found.verdict == "identified" and names(found) == set(TWO)
    assert found.phases[0].weight_fraction == pytest.approx(0.6, abs=0.06)


@pytest.mark.parametrize("factor", [0.01, 100.0, 1e4])
def test_scaled_intensities_are_identified_as_the_counts_were(identifier, factor):
    scan = simulated_scan("L1", TWO, 1)
    found = identifier.identify(replace(scan, values=factor * scan.values, counts=None, sigma=None))
    assert found.verdict == "identified" and names(found) == set(TWO)


@pytest.mark.parametrize("radiation", [MOLYBDENUM, COBALT], ids=["Mo", "Co"])
@pytest.mark.parametrize("parts", [{"rutile": 1.0}, {"quartz": 0.5, "corundum": 0.5}, {"silicon": 1.0}], ids="+".join)
def test_a_wrong_wavelength_in_the_header_is_not_believed(identifier, radiation, parts):
    found = identifier.identify(replace(simulated_scan("L1", parts, 3), radiation=radiation))
    assert found.verdict != "identified"
    assert found.unknown_probability > 0.5 and not any(gate.passed for gate in found.gates if gate.name == "G1")


def test_a_wavelength_by_hand_mends_a_wrong_header(small_library):
    given = Identifier(small_library, settings=Settings(wavelength_angstrom=1.540598), calibration=CALIBRATION)
    found = given.identify(replace(simulated_scan("L1", TWO, 1), radiation=MOLYBDENUM))
    assert found.verdict == "identified" and names(found) == set(TWO)


def test_a_missing_wavelength_is_told(identifier):
    found = identifier.identify(replace(simulated_scan("L1", TWO, 1), radiation=None))
    assert names(found) == set(TWO) and any("copper K-alpha was assumed" in reason for reason in found.reasons)


def test_phases_that_are_too_large_or_out_of_range_are_left_out_with_a_word():
    large = replace(phase_of("halite"), name="protein", cell=(300.0, 300.0, 300.0, 90.0, 90.0, 90.0))
    unheard = replace(
        phase_of("halite"), name="einsteinium", sites=(replace(phase_of("halite").sites[0], element="Es"),)
    )
    found = of([phase_of("silicon"), large, unheard]).identify(simulated_scan("L1", {"silicon": 1.0}, 0))
    assert names(found) == {"silicon"}
    assert sum("was left out" in reason for reason in found.reasons) == 2
    for name in ("protein", "einsteinium"):
        assert any(reason.startswith(f"{name} was left out") for reason in found.reasons)


def test_a_phase_without_line_in_range_is_told():
    angles = np.arange(15.0, 24.0, 0.02)
    found = of([phase_of("silicon")]).identify(flat(angles=angles))
    assert names(found) == set()
    assert any(reason.startswith("silicon: no reflection between 15.0 and 24.0 deg") for reason in found.reasons)


def twins():
    """Return silicon, and silicon with vacancies: another phase that diffracts alike."""
    phase = phase_of("silicon")
    a = phase.cell[0] * 1.0004
    sites = tuple(replace(site, occupancy=0.95) for site in phase.sites)
    return [phase, replace(phase, name="twin", cell=(a, a, a, 90.0, 90.0, 90.0), sites=sites)]


def test_phases_that_cannot_be_told_apart_are_named():
    found = of(twins()).identify(simulated_scan("L0", {"silicon": 1.0}, 0))
    assert {one.phases for one in found.alternatives[:2]} == {("silicon",), ("twin",)}
    assert 0.1 < found.alternatives[1].probability <= found.alternatives[0].probability < 0.9
    assert next(gate for gate in found.gates if gate.name == "G2").passed is False


@pytest.mark.parametrize("favoured", ["silicon", "twin"])
def test_prior_odds_decide_what_the_pattern_does_not(favoured):
    odds = {name: -1.0 if name == favoured else -9.0 for name in ("silicon", "twin")}
    found = of(twins(), prior_odds=odds).identify(simulated_scan("L0", {"silicon": 1.0}, 0))
    assert names(found) == {favoured} and found.phases[0].probability > 0.9


def test_prior_odds_do_not_outvote_a_clear_pattern(small_library):
    odds = dict.fromkeys(NAMES, -2.0) | {"rutile": -4.0}
    found = Identifier(small_library, settings=Settings(prior_odds=odds), calibration=CALIBRATION)
    assert names(found.identify(simulated_scan("L1", TWO, 1))) == set(TWO)


def test_no_more_phases_are_claimed_than_allowed(small_library):
    identifier = Identifier(small_library, settings=Settings(max_phases=1), calibration=CALIBRATION)
    assert len(identifier.identify(simulated_scan("L1", TWO, 1)).phases) == 1


def test_tables_are_kept_where_settings_say(tmp_path):
    of([phase_of("silicon")], tables=tmp_path / "kept").identify(simulated_scan("L1", {"silicon": 1.0}, 0))
    assert list((tmp_path / "kept").glob("*.npz"))


def test_the_user_s_tables_lie_in_the_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_tables() == tmp_path / "labpilot" / "reflections"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert default_tables() == Path.home() / ".cache" / "labpilot" / "reflections"


def test_scans_of_one_radiation_and_range_share_their_tables(small_library, monkeypatch):
    made = []
    identifier = Identifier(small_library, calibration=CALIBRATION)
    original = module.make_atlas
    monkeypatch.setattr(module, "make_atlas", lambda phases, **kw: made.append(len(phases)) or original(phases, **kw))
    for seed in (0, 1):
        identifier.identify(flat(seed=seed))
    assert made.count(len(NAMES)) == 1


def two_scans(name="both.xy"):
    return MeasurementFile(
        name=name, format="a test", reader="test", version="1", sha256="0" * 64, header="",
        scans=(simulated_scan("L1", TWO, 1), flat()), warnings=("the reader had to assume something",),
    )  # fmt: skip


def test_all_scans_of_a_file_are_identified_by_number(identifier, monkeypatch):
    monkeypatch.setattr(module, "read_file", lambda path: two_scans())
    one, other = identifier.identify_file(Path("both.xy"))
    assert (one.file, other.file) == ("both.xy#1", "both.xy#2")
    assert names(one) == set(TWO) and not other.phases
    for found in (one, other):
        assert "the reader had to assume something" in found.reasons
        assert found.provenance["sha256"] == "0" * 64 and found.provenance["reader"] == "test 1"


def test_a_file_is_read_and_identified(identifier, tmp_path):
    path = write_xy(tmp_path / "two.xy", simulated_scan("L1", TWO, 1), wavelength=False)
    (found,) = identifier.identify_file(path)
    assert found.file == str(path) and names(found) == set(TWO) and len(found.provenance["sha256"]) == 64


@pytest.mark.parametrize("content", [b"", b"no numbers here\n", b"\x00\xff" * 40], ids=["empty", "words", "bytes"])
def test_a_file_that_cannot_be_read_says_why(identifier, tmp_path, content):
    path = tmp_path / "bad.xy"
    path.write_bytes(content)
    (found,) = identifier.identify_file(path)
    assert found.verdict == "unusable" and found.reasons[0] and found.file == str(path)


def test_a_file_that_is_not_there_says_so(identifier, tmp_path):
    (found,) = identifier.identify_file(tmp_path / "none.xy")
    assert found.verdict == "unusable" and "No such file" in found.reasons[0]
    (folder,) = identifier.identify_file(tmp_path)
    assert folder.verdict == "unusable"


@pytest.fixture
def tiny():
    """Return what identifies small patterns within milliseconds."""
    return of([phase_of("silicon")])


@pytest.fixture
def files(tmp_path):
    """Return good files with a bad one, and one that is not there, among them."""
    angles = np.arange(20.0, 40.0, 0.1)
    paths = [write_xy(tmp_path / f"{n}.xy", flat(seed=n, angles=angles), wavelength=False) for n in range(6)]
    paths[2].write_text("nothing to see", encoding="utf-8")
    return [*paths[:4], tmp_path / "none.xy", *paths[4:]]


def test_a_bad_file_does_not_stop_the_others(tiny, files):
    found = list(tiny.identify_files(files))
    assert [one.file for one in found] == [str(path) for path in files]
    assert [one.verdict == "unusable" for one in found] == [path.name in ("2.xy", "none.xy") for path in files]


def test_a_defect_does_not_stop_the_others_either(tiny, files, monkeypatch):
    original = module.make_pattern

    def broken(scan, **options):
        if next(calls) == 1:
            raise ZeroDivisionError("a test")
        return original(scan, **options)

    calls = itertools.count()
    monkeypatch.setattr(module, "make_pattern", broken)
    found = list(tiny.identify_files(files))
    assert len(found) == len(files)
    (told,) = [one for one in found if one.reasons and "a defect of labpilot" in one.reasons[0]]
    assert told.verdict == "unusable" and "ZeroDivisionError: a test" in told.reasons[0]


def test_results_come_as_they_are_done_and_files_are_asked_for_as_needed(tiny, files):
    asked = []
    results = tiny.identify_files(asked.append(path) or path for path in files)
    assert asked == []
    assert next(results).file == str(files[0]) and asked == files[:1]
    assert next(results).file == str(files[1]) and asked == files[:2]


def test_curves_are_left_out_of_a_series_unless_wanted(tiny, files):
    assert all(one.curves is None for one in tiny.identify_files(files))
    assert any(one.curves is not None for one in tiny.identify_files(files, curves=True))


def test_no_files_are_no_results(tiny):
    assert list(tiny.identify_files([])) == []


def test_two_workers_give_the_same_as_one_and_end_with_the_series(tiny, files, children):
    one = [facts(found) for found in tiny.identify_files(files)]
    results = tiny.identify_files(files, workers=2)
    assert [facts(found) for found in results] == one
    assert not children()


def test_workers_that_are_killed_cost_no_file(tiny, files, children):
    many = files * 3
    expected = [facts(found) for found in tiny.identify_files(many)]
    results = tiny.identify_files(many, workers=2)
    found = [next(results)]
    for worker in children():
        worker.kill()
    found += results
    assert [facts(one) for one in found] == expected


def test_a_file_that_kills_its_worker_is_the_only_one_lost(tiny, files, monkeypatch):
    poison = write_xy(files[0].parent / POISON, flat(), wavelength=False)
    expected = [facts(found) for found in tiny.identify_files(files)]
    monkeypatch.syspath_prepend(Path(__file__).parents[3])  # which workers inherit: they import what they are given
    monkeypatch.setattr(module, "_work", work_or_die)
    found = list(tiny.identify_files([*files[:2], poison, *files[2:]], workers=2))
    assert [facts(one) for one in found if one.file != str(poison)] == expected
    assert found[2].verdict == "unusable" and "died" in found[2].reasons[0]


@pytest.mark.parametrize(
    ("odds", "words"), [({"silicone": -1.0}, "did you mean 'silicon'"), ({"silicon": math.nan}, "finite number")]
)
def test_prior_odds_that_cannot_be_meant_are_refused(odds, words):
    with pytest.raises(ValueError, match=words):
        of([phase_of("silicon")], prior_odds=odds)


def test_an_isostructural_phase_with_a_far_cell_is_not_claimed():
    """A header that names cobalt for copper: the whole cell seems to have grown."""
    scan = replace(simulated_scan("L1", {"halite": 1.0}, 3), radiation=COBALT)
    found = of([phase_of("sylvite")]).identify(scan)
    assert found.verdict != "identified"


def test_a_series_that_is_broken_off_ends_its_workers(tiny, files, children):
    results = tiny.identify_files(itertools.cycle(files), workers=2)
    assert next(results).file == str(files[0]) and children()
    results.close()
    assert not children()


def test_memory_does_not_grow_with_the_number_of_patterns(tiny, files):
    results = tiny.identify_files(itertools.repeat(files[0], 60))
    next(results)
    tracemalloc.start()
    try:
        for _ in itertools.islice(results, 9):
            pass
        after_ten, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        n = sum(1 for _ in results)
        grown, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert n == 50 and grown < after_ten + 300_000 and peak < after_ten + 20_000_000


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_memory_does_not_grow_over_ten_thousand_patterns(tiny, files):
    def largest_bytes(n):
        assert sum(1 for _ in tiny.identify_files(itertools.repeat(files[0], n))) == n
        return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    assert largest_bytes(10_000) < largest_bytes(200) + 50_000_000


def cif_of(phase, occupancy=1.0):
    lengths = ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma")
    lines = ["data_phase", *(f"_cell_{n} {value}" for n, value in zip(lengths, phase.cell, strict=True))]
    lines += ["_space_group_name_H-M_alt 'P 1'", "loop_", "_symmetry_equiv_pos_as_xyz", "x,y,z", "loop_"]
    lines += [f"_atom_site_{n}" for n in ("type_symbol", "fract_x", "fract_y", "fract_z", "occupancy")]
    lines += [f"{s.element} {' '.join(f'{x:.6f}' for x in s.position)} {occupancy}" for s in phase.sites]
    return "\n".join(lines) + "\n"


def test_a_library_of_files_may_hold_duplicates_broken_files_and_partial_occupancies(tmp_path):
    for name in ("silicon", "halite", "rutile"):
        (tmp_path / f"{name}.cif").write_text(cif_of(phase_of(name)), encoding="utf-8")
    (tmp_path / "tin-of-silicon.cif").write_text(cif_of(phase_of("silicon")), encoding="utf-8")
    (tmp_path / "broken.cif").write_text("data_x\n_cell_length_a what\nloop_\n", encoding="utf-8")
    (tmp_path / "empty.cif").write_text("", encoding="utf-8")
    (tmp_path / "defective.cif").write_text(cif_of(phase_of("periclase"), 0.8), encoding="utf-8")
    library = load_library(tmp_path)
    assert {one.file for one in library.rejected} == {"broken.cif", "empty.cif"} and len(library.merged) == 1
    assert "defective" in [phase.name for phase in library.phases if phase.is_disordered]
    found = Identifier(library, calibration=CALIBRATION).identify(
        simulated_scan("L1", {"silicon": 0.5, "halite": 0.5}, 1)
    )
    assert names(found) == {"silicon", "halite"} and found.verdict == "identified"


def test_signal_to_noise_and_misfit_are_those_of_the_pattern(identifier):
    strong, weak = (module.make_pattern(flat_with_peak(height)) for height in (10_000.0, 400.0))
    for pattern, height in ((strong, 10_000.0), (weak, 400.0)):
        # of a peak of h counts on a background of b: h over the root of h + b, better by averaging points
        averaged = math.sqrt(pattern.grid.step_deg / 0.02)
        expected = averaged * height / math.sqrt(height + 100.0)
        assert claims.signal_to_noise(pattern) == pytest.approx(expected, rel=0.35)


def flat_with_peak(height):
    mean = gaussians(ANGLES, {40.0: height}, fwhm_deg=0.3)
    return scan_of(ANGLES, np.random.default_rng(0).poisson(mean))


def test_embedded_phases_serve_as_a_library():
    found = Identifier(embedded_library(), calibration=CALIBRATION).identify(simulated_scan("L1", TWO, 1))
    assert set(TWO) <= names(found)


@pytest.mark.parametrize("wavelength", [1.5443, 1.78897])
def test_a_header_whose_wavelength_is_not_the_anode_s_leads_and_nothing_is_claimed(identifier, wavelength):
    radiation = Radiation(wavelength_angstrom=(wavelength, 1.002 * wavelength), ratio=(1.0, 0.5), anode="Cu")
    found = identifier.identify(replace(simulated_scan("L1", TWO, 1), radiation=radiation))
    assert found.verdict == "cannot tell" and "K-alpha 1 of Cu is 1.5406" in found.reasons[0]


def test_a_wavelength_without_anode_in_a_text_file_is_both_lines(identifier, tmp_path):
    (found,) = identifier.identify_file(write_xy(tmp_path / "two.xy", simulated_scan("L1", TWO, 1)))
    assert names(found) == set(TWO) and found.verdict == "identified"
    assert found.provenance["wavelength_angstrom"] == [1.540598, 1.544426]
    assert sum("no anode" in reason for reason in found.reasons) == 1
