"""``python -m cinc_ref``, also installed as ``cinc-ref``."""

import sys
from collections.abc import Sequence
from typing import NoReturn

from cinc_ref._progress import progress
from cinc_ref.errors import CincError

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit: 0 for success, 1 for a failed check or an error, 2 for misuse.

    An error that a user can cause or repair is one line on stderr, without a traceback. After
    Ctrl-C the code is 130.

    Parameters
    ----------
    arguments : list of str, optional
        By default the arguments of the process. The help is shown if there are none.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    command = next((word for word in arguments if not word.startswith("-")), "cinc-ref")
    try:
        with progress(command, lasting=False, patient=True):  # loading takes seconds, too
            code = _run(arguments)
        sys.exit(code)
    except (CincError, OSError) as error:
        _fail(error, 1)
    except KeyboardInterrupt:  # before a command has begun
        sys.exit(130)
    except MemoryError:
        _fail("this needs more memory than there is; ask for fewer or smaller images", 1)


def _run(arguments):
    from cinc_ref.cli import app, usage_error  # needs an extra

    try:
        return app(args=arguments or ["--help"], prog_name="cinc-ref", standalone_mode=False) or 0
    except usage_error as error:
        command = error.ctx.command_path if error.ctx else "cinc-ref"
        _fail(f"{error.format_message().rstrip('.')}; see {command} --help", 2)


def _fail(error, code):
    print("error:", *str(error).split(), file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()
