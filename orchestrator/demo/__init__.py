"""The campaign that `labpilot demo` runs: files as a user would write them."""
