"""``python -m cinc_ref``, also installed as ``cinc-ref``."""

import sys

from cinc_ref.errors import CincError


def main(arguments=None):
    """Run the command line and exit: 0 for success, 1 for a failed check or an error, 2 for misuse.

    An error that a user can cause or mend is one line on stderr, without a traceback.

    Parameters
    ----------
    arguments : list of str, optional
        By default those of the process.
    """
    try:
        from cinc_ref.cli import app

        app(args=arguments, prog_name="cinc-ref")
    except (CincError, OSError) as error:
        sys.exit(f"error: {' '.join(str(error).split())}")


if __name__ == "__main__":
    main()
