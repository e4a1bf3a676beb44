"""Comparing planners on a campaign of one's own: the same seeds for each, in virtual time (`labpilot compare`)."""
