"""Campaigns, plans, journal, recovery, reports and the command line."""
