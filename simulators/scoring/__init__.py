"""Scores of finished campaigns against the truth of a simulated world; no planner sees any of it."""
