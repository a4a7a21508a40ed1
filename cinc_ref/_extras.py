"""Optional dependencies: what is missing, said in one line with the command that brings it."""

from contextlib import contextmanager

from cinc_ref.errors import MissingExtraError


@contextmanager
def extra(name):
    """Explain a failing import in this block: its packages come with the extra `name`.

    Raises
    ------
    MissingExtraError
        If one of them is not installed; the message holds the ``pip install`` that brings it.

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
