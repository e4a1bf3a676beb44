"""X-ray powder diffraction: which phases, how much, how sure."""
