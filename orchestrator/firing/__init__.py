"""Firing: runs of furnaces that several samples share, formed, carried out, and left (see `firings`)."""
