"""The models of a campaign: what each foretold, which of them leads, and their versions."""
