"""Optional dependencies, and the error that names the command which installs them."""

from contextlib import contextmanager

from cinc_ref.errors import MissingExtraError


@contextmanager
def extra(name):
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
    cinc_ref.errors.MissingExtraError: no_such_module is not installed; pip install "cinc_ref[data]"
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = error.name.partition(".")[0]
        raise MissingExtraError(
            f'{package} is not installed; pip install "cinc_ref[{name}]"'
        ) from error
