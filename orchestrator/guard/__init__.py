"""The guard: watches the laboratory beside the controller, refuses what must not be done now, and stops devices."""
