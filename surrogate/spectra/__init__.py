"""Reflectance spectra and pictures of laser-annealed stripes, to optical gradients with uncertainty."""
