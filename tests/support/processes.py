"""Running Python in new processes, whose output is in the message of a test that fails."""

import os
import signal
import subprocess
import sys
import textwrap

__all__ = ["assert_ended", "run_code", "run_module", "run_python"]


def run_code(code, *arguments, **options):
    """Run Python code in a new process as `run_python` does; the code may be indented."""
    return run_python(["-c", textwrap.dedent(code)], *arguments, **options)


def run_module(name, *arguments, **options):
    """Run a module by its name in a new process as `run_python` does."""
    return run_python(["-m", name], *arguments, **options)


def run_python(program, *arguments, exit_code=0, flags=(), **options):
    """Run a program in a new process, and fail with what it printed if it ends otherwise.

    Parameters
    ----------
    program : list of str or path
        Arguments of Python that say what to run.
    *arguments
        Those of the program.
    exit_code : int
        The expected exit code, minus the number of the signal that ends the process.
    flags : sequence of str
        Options of Python.
    **options
        Those of `subprocess.run`.

    Returns
    -------
    subprocess.CompletedProcess
        With the output as text.
    """
    command = [sys.executable, *flags, *program, *map(str, arguments)]
    done = subprocess.run(command, **{"capture_output": True, "text": True, **options})
    assert_ended(done.returncode, exit_code, done.stdout, done.stderr)
    return done


def assert_ended(code, expected, out, err):
    """Fail with what a process printed unless it ended with the expected exit code."""
    __tracebackhide__ = True
    if code != expected:
        printed = f"---- stdout ----\n{_text(out)}\n---- stderr ----\n{_text(err)}"
        raise AssertionError(f"a process ended with {_end(code)}, not {_end(expected)}\n{printed}")


def _end(code):
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name


def _text(output):
    return os.fsdecode(output) if isinstance(output, bytes) else output
