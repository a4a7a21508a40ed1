"""Optional dependencies, and the error that names the command which installs them."""

from collections.abc import Iterator
from contextlib import contextmanager

from cinc_ref.errors import MissingExtraError

__all__ = ["extra"]


@contextmanager
def extra(name: str) -> Iterator[None]:
    """Turn a failing import in this block into an error that names the extra with its packages.

    Raises
    ------
    MissingExtraError
        If a package is not installed; the message holds the ``pip install`` for it.

    Examples
    --------
    >>> with extra("data"):
    ...     import no_such_module
    Traceback (most recent call last):
    cinc_ref.errors.MissingExtraError: no_such_module is not installed; pip install ".[data]" in \
the checkout
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or str(error)).partition(".")[0]
        raise MissingExtraError(
            f'{package} is not installed; pip install ".[{name}]" in the checkout'
        ) from error
