"""The events that say when a window began and ended."""

CLOSED = "lab_closed"
"""`from_utc`, `until_utc`, `why`, and the trials that were `under_way`."""
OPENED = "lab_opened"
"""Nothing but that."""
