"""Ways of choosing what to try next."""
