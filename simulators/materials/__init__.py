"""Simulated materials: what a place on a wafer becomes, and what light makes of it."""
