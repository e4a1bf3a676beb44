"""Hours: when a laboratory is closed, how long trials take, and what still fits."""
