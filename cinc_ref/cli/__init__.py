"""The commands of ``python -m cinc_ref``: each calls one function of the library and prints.

Errors are not caught here: `cinc_ref.__main__` turns them into one line.
"""

from cinc_ref._extras import extra

with extra("cli"):
    import typer
    from rich import console  # noqa: F401

from cinc_ref.cli.app import app

usage_error = typer.BadParameter.__base__
"""What is raised for every misuse: click's UsageError, which typer brings along or depends on."""

__all__ = ["app", "usage_error"]
