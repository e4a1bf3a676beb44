"""Acts: the parts of the runner (`orchestrator.runner`), from an intent in the journal to a certain outcome."""
