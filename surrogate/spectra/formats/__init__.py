"""Readers of spectrometers' files; see `surrogate.formats.readers`."""
