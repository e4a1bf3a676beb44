"""Readers of diffractometers' files; see `surrogate.formats.readers`."""
