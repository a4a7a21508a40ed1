"""The commands of ``python -m cinc_ref``, which call functions of the library and print.

Errors are not caught here: `cinc_ref.__main__` turns them into one line.
"""

from cinc_ref._extras import extra

with extra("cli"):
    import typer  # noqa: F401
with extra("cli"):
    import rich.console  # noqa: F401

from cinc_ref.cli._options import usage_error
from cinc_ref.cli.app import app

__all__ = ["app", "usage_error"]


def __dir__() -> list[str]:
    return __all__
