"""Printing: one console, and plain sentences on it."""

from rich.console import Console
from rich.table import Table


def say(text, **style):
    """Print a sentence as it is: no markup, no wrapping inside a path."""
    Console().print(text, markup=False, highlight=False, soft_wrap=True, **style)


def figures(rows):
    """Print names and their values, given as strings, as a table of two columns."""
    table = Table(show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for name, value in rows:
        table.add_row(name, value)
    Console().print(table)


def levels(error):
    """An error with its unit."""
    return f"{error:.1e} grey levels"
