"""Output files and folders: what cannot be written, said in one sentence."""

from contextlib import contextmanager
from pathlib import Path

from cinc_ref.errors import OutputError


@contextmanager
def writing(path):
    """Explain an `OSError` in this block: a file at `path`, or below it, cannot be written.

    Raises
    ------
    OutputError
        With the name of the file, if the system gave one.

    Examples
    --------
    >>> with writing("picture.png"):
    ...     raise OSError(28, "No space left on device")
    Traceback (most recent call last):
    cinc_ref.errors.OutputError: cannot write picture.png: No space left on device; choose \
another place
    """
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"cannot write {error.filename or path}: {error.strerror or error}; "
            "choose another place"
        ) from error


def make_folder(path):
    """A folder as a `Path`, made with its parents if it is not there.

    Raises
    ------
    OutputError
        If it cannot be made.
    """
    path = Path(path)
    with writing(path):
        path.mkdir(parents=True, exist_ok=True)
    return path
