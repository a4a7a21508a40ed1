"""Programs: the calls of compiled functions that a flow with fixed parameters consists of.

What does not depend on the images is computed while a program is recorded; a run is the calls
alone, one after the other, on arrays that are made once. Images are contiguous (C, H, W, N) here.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from cinc_ref._typing import FloatArray
from cinc_ref.geometry import Geometry
from cinc_ref.kernels import stacked_convs
from cinc_ref.kernels.causal.plan import CHECK_KERNEL, pack_kernel
from cinc_ref.kernels.simd.pages import aligned
from cinc_ref.primitives.causal import plan_for
from cinc_ref.primitives.diagnostics import check_corner_invertible
from cinc_ref.primitives.memory_order import as_native_contiguous

__all__ = ["Program", "batch_first_view"]

Value = TypeVar("Value")


class Program:
    """A sequence of calls that maps images of one shape.

    Parameters
    ----------
    count : int
        Number of images.
    dtype : numpy.dtype
        float32 or float64.
    density : bool
        Whether log-determinants are computed, too.
    constants : list
        What does not depend on the number of images, in the order of use: empty for the first
        program of a flow, and handed on to those for other numbers.
    """

    count: int
    dtype: "np.dtype[Any]"
    density: bool

    def __init__(
        self, count: int, dtype: "np.dtype[Any]", density: bool, constants: list[Any]
    ) -> None:
        self.count, self.dtype, self.density = count, dtype, density
        self._constants, self._used = constants, 0
        self._calls: list[tuple[Callable[..., Any], tuple[Any, ...]]] = []
        self._arrays: dict[Any, FloatArray] = {}

    def add(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Append a call."""
        self._calls.append((function, arguments))

    def run(self) -> None:
        """Make all calls."""
        for function, arguments in self._calls:
            function(*arguments)

    def constant(self, make: Callable[[], Value]) -> Value:
        """Return the next of the constants, which `make` makes if it is not there yet."""
        if self._used == len(self._constants):
            self._constants.append(make())
        self._used += 1
        return self._constants[self._used - 1]

    def array(self, shape: tuple[int, ...], use: Any = None) -> FloatArray:
        """Return an array of zeros of a shape; the same one for the same use, unless it is None."""
        if use is None:
            memory = aligned(int(np.prod(shape)), np.empty(0, self.dtype)).reshape(shape)
            memory[...] = 0
            return memory
        if (use, shape) not in self._arrays:
            self._arrays[use, shape] = self.array(shape)
        return self._arrays[use, shape]

    def partner(self, x: FloatArray) -> FloatArray:
        """Return an array like x for what is computed from it; the partner of that is x again."""
        first = self.array(x.shape, "first of two")
        return self.array(x.shape, "second of two") if x is first else first

    def add_convolution(
        self,
        operation: tuple[bool, bool],
        x: FloatArray,
        y: FloatArray,
        kernel: FloatArray,
        geometry: Geometry,
    ) -> None:
        """Append the call that applies a causal convolution to x, or its inverse, into y.

        Raises
        ------
        SingularKernelError
            If a kernel that is inverted is singular.
        """
        kernel = as_native_contiguous(kernel, self.dtype)
        plan = plan_for(operation, batch_first_view(x), kernel.shape, geometry)
        work = self.array((plan.work_length,), plan.descriptor.tobytes())
        flags, sweep, *how = pack_kernel(plan, kernel, work)
        if operation[0] and flags & CHECK_KERNEL:
            check_corner_invertible(kernel, geometry.anchor)
        place = work[: plan.packed_length]
        self.add(np.copyto, place, place.copy())
        self.add(sweep, work, x.reshape(-1), y.reshape(-1), *how)

    def add_layers(self, layers: list[stacked_convs.Layer], x: FloatArray) -> FloatArray:
        """Append the call that applies convolutions with ReLU; return the array of its result."""
        convs = stacked_convs.prepare(layers, x.shape[1:3], self.count, self.dtype)
        work = self.array((convs.work_length,), convs.descriptor.tobytes())
        y = self.array((len(layers[-1].weight), *x.shape[1:]), "result of layers")
        packed = self.constant(lambda: stacked_convs.pack(convs, layers))
        loops = stacked_convs.compiled_convs(convs.lanes)
        self.add(loops, x.reshape(-1), packed, convs.descriptor, work, y.reshape(-1))
        return y

    def add_log_dets(self, total: Any, log_det: FloatArray) -> FloatArray:
        """Append the sum of log-determinants (N,); `total` is None if there are none yet."""
        if total is None:
            return log_det
        result = self.array((self.count,))
        self.add(np.add, total, log_det, result)
        return result


def batch_first_view(images: FloatArray) -> FloatArray:
    """View images (C, H, W, N) as (N, C, H, W)."""
    return images.transpose(3, 0, 1, 2)
