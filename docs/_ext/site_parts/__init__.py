"""The parts of the site that are generated from stored results and from the package."""
