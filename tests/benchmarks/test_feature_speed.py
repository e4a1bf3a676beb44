"""The script that times features runs, and says of each what it took."""

import sys

import feature_speed


def test_a_short_run(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["feature_speed.py", "--structures", "12", "--formulas", "30"])
    feature_speed.main()
    said = capsys.readouterr().out
    assert "12 CIF files" in said
    assert "12 different" in said
    assert "ewald_matrix of 12" in said
    assert "bag_of_atoms of 30" in said
