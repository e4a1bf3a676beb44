"""Powder diffraction patterns from physics: what a Bragg-Brentano diffractometer with a copper tube counts.

The analysis of patterns (``surrogate.xrd``) fits a simpler model; nothing of it is used here.
"""
