"""The machine: processor, versions, and the peak rates of one core."""

import os
import platform
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from cinc_ref._display import fields_html, short_repr
from cinc_ref.bench.rows import Dtype
from cinc_ref.timing import Timing, measure, measure_in_turn, one_core

__all__ = [
    "SIDE",
    "Machine",
    "bandwidth",
    "cpu_name",
    "describe",
    "gemm_peak",
    "gemm_share",
    "has_torch",
    "matrix_products",
    "versions",
]

PACKAGES = ("cinc_ref", "numpy", "scipy", "numba", "autograd", "torch", "onnxruntime")


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
    load : float or None
        Mean number of processes that ran or waited for a core in the minute before all
        measurements; None where the system does not tell.
    cores : int or None
        Number of cores of the machine; None where the system does not tell.
    """

    cpu: str
    versions: dict[str, str | None]
    conditions: str
    peak: dict[str, float]
    load: float | None = None
    cores: int | None = None

    __repr__ = short_repr
    _repr_html_ = fields_html


def describe() -> Machine:
    """Describe this machine and measure its peak rates."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None  # not on Windows
    with one_core() as conditions:
        return Machine(cpu_name(), versions(), str(conditions), gemm_peak(), load, os.cpu_count())


def cpu_name() -> str:
    """Return the name of the processor, as the system reports it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def versions() -> dict[str, str | None]:
    """Return versions by name; None for a package that is not installed."""
    return {"python": platform.python_version()} | {name: _version(name) for name in PACKAGES}


def _version(name):
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def has_torch() -> bool:
    """Return whether PyTorch is installed."""
    return find_spec("torch") is not None


SIDE = 1024
"""Side of square matrices that are large enough for the peak rate of a matrix product."""


def matrix_products(dtype: Dtype, number: int = 1, side: int = SIDE) -> Callable[[], None]:
    """Return a function that multiplies two square matrices `number` times."""
    a, b, product = np.random.default_rng(0).normal(size=(3, side, side)).astype(dtype)

    def multiply():
        for _ in range(number):
            np.matmul(a, b, out=product)

    return multiply


def gemm_share(
    timing: Timing, multiply_adds: int, products: Timing, number: int = 1, side: int = SIDE
) -> float:
    """Divide a rate of multiply-adds by that of `matrix_products`, measured in turn with it.

    The peak would be no measure: a shared machine may be half as fast a minute later.
    """
    return multiply_adds / (number * side**3) * products.over(timing)


def gemm_peak(side: int = SIDE, repeat: int = 9) -> dict[str, float]:
    """Measure GFLOP/s of square matrix products by dtype, the best of several."""
    dtypes: tuple[Dtype, ...] = ("float32", "float64")
    functions = {dtype: matrix_products(dtype, side=side) for dtype in dtypes}
    timings = measure_in_turn(functions, repeat=repeat)
    return {dtype: 2 * side**3 / timing.minimum / 1e9 for dtype, timing in timings.items()}


def bandwidth(megabytes: int = 256, repeat: int = 7) -> float:
    """Measure GB/s between core and memory, read and written by a copy, the best of several."""
    source, target = np.ones((2, megabytes * 2**17))
    return (
        2 * source.nbytes / measure(lambda: np.copyto(target, source), repeat=repeat).minimum / 1e9
    )
