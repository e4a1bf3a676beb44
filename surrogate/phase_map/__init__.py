"""From fingerprints at some compositions to phase regions over all of them, with probabilities."""
