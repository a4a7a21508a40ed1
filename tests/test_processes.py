"""The helper of tests that run Python in new processes: nothing that a process printed is lost."""

import os
import signal

import pytest

from tests.support.processes import run_code, run_module

CODE = """
    import sys
    print(sys.argv[1:], "on stdout")
    print("on stderr", file=sys.stderr)
    sys.exit(3)
"""


@pytest.mark.parametrize("text", [True, False])
def test_another_exit_code_fails_with_both_streams(text):
    with pytest.raises(AssertionError, match=r"exit code 3, not exit code 0") as raised:
        run_code(CODE, 1, "two", text=text)
    assert "['1', 'two'] on stdout" in str(raised.value) and "on stderr" in str(raised.value)


def test_an_expected_exit_code_is_none():
    done = run_code(CODE, exit_code=3)
    assert (done.stdout, done.stderr) == ("[] on stdout\n", "on stderr\n")


def test_a_missing_failure_fails():
    with pytest.raises(AssertionError, match="exit code 0, not exit code 1"):
        run_module("platform", exit_code=1)


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_a_signal_is_named():
    with pytest.raises(AssertionError, match="ended with SIGKILL, not exit code 0"):
        run_code(f"import os; os.kill(os.getpid(), {int(signal.SIGKILL)})")
