"""Drivers of instruments: plain classes on a link."""
