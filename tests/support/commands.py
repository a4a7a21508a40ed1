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
    with pytest.raises(SystemExit) as exit_:
        main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    err = re.sub(r"^\[\d+ s\] .*\n", "", err.replace(f"{COMPILING}\n", ""), flags=re.MULTILINE)
    return exit_.value.code or 0, out, err


def assert_one_line_error(err):
    assert err.startswith("error: ")
    assert err.count("\n") == 1


def few_digits():
    """Make an image set of 24 / 6 / 6 digits."""
    images = digits()[:36]
    return ImageSet("digits", *np.split(images, [24, 30]), bins=17)
