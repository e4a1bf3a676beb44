"""The adaptive scan: counts that add up, windows where it matters, and an end for a reason that is told."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from simulators.materials.powder.levels import L1
from simulators.materials.powder.library import structures
from simulators.materials.powder.pattern import Scan, simulate
from simulators.materials.powder.specimen import Mixture, Share
from surrogate.xrd.adaptive import AdaptiveScan, ScanSettings, Stop, Window
from surrogate.xrd.adaptive_counts import Counted, precision
from surrogate.xrd.adaptive_plan import Costs, Doubt, Outlook, choose
from surrogate.xrd.atlas import COPPER, make_atlas
from surrogate.xrd.grid import Grid
from surrogate.xrd.library import embedded_library
from surrogate.xrd.search import Searcher

GRID = Grid(start_deg=10.0, step_deg=0.05, n=1401)
COSTS = Costs(left_s=600.0, overhead_s=10.0, longest_s=60.0, shortest_s=15.0, least_count_time_s=0.01)
QUICK = ScanSettings(step_deg=0.05, survey_s=30.0, budget_s=900.0)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def searcher(*names):
    return Searcher(make_atlas(embedded_library(names).phases))


def plain(pattern, best):
    """Take evidence as it is: the calibration of the package changes as it is made anew."""
    return 1.0


def new_scan(*names, settings=QUICK):
    return AdaptiveScan(searcher(*names), settings, temperature=plain)


def rates(strongest_cps, *, seed=1, **weights):
    """Return true rates on the lattice of `QUICK`, from the independent simulator."""
    mixture = Mixture(shares=tuple(Share(structure=structures()[name], weight=w) for name, w in weights.items()))
    rng = np.random.default_rng(seed)
    low, high = QUICK.range_deg
    scan = Scan(start_deg=low, stop_deg=high, step_deg=QUICK.step_deg)
    truth = simulate(mixture, scan=scan, sample=L1.sample, instrument=L1.instruments[0], rng=rng).truth
    return truth.expected * (strongest_cps / truth.expected.max())


def counted(rate, window, rng):
    first = round((window.start_deg - QUICK.range_deg[0]) / QUICK.step_deg)
    return rng.poisson(rate[first : first + window.n] * window.count_time_s)


def scanned(scan, rate, *, seed=0):
    """Follow a scan to its end."""
    rng = np.random.default_rng(seed)
    while not isinstance(proposed := scan.propose(), Stop):
        scan.tell(proposed, counted(rate, proposed, rng))
    return proposed


def window(start_deg, stop_deg, count_time_s=1.0, step_deg=0.05):
    return Window(start_deg=start_deg, stop_deg=stop_deg, step_deg=step_deg, count_time_s=count_time_s)


def test_counts_and_times_of_overlapping_windows_are_added():
    first, second = window(20.0, 21.0), window(20.5, 22.0, 3.0)
    both = Counted.nothing(GRID).plus(first, np.full(first.n, 4.0)).plus(second, np.full(second.n, 20.0))
    scan = both.as_scan(COPPER)
    assert scan.axis.values == pytest.approx(np.arange(20.0, 22.001, 0.05))
    assert (scan.counts[0], scan.counts[10], scan.counts[-1]) == (4.0, 24.0, 20.0)
    assert (scan.count_time_s[0], scan.count_time_s[10], scan.count_time_s[-1]) == (1.0, 4.0, 3.0)
    assert scan.values[[0, 10, -1]] == pytest.approx([4.0, 6.0, 20.0 / 3.0])


def test_the_sigma_of_a_rate_is_that_of_its_counts():
    long = window(20.0, 40.0, 10.0)
    counts = np.random.default_rng(1).poisson(50.0, long.n)
    scan = Counted.nothing(GRID).plus(long, counts).as_scan(COPPER)
    assert scan.sigma[5:-5] == pytest.approx(np.std(scan.values), rel=0.25)
    nothing = Counted.nothing(GRID).plus(long, np.zeros(long.n)).as_scan(COPPER)
    assert nothing.sigma == pytest.approx(0.1)


@given(st.permutations(range(3)), st.integers(0, 2**16))
def test_the_order_of_windows_does_not_matter(order, seed):
    rng = np.random.default_rng(seed)
    told = [(one, rng.poisson(5.0, one.n)) for one in (window(20.0, 30.0), window(25.0, 27.0, 2.0), window(60.0, 70.0))]
    states = [Counted.nothing(GRID), Counted.nothing(GRID)]
    for at, numbers in enumerate((range(3), order)):
        for number in numbers:
            states[at] = states[at].plus(*told[number])
    assert np.array_equal(states[0].counts, states[1].counts) and np.allclose(states[0].time_s, states[1].time_s)


@pytest.mark.parametrize(
    ("told", "counts", "message"),
    [
        pytest.param(window(20.0, 21.0), np.ones(20), "21 points were asked for, 20 counts", id="too few"),
        pytest.param(window(20.0, 21.0), np.full(21, 0.5), "whole numbers", id="rates"),
        pytest.param(window(20.0, 21.0), np.full(21, -1.0), "not negative", id="negative"),
        pytest.param(window(20.0, 21.0), np.full(21, np.nan), "whole numbers", id="no numbers"),
        pytest.param(window(20.02, 21.02), np.ones(21), "does not lie on the lattice", id="between points"),
        pytest.param(window(20.0, 21.0, step_deg=0.1), np.ones(11), "does not lie on the lattice", id="other step"),
        pytest.param(window(79.5, 80.5), np.ones(21), "does not lie on the lattice", id="out of range"),
        pytest.param(window(20.0, 21.0, 0.0), np.ones(21), "does not lie on the lattice", id="no time"),
    ],
)
def test_counts_that_cannot_be_those_of_a_window_are_refused(told, counts, message):
    with pytest.raises(ValueError, match=message):
        Counted.nothing(GRID).plus(told, counts)


def test_precision_grows_with_time_as_far_as_the_model_is_good():
    rate, error = np.array([100.0]), np.array([5.0])
    assert precision(rate, error, np.zeros(1)) == 0.0
    assert precision(rate, np.zeros(1), np.array([1e4])) == pytest.approx(100.0, rel=1e-3)
    assert precision(rate, error, np.array([1e6])) == pytest.approx(1.0 / 25.0, rel=1e-3)


def bump(at_deg, height_cps):
    return height_cps * np.exp(-0.5 * ((GRID.two_theta_deg.numpy() - at_deg) / 0.1) ** 2)


def outlook(*doubts, rate_cps=100.0, error_cps=0.0):
    full = np.ones(GRID.n)
    return Outlook(rate_cps=rate_cps * full, error_cps=error_cps * full, doubts=doubts)


def test_the_window_lies_where_the_doubt_is_settled():
    doubt = Doubt(what="a or b", weight=0.4, difference_cps=bump(71.3, 30.0))
    choice = choose(Counted.nothing(GRID), outlook(doubt), COSTS)
    assert choice.window.start_deg < 71.0 and choice.window.stop_deg > 71.6 and choice.window.n < 100
    assert 0.2 < choice.gain < 0.4


def test_what_is_more_probable_is_settled_first():
    doubts = [
        Doubt(what="a or b", weight=0.1, difference_cps=bump(30.0, 30.0)),
        Doubt(what="a or c", weight=0.4, difference_cps=bump(60.0, 30.0)),
    ]
    chosen = choose(Counted.nothing(GRID), outlook(*doubts), COSTS).window
    assert chosen.start_deg < 60.0 < chosen.stop_deg


def test_where_the_background_is_low_a_difference_costs_less():
    doubt = Doubt(what="a or b", weight=0.4, difference_cps=bump(30.0, 20.0) + bump(60.0, 20.0))
    rate = np.where(GRID.two_theta_deg.numpy() < 45.0, 1000.0, 50.0)
    chosen = choose(
        Counted.nothing(GRID), Outlook(rate_cps=rate, error_cps=np.zeros(GRID.n), doubts=(doubt,)), COSTS
    ).window
    assert chosen.start_deg < 60.0 < chosen.stop_deg and chosen.start_deg > 45.0


def test_a_phase_that_may_be_missed_gets_time_enough_to_be_seen():
    doubt = Doubt(what="a little c", weight=0.05, difference_cps=bump(60.0, 20.0), known_nats=0.0)
    assert doubt.left(np.array([0.0, 8.0, 30.0])) == pytest.approx([0.05, 0.025, 0.0], abs=1e-4)
    chosen = choose(Counted.nothing(GRID), outlook(doubt), COSTS)
    assert chosen.window.start_deg < 60.0 < chosen.window.stop_deg and chosen.gain > 0.015


@pytest.mark.parametrize(
    ("doubts", "error_cps", "left_s"),
    [
        pytest.param((), 0.0, 600.0, id="no doubt"),
        pytest.param(
            (Doubt(what="a or b", weight=0.4, difference_cps=bump(30.0, 1.0)),), 30.0, 600.0, id="model error"
        ),
        pytest.param((Doubt(what="a or b", weight=0.4, difference_cps=bump(30.0, 90.0)),), 0.0, 20.0, id="no time"),
    ],
)
def test_nothing_is_proposed_where_nothing_is_gained(doubts, error_cps, left_s):
    assert choose(Counted.nothing(GRID), outlook(*doubts, error_cps=error_cps), replace(COSTS, left_s=left_s)) is None


def test_windows_reach_the_end_of_the_range_at_their_full_width():
    doubt = Doubt(what="a or b", weight=0.4, difference_cps=bump(79.9, 30.0))
    chosen = choose(Counted.nothing(GRID), outlook(doubt), COSTS).window
    assert chosen.stop_deg == 80.0 and chosen.stop_deg - chosen.start_deg >= 3.0


def test_a_survey_comes_first_and_the_proposal_stays_until_something_is_told():
    scan = new_scan("anatase")
    survey = scan.propose()
    assert (survey.start_deg, survey.stop_deg, survey.count_time_s) == (15.0, 65.0, 0.03)
    assert scan.propose() is survey and scan.windows == () and scan.spent_s == 0.0


def test_a_trace_that_does_not_show_yet_is_looked_for_and_found():
    rate = rates(4000.0, anatase=0.92, brookite=0.08)
    scan = new_scan("anatase", "brookite", "rutile", "quartz")
    scan.tell(scan.propose(), counted(rate, scan.propose(), np.random.default_rng(0)))
    early = scan.belief()
    assert early.phases == ("anatase",) and early.set_probability > 0.99
    assert early.probability < 0.95 and "brookite" in early.not_excluded and not scan.is_sure()
    assert {one.what: one.known_nats for one in early.outlook.doubts}["a little brookite"] > 1.0
    stop = scanned(scan, rate)
    assert (stop.reason, set(scan.belief().phases)) == ("sure", {"anatase", "brookite"})
    assert "anatase + brookite with probability" in stop.text
    assert scan.spent_s < QUICK.budget_s and scan.spent_s == pytest.approx(
        sum(one.counting_s + 10.0 for one in scan.windows)
    )
    assert sum(one.count_time_s * one.n for one in scan.windows) == pytest.approx(scan.scan.count_time_s.sum())


def test_a_place_that_disappoints_is_not_measured_for_ever():
    full = np.ones(GRID.n)
    doubt = Doubt(what="a or b", weight=0.4, difference_cps=bump(30.0, 30.0) + bump(60.0, 20.0))
    expected, state = Outlook(rate_cps=100.0 * full, error_cps=0.0 * full, doubts=(doubt,)), Counted.nothing(GRID)
    first = choose(state, expected, COSTS).window
    trust = full.copy()
    trust[state.part(first)] = 0.1
    second = choose(state, expected, COSTS, trust=trust).window
    assert first.start_deg < 30.0 < first.stop_deg and second.start_deg < 60.0 < second.stop_deg


def test_the_same_counts_give_the_same_windows():
    rate = rates(4000.0, anatase=0.92, brookite=0.08)
    first = new_scan("anatase", "brookite")
    told = []
    for _ in range(2):
        told.append((first.propose(), counted(rate, first.propose(), np.random.default_rng(4))))
        first.tell(*told[-1])
    again = new_scan("anatase", "brookite")
    for one, counts in told:
        assert again.propose() == one
        again.tell(one, counts)
    assert again.propose() == first.propose()


def test_a_phase_that_nothing_could_tell_apart_does_not_keep_the_scan_going():
    anatase = embedded_library(["anatase"]).phases[0]
    scan = AdaptiveScan(Searcher(make_atlas([anatase, replace(anatase, name="twin")])), QUICK, temperature=plain)
    stop = scanned(scan, rates(8000.0, anatase=1.0))
    assert stop.reason == "nothing to gain" and scan.belief().set_probability < 0.6
    assert scan.spent_s < 0.5 * QUICK.budget_s


def test_a_peak_of_no_phase_of_the_library_is_told():
    scan = new_scan("anatase", "rutile")
    stop = scanned(scan, rates(8000.0, anatase=0.6, corundum=0.4))
    assert scan.belief().unknown_probability > 0.99 and "unexplained peak" in stop.text


def unknown_probability(rate):
    scan = new_scan("anatase", "rutile")
    whole = window(*QUICK.range_deg, 0.5)
    scan.tell(whole, counted(rate, whole, np.random.default_rng(0)))
    return scan.belief().unknown_probability


def test_the_ghost_of_a_strong_line_is_no_unknown_peak():
    rate = rates(8000.0, anatase=1.0)
    strongest_deg = 2.0 * np.degrees(np.arcsin(1.540598 / 2.0 / 3.516))
    ghost_deg = 2.0 * np.degrees(np.arcsin(1.39225 / 2.0 / 3.516))
    assert rate[round((strongest_deg - 10.0) / 0.05)] > 4000.0
    assert unknown_probability(rate + bump(ghost_deg, 120.0)) < 0.5
    assert unknown_probability(rate + bump(30.0, 120.0)) > 0.95


def test_where_nothing_is_counted_the_survey_is_repeated_longer_until_time_is_out():
    scan = new_scan("anatase")
    stop = scanned(scan, np.zeros(QUICK.grid.n))
    assert stop.reason == "out of time" and scan.spent_s <= QUICK.budget_s
    times = [one.count_time_s for one in scan.windows]
    assert len(times) > 2 and times[1] == pytest.approx(3.0 * times[0], rel=0.1)


def test_the_budget_is_kept():
    settings = replace(QUICK, budget_s=120.0, sure=0.9999)
    scan = new_scan("anatase", "brookite", "rutile", "quartz", settings=settings)
    stop = scanned(scan, rates(300.0, anatase=0.92, brookite=0.08))
    assert stop.reason != "sure" and scan.spent_s <= 120.0
    assert "not excluded: brookite" in stop.text


def test_evidence_is_divided_by_the_temperature_that_is_given():
    counts = counted(rates(8000.0, anatase=1.0), QUICK.survey(), np.random.default_rng(0))
    sure = []
    for heat in (1.0, 1e6):
        scan = AdaptiveScan(searcher("anatase", "rutile"), QUICK, temperature=lambda pattern, best, heat=heat: heat)
        scan.tell(QUICK.survey(), counts)
        sure.append(scan.belief().set_probability)
    assert sure[0] > 0.99 and sure[1] < 0.51


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"survey_deg": (5.0, 60.0)}, "does not lie within the range", id="survey out of range"),
        pytest.param({"step_deg": 0.0}, "must be positive", id="no step"),
        pytest.param({"overhead_s": -1.0}, "must be positive", id="negative overhead"),
        pytest.param({"sure": 1.0}, "between 0 and 1", id="certainty"),
    ],
)
def test_settings_that_make_no_sense_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        replace(QUICK, **changes)
