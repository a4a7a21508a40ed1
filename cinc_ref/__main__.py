"""``python -m cinc_ref``, also installed as ``cinc-ref``."""

import os
import sys
import warnings
from collections.abc import Sequence
from contextlib import contextmanager, suppress
from typing import NoReturn

from cinc_ref._progress import progress
from cinc_ref._streams import printable_output
from cinc_ref.errors import CincError, OptionError

__all__ = ["main"]

SUCCESS, FAILURE, MISUSE, INTERRUPTED = 0, 1, 2, 130
"""Exit codes; the last is by custom that of a process which Ctrl-C ended."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit: 0 for success, 2 for misuse, 1 for every other failure.

    Misuse is what the command line alone shows to be wrong: options, arguments and their
    combination. Files that are missing or damaged, folders that cannot be written and checks that
    fail exit with 1. Either is one line on stderr, without a traceback. After Ctrl-C the code is
    130, and after SIGTERM, where a command catches it, 143.

    Parameters
    ----------
    arguments : list of str, optional
        By default the arguments of the process. The help is shown if there are none.
    """
    with printable_output(), _plain_warnings():
        sys.exit(_exit_code(sys.argv[1:] if arguments is None else arguments))


@contextmanager
def _plain_warnings():
    """Print warnings as sentences, without the line of code that they come from."""
    former = warnings.formatwarning
    warnings.formatwarning = _format_warning
    try:
        yield
    finally:
        warnings.formatwarning = former


def _format_warning(message, *place):
    return " ".join(["warning:", *str(message).split()]) + "\n"


def _exit_code(arguments):
    try:
        with progress(
            _command(arguments), lasting=False, patient=True
        ):  # loading takes seconds, too
            code = _run(arguments)
        sys.stdout.flush()
        return code
    except OptionError as error:
        return _report(error, MISUSE)
    except CincError as error:
        return _report(error, FAILURE)
    except BrokenPipeError:  # the reader of the output has gone, as `head` does
        _discard_output()
        return FAILURE
    except OSError as error:
        return _report(_sentence(error), FAILURE)
    except KeyboardInterrupt:  # before a command has begun
        return INTERRUPTED
    except MemoryError:
        return _report(
            "this needs more memory than there is; ask for fewer or smaller images", FAILURE
        )


def _command(arguments):
    return next((word for word in arguments if not word.startswith("-")), "cinc-ref")


def _run(arguments):
    from cinc_ref.cli import app, usage_error  # needs an extra

    try:
        return app(args=arguments or ["--help"], prog_name="cinc-ref", standalone_mode=False) or 0
    except usage_error as error:
        command = error.ctx.command_path if error.ctx else "cinc-ref"
        return _report(f"{error.format_message().rstrip('.')}; see {command} --help", MISUSE)


def _sentence(error):
    """Return an error of the system as a sentence that names the file, where there is one."""
    if error.strerror is None:
        return str(error)
    if error.filename is None:
        return f"cannot write the output: {error.strerror}; choose another place"
    return f"cannot use {os.fsdecode(error.filename)}: {error.strerror}; check the path"


def _report(error, code):
    print("error:", *str(error).split(), file=sys.stderr)
    try:
        sys.stdout.flush()
    except OSError:
        _discard_output()
    return code


def _discard_output():
    """Send what is left of the output nowhere, lest it be tried again when the process ends."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
