"""The machine: processor, versions, and the peak rates of one core."""

import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from cinc_ref._display import fields_html, short_repr
from cinc_ref.timing import measure, measure_in_turn, one_core

PACKAGES = ("cinc_ref", "numpy", "scipy", "numba", "autograd", "torch")


@dataclass(frozen=True)
class Machine:
    """The machine on which a benchmark ran.

    Attributes
    ----------
    cpu : str
    versions : dict of str to str
        Versions of Python and of the packages that matter; None for one that is not installed.
    conditions : str
        Core and threads, as `cinc_ref.timing.one_core` established them.
    peak : dict of str to float
        GFLOP/s by dtype: the best of several large matrix products before all other measurements.
    """

    cpu: str
    versions: dict
    conditions: str
    peak: dict

    __repr__ = short_repr
    _repr_html_ = fields_html


def describe():
    """Describe this machine and measure its peak rates."""
    with one_core() as conditions:
        return Machine(cpu_name(), versions(), str(conditions), gemm_peak())


def cpu_name():
    """Return the name of the processor, as the system reports it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def versions():
    """Return versions by name; None for a package that is not installed."""
    return {"python": platform.python_version()} | {name: _version(name) for name in PACKAGES}


def _version(name):
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def has_torch():
    """Return whether PyTorch is installed."""
    return find_spec("torch") is not None


SIDE = 1024
"""Side of square matrices that are large enough for the peak rate of a matrix product."""


def matrix_products(dtype, number=1, side=SIDE):
    """Return a function that multiplies two square matrices `number` times."""
    a, b, product = np.random.default_rng(0).normal(size=(3, side, side)).astype(dtype)

    def multiply():
        for _ in range(number):
            np.matmul(a, b, out=product)

    return multiply


def gemm_share(timing, multiply_adds, products, number=1, side=SIDE):
    """Divide a rate of multiply-adds by that of `matrix_products`, measured in turn with it.

    The peak would be no measure: a shared machine may be half as fast a minute later.
    """
    return multiply_adds / (number * side**3) * products.over(timing)


def gemm_peak(side=SIDE, repeat=9):
    """Measure GFLOP/s of square matrix products by dtype, the best of several."""
    functions = {dtype: matrix_products(dtype, side=side) for dtype in ("float32", "float64")}
    timings = measure_in_turn(functions, repeat=repeat)
    return {dtype: 2 * side**3 / timing.minimum / 1e9 for dtype, timing in timings.items()}


def bandwidth(megabytes=256, repeat=7):
    """Measure GB/s between core and memory, read and written by a copy, the best of several."""
    source, target = np.ones((2, megabytes * 2**17))
    return (
        2 * source.nbytes / measure(lambda: np.copyto(target, source), repeat=repeat).minimum / 1e9
    )
