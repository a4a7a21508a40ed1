"""Running commands inside the test process, and a few digits for them to work on."""

import re

import numpy as np
import pytest

from cinc_ref.__main__ import main
from cinc_ref.cli._common import COMPILING
from cinc_ref.data import ImageSet, digits


def run(capsys, *arguments):
    """Run one command; return its exit code, stdout and stderr.

    Progress and the sentence on compiling are left out: whether they are printed depends on the
    machine and on the compile cache.
    """
    code, out, err = run_with_progress(capsys, *arguments)
    return code, out, without_progress(err.replace(f"{COMPILING}\n", ""))


def run_with_progress(capsys, *arguments):
    """Run one command; return its exit code, stdout and all of stderr."""
    with pytest.raises(SystemExit) as exit_:
        main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return exit_.value.code or 0, out, err


def without_progress(err):
    """Leave out the lines that show the progress of a command."""
    return re.sub(r"^\[\d+ s\] .*\n", "", err, flags=re.MULTILINE)


def assert_one_line_error(err):
    err = without_progress(err)
    assert err.startswith("error: ")
    assert err.count("\n") == 1


def few_digits():
    """Make an image set of 24 / 6 / 6 digits."""
    images = digits()[:36]
    return ImageSet("digits", *np.split(images, [24, 30]), bins=17)
