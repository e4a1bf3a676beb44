"""Health: what about a campaign deserves a look, found in the journal's tables by pure functions.

A finding names what was looked at, how grave it is, a sentence with the numbers, and what to do. What is shown while a
campaign runs and what is shown afterwards come from the same rows by the same functions.
"""
