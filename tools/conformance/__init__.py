"""The check of every public layer of other flow libraries: `python -m tools.conformance`."""
