"""Planning ahead: what may be asked for next is thought about while instruments work (docs/planning_ahead.md)."""
