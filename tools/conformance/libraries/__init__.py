"""One module a library: its public layers, what is left out and why, and what was found."""
