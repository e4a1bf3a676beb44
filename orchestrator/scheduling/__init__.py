"""Scheduling: who may use which device and place, in which order, and which samples share a furnace."""
