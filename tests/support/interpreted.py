"""Tests that run in a process of their own, without Numba's compiler."""

import os
import subprocess
import sys

from tests.support.checkout import ROOT


def run_drawn_checks(file):
    """Try the checks of drawn shapes in a test file, each of which would be compiled."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    environment |= {"PYTHONPATH": str(ROOT), "NUMBA_DISABLE_JIT": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    result = subprocess.run(
        [*command, "-k", "test_our_operation and _drawn_", file],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert " passed" in result.stdout and "skipped" not in result.stdout, result.stdout
