"""Simulated instruments: bytes in, bytes out, physics on a clock."""
