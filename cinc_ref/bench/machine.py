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
        By dtype: GFLOP/s of the best of several large matrix products, before all else.
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


SIDE = 1024
"""Of matrices whose product is as fast as one core can be."""


def matrix_products(dtype, number=1, side=SIDE):
    """A function that multiplies two square matrices, so many times."""
    a, b, product = np.random.default_rng(0).normal(size=(3, side, side)).astype(dtype)

    def multiply():
        for _ in range(number):
            np.matmul(a, b, out=product)

    return multiply


def gemm_share(timing, multiply_adds, products, number=1, side=SIDE):
    """Multiply-adds a second, over those of `matrix_products` that were measured in turn.

    Not over the peak: a shared machine may be half as fast a minute later.
    """
    return multiply_adds / (number * side**3) * products.over(timing)


def gemm_peak(side=SIDE, repeat=9):
    """GFLOP/s of square matrix products by dtype, the best of several."""
    functions = {dtype: matrix_products(dtype, side=side) for dtype in ("float32", "float64")}
    timings = measure_in_turn(functions, repeat=repeat)
    return {dtype: 2 * side**3 / timing.minimum / 1e9 for dtype, timing in timings.items()}


def bandwidth(megabytes=256, repeat=7):
    """GB/s between core and memory: what a copy reads and writes, the best of several."""
    source, target = np.ones((2, megabytes * 2**17))
    return (
        2 * source.nbytes / measure(lambda: np.copyto(target, source), repeat=repeat).minimum / 1e9
    )
