"""Tests that run in a process of their own, without Numba's compiler."""

import os

from tests.support.checkout import ROOT
from tests.support.processes import run_module

__all__ = ["run_drawn_checks"]


def run_drawn_checks(file):
    """Try the checks of drawn shapes in a test file, each of which would be compiled."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    environment |= {"PYTHONPATH": str(ROOT), "NUMBA_DISABLE_JIT": "1"}
    options = ("-q", "-p", "no:cacheprovider", "-k", "test_our_operation and _drawn_")
    result = run_module("pytest", *options, file, env=environment, cwd=ROOT, timeout=300)
    assert " passed" in result.stdout and "skipped" not in result.stdout, result.stdout
