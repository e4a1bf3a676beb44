"""The command line; see `orchestrator.cli.main`."""
