"""Transport: samples come in, are carried from place to place, and are put away (see `orchestrator.journeys`)."""
