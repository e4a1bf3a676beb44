"""Versions of models, what each foretold before results were seen, and which of them leads."""
