"""Simulated instruments and materials that answer on the real wire."""
