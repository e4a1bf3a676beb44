"""AcmeHotplate: a labpilot driver and its simulator."""
