"""The machine: its name, the versions, and what one core can give at most."""

import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from cinc_ref.timing import measure, measure_in_turn, one_core

PACKAGES = ("cinc_ref", "numpy", "scipy", "numba", "autograd", "torch")


@dataclass(frozen=True)
class Machine:
    """Where a benchmark ran.

    Attributes
    ----------
    cpu : str
    versions : dict of str to str
        Of Python and of the packages that matter; None for one that is not installed.
    conditions : str
        Core and threads, as `cinc_ref.timing.one_core` asserted them.
    peak : dict of str to float
        By dtype: GFLOP/s of a large matrix product, which no kernel on this core exceeds.
    """

    cpu: str
    versions: dict
    conditions: str
    peak: dict


def describe():
    """The machine at hand, its peaks measured."""
    with one_core() as conditions:
        return Machine(cpu_name(), versions(), str(conditions), gemm_peak())


def cpu_name():
    """The processor's name, as the system tells it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def versions():
    """Versions by name; None for a package that is not installed."""
    return {"python": platform.python_version()} | {name: _version(name) for name in PACKAGES}


def _version(name):
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def has_torch():
    """Whether PyTorch can be measured against."""
    return find_spec("torch") is not None


def gemm_peak(side=1024, repeat=9):
    """GFLOP/s of square matrix products by dtype, the best of several."""
    matrices = {
        dtype: np.random.default_rng(0).normal(size=(3, side, side)).astype(dtype)
        for dtype in ("float32", "float64")
    }
    timings = measure_in_turn(
        {dtype: lambda m=m: np.matmul(m[0], m[1], out=m[2]) for dtype, m in matrices.items()},
        repeat=repeat,
    )
    return {dtype: 2 * side**3 / timing.minimum / 1e9 for dtype, timing in timings.items()}


def bandwidth(megabytes=256, repeat=7):
    """GB/s between core and memory: what a copy reads and writes, the best of several."""
    source, target = np.ones((2, megabytes * 2**17))
    return (
        2 * source.nbytes / measure(lambda: np.copyto(target, source), repeat=repeat).minimum / 1e9
    )
