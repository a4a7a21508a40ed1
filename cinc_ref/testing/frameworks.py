"""The array libraries in which layers are written, behind the four operations that checks need.

Nothing is imported here: an object of a library has been made by that library, which is therefore
in `sys.modules`.
"""

import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from cinc_ref._typing import Array
from cinc_ref.testing.failure import to_numpy

__all__ = ["Jax", "NumPy", "TensorFlow", "Torch", "framework_of", "library_roots"]


def library_roots(obj: Any) -> set[str]:
    """Return the top-level packages that define the class of an object and its base classes."""
    return {cls.__module__.split(".")[0] for cls in type(obj).__mro__}


class NumPy:
    """Layers of NumPy arrays."""

    name: str = "NumPy"
    dtypes: tuple[str, ...] = ("float64", "float32")

    def array(self, values: Array) -> Any:
        """Copy an array into an array of the library, C-contiguous."""
        return np.array(values, order="C")

    def strided(self, values: Array) -> Any:
        """Copy an array into memory whose axes are in reverse order."""
        return np.array(values, order="F")

    def to_numpy(self, value: Any) -> Array:
        """Convert an array of the library, or a number."""
        return to_numpy(value)

    @contextmanager
    def seeded(self, seed: int) -> Iterator[None]:
        """Draw global random numbers from a seed in this block, then restore their state."""
        python_state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002
        random.seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002, the global state that layers draw from
        try:
            yield
        finally:
            random.setstate(python_state)
            np.random.set_state(numpy_state)  # noqa: NPY002

    def gradient(self, function: Callable[..., Any], values: Array, weights: Any) -> Any:
        """Differentiate <weights, function(values)>; None where the library cannot."""
        return None


class Torch(NumPy):
    """Layers of PyTorch tensors."""

    name = "PyTorch"

    def array(self, values: Array) -> Any:
        """Copy an array into a tensor, C-contiguous."""
        return sys.modules["torch"].from_numpy(np.array(values, order="C"))

    def strided(self, values: Array) -> Any:
        """Copy an array into a tensor whose axes are in reverse order in memory."""
        torch = sys.modules["torch"]
        axes = tuple(range(values.ndim))[::-1]
        return torch.from_numpy(np.array(values.transpose(axes), order="C")).permute(axes)

    @contextmanager
    def seeded(self, seed: int) -> Iterator[None]:
        """Draw global random numbers from a seed in this block, then restore their state."""
        torch = sys.modules["torch"]
        state = torch.get_rng_state()
        torch.manual_seed(seed)
        try:
            with super().seeded(seed):
                yield
        finally:
            torch.set_rng_state(state)

    def gradient(self, function: Callable[..., Any], values: Array, weights: Any) -> Any:
        """Differentiate <weights, function(values)>; None if the result is detached."""
        torch = sys.modules["torch"]
        tensor = self.array(values).requires_grad_()
        with torch.enable_grad():
            result = function(tensor)
            if not (hasattr(result, "requires_grad") and result.requires_grad):
                return None
            total = (result * self.array(weights).to(result.dtype).reshape(result.shape)).sum()
            (gradient,) = torch.autograd.grad(total, tensor, allow_unused=True)
        return np.zeros(values.shape) if gradient is None else self.to_numpy(gradient)


class Jax(NumPy):
    """Layers of JAX arrays."""

    name = "JAX"

    @property
    def dtypes(self) -> tuple[str, ...]:  # type: ignore[override]
        """The dtypes that JAX computes in: float32 alone unless jax_enable_x64 is set."""
        return ("float64", "float32") if sys.modules["jax"].config.jax_enable_x64 else ("float32",)

    def array(self, values: Array) -> Any:
        """Copy an array into a JAX array."""
        return sys.modules["jax"].numpy.asarray(np.array(values, order="C"))

    def strided(self, values: Array) -> Any:
        """Copy an array: JAX arrays have no strides."""
        return self.array(values)

    def gradient(self, function: Callable[..., Any], values: Array, weights: Any) -> Any:
        """Differentiate <weights, function(values)>."""
        jax = sys.modules["jax"]

        def total(array):
            return (function(array) * self.array(weights)).sum()

        return self.to_numpy(jax.grad(total)(self.array(values)))


class TensorFlow(NumPy):
    """Layers of TensorFlow tensors."""

    name = "TensorFlow"

    def array(self, values: Array) -> Any:
        """Copy an array into a tensor."""
        return sys.modules["tensorflow"].constant(np.array(values, order="C"))

    def strided(self, values: Array) -> Any:
        """Copy an array: TensorFlow tensors have no strides."""
        return self.array(values)

    def to_numpy(self, value: Any) -> Array:
        """Convert a tensor."""
        return np.asarray(value)


def framework_of(value: Any) -> Any:
    """Return the framework of an array or of an object that computes, by its classes' packages."""
    roots = library_roots(value)
    for root, framework in (("torch", Torch), ("jax", Jax), ("jaxlib", Jax)):
        if root in roots:
            return framework()
    return TensorFlow() if "tensorflow" in roots else NumPy()
