"""The environments: one with PyTorch and what `cinc_ref` needs, and a directory of packages a library."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tools.conformance.catalogue import PINS, ROOT

__all__ = ["base_python", "install", "variables"]


def base_python(directory: Path) -> Path:
    """Make the environment that all libraries share, unless it is there; return its interpreter."""
    python = directory / "base" / "bin" / "python"
    done = directory / "base" / "pins.txt"
    pins = PINS / "base.txt"
    if not (done.exists() and done.read_text() == pins.read_text()):
        shutil.rmtree(directory / "base", ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", directory / "base"], check=True)
        _pip(python, "-r", pins)
        shutil.copy(pins, done)
    return python


def install(name: str, directory: Path) -> Path:
    """Install the packages of a library into a directory of its own, unless they are there."""
    target, pins = directory / name, PINS / f"requirements-{name}.txt"
    done = target / "pins.txt"
    if not (done.exists() and done.read_text() == pins.read_text()):
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        if any(line.strip() and line[0] != "#" for line in pins.read_text().splitlines()):
            _pip(directory / "base" / "bin" / "python", "--target", target, "-r", pins)
        shutil.copy(pins, done)
    return target


def _pip(python, *arguments):
    """Install pinned releases and nothing else: every requirement has a line of its own."""
    command = [python, "-m", "pip", "install", "--quiet", "--no-deps", *arguments]
    subprocess.run(command, check=True)


def variables(target: Path) -> dict[str, str]:
    """Return the environment variables of a process that checks a library."""
    return os.environ | {
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(target)]),
        "PYTHONNOUSERSITE": "1",
        "OMP_NUM_THREADS": "1",
        "JAX_ENABLE_X64": "1",
        "JAX_PLATFORMS": "cpu",
    }
