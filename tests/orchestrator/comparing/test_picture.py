import re

import pytest

from orchestrator.comparing.page import render
from orchestrator.comparing.picture import draw, png, svg
from orchestrator.comparing.summary import compare


def texts(axes):
    return [*(text.get_text() for text in axes.texts), axes.get_title(loc="left")]


@pytest.fixture
def comparison(make_campaign, make_run):
    ours = [make_run([1.0, 2.0, 3.0, 4.0 + seed], seed=seed) for seed in range(5)]
    theirs = [make_run([1.0, None, 1.0, 2.0 + seed], label="b<i>", seed=seed) for seed in range(5)]
    return compare(make_campaign(), {"a": ours, "b<i>": theirs})


def test_axes_say_what_they_show_with_its_unit(comparison):
    left, right = draw(comparison).axes
    assert left.get_ylabel() == "best gas so far (measured) / µmol  (higher is better)"
    assert left.get_xlabel() == "trials"
    assert right.get_ylabel() == "better by / µmol  (below 0: worse)"
    assert {"a", "b<i>", "hand made"} <= set(texts(left))
    assert left.get_legend() is None


def test_labels_do_not_overlap(make_campaign, make_run):
    names = ("a", "b", "c", "d")
    comparison = compare(make_campaign(), {name: [make_run([1.0, 2.0], label=name)] for name in names})
    (axes,) = draw(comparison).axes
    heights = sorted(text.xy[1] for text in axes.texts if text.get_text() in names)
    assert min(b - a for a, b in zip(heights, heights[1:], strict=False)) > 0.05


def test_a_regret_over_decades_is_on_a_logarithmic_scale_and_one_with_zero_is_not(make_campaign, make_run):
    def scale(*truth):
        metrics = {"true_values": {"gas": list(truth)}, "known_best": {"gas": 10.0}}
        run = make_run(list(truth), metrics=metrics)
        return draw(compare(make_campaign(budget=len(truth)), {"a": [run]})).axes[0].get_yscale()

    assert scale(1.0, 9.0, 9.99) == "log"
    assert scale(1.0, 9.0, 10.0) == "linear"


def test_the_first_trials_do_not_flatten_what_follows(make_campaign, make_run):
    runs = {
        "a": [make_run([1000.0, 0.0, 0.0, 1001.0 + seed] + [1002.0 + seed] * 4, seed=seed) for seed in range(4)],
        "b": [make_run([1.0, 1000.0] + [1001.0] * 6, label="b", seed=seed) for seed in range(4)],
    }
    _, right = draw(compare(make_campaign(budget=8), runs)).axes
    low, high = right.get_ylim()
    assert high - low < 100
    assert any("scaled to what follows trial 2" in text for text in texts(right))


def test_where_nothing_flattens_the_whole_difference_is_shown(comparison):
    assert not any("scaled to" in text for text in texts(draw(comparison).axes[1]))


def test_one_trial_and_nothing_measured_can_be_drawn(make_campaign, make_run):
    one = compare(make_campaign(budget=1), {"a": [make_run([1.0])], "b": [make_run([None], label="b")]})
    assert png(draw(one)).startswith(b"\x89PNG")


def test_the_page_needs_no_network_and_runs_no_script(comparison):
    page = render(comparison, "labpilot compare x.yaml --planners 'a,b<i>'")
    assert page.startswith("<!doctype html>")
    assert "<script" not in page
    assert not re.search(r'(?:src|href)="https?:', page)
    assert "b&lt;i&gt;" in page and "<i>" not in page.replace("<i ", "")
    assert "b&lt;i&gt; is 2 µmol worse than a" in page
    assert page.count("<svg") == 1


def test_equal_comparisons_give_equal_pictures(comparison):
    assert svg(draw(comparison)) == svg(draw(comparison))
