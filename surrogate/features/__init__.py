"""Numbers that describe materials, for models that learn from few results."""
