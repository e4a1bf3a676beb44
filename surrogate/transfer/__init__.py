"""What earlier campaigns, simulations and theory tell of a new target."""
