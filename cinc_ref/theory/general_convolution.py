"""Convolutions of any padding, stride, number of axes and groups, as exact matrices.

For trying conjectures: nothing here is fast, and nothing is needed by the convolution of the
package. An image has the axes (channels, n_1, ..., n_D), and along each of its D axes tap a of the
kernel reads, for the output i,

    i * stride + (a - anchor) * dilation,

backwards from the other end where the corner says so. What lies outside the image is 0, or a pixel
of the image that the padding puts in its place.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any, Literal, TypeAlias, get_args, overload

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from cinc_ref import _validate
from cinc_ref._arrays import plain_array
from cinc_ref._display import fields_html, short_repr
from cinc_ref._typing import Array, Corner, RealArrayLike
from cinc_ref.errors import OptionError, ShapeError
from cinc_ref.geometry import CORNERS, flips
from cinc_ref.theory.arguments import as_exact_array
from cinc_ref.theory.exact import Exact, matrix_determinant, matrix_rank, null_basis, to_fractions

__all__ = ["PADDINGS", "Convolution"]

Padding: TypeAlias = Literal[
    "causal", "same", "valid", "circular", "reflect", "symmetric", "replicate"
]
MatrixOrder: TypeAlias = Literal["pixel-major", "channel-major"]

OUTSIDE = -1
"""The index that stands for a pixel outside the image, which is 0."""


def _inside(index, length):
    return np.where((0 <= index) & (index < length), index, OUTSIDE)


def _wrapped(index, length):
    return index % length


def _replicated(index, length):
    return np.clip(index, 0, length - 1)


def _symmetric(index, length):
    index = index % (2 * length)
    return np.minimum(index, 2 * length - 1 - index)


def _reflected(index, length):
    index = index % max(2 * length - 2, 1)
    return np.minimum(index, 2 * length - 2 - index)


PADDINGS: dict[Padding, Callable[[Array, int], Array]] = {
    "causal": _inside,
    "same": _inside,
    "valid": _inside,
    "circular": _wrapped,
    "reflect": _reflected,
    "symmetric": _symmetric,
    "replicate": _replicated,
}
"""For each padding the pixels that are read at given indices along an axis.

"causal" has its anchor at the last tap and the others in the middle; "valid" computes only the
outputs that read nothing outside. "reflect" does not repeat the pixel at the border, "symmetric"
does.
"""

MATRIX_ORDERS: tuple[MatrixOrder, ...] = get_args(MatrixOrder)


@dataclass(frozen=True, eq=False, init=False)
class Convolution:
    """A convolution as a linear map of images, in exact arithmetic.

    Parameters
    ----------
    kernel : array_like, shape (C_out, C_in / groups, k_1, ..., k_D)
        Integers, Fractions or floats; a float counts as the dyadic fraction that it is.
    dims : int
        The number D of image axes.
    padding : {"causal", "same", "valid", "circular", "reflect", "symmetric", "replicate"}
        "causal" and "same" pad with zeros, "same" with the anchor in the middle.
    stride, dilation : int or sequence of D ints
        One for all axes, or one for each.
    groups : int
        Channels are divided into so many groups, each of which reads only itself.
    corner : str or sequence of D bools, optional
        For two axes a corner as for `cinc_ref.conv`; in general, whether each axis runs backwards.
    anchor : sequence of D ints, optional
        The tap that reads the pixel itself. Unless given the last one for "causal", the first one
        for "valid" and the middle one, ``k // 2``, for the others.

    Raises
    ------
    OptionError, ShapeError, DtypeError, NonFiniteError
        If an argument is not as described.

    Examples
    --------
    >>> from cinc_ref import theory
    >>> convolution = theory.Convolution([[[1, 2, 1]]], dims=1, padding="same")
    >>> convolution.matrix((3,))
    array([[2, 1, 0],
           [1, 2, 1],
           [0, 1, 2]])
    >>> convolution.determinant((3,))
    4
    >>> theory.Convolution([[[1, 1, 1]]], dims=1, padding="circular").rank((3,))
    1
    """

    kernel: Array
    dims: int
    padding: Padding
    stride: tuple[int, ...]
    groups: int
    dilation: tuple[int, ...]
    corner: tuple[bool, ...]
    anchor: tuple[int, ...]

    __repr__ = short_repr
    _repr_html_ = fields_html

    def __init__(
        self,
        kernel: RealArrayLike,
        dims: int = 2,
        padding: Padding = "causal",
        stride: int | Sequence[int] = 1,
        groups: int = 1,
        dilation: int | Sequence[int] = 1,
        corner: Corner | Sequence[bool] | None = None,
        anchor: Sequence[int] | None = None,
    ) -> None:
        dims = _validate.integer("dims", dims, minimum=1)
        checked_kernel = _checked_kernel(plain_array(kernel, "kernel"), dims)
        padding = _validate.one_of("padding", padding, PADDINGS)
        groups = _validate.integer("groups", groups, minimum=1)
        if len(checked_kernel) % groups:
            raise OptionError(
                f"groups must divide the kernel's {len(checked_kernel)} output channels; "
                f"got {groups}"
            )
        checked = {
            "kernel": checked_kernel,
            "dims": dims,
            "padding": padding,
            "groups": groups,
            "stride": _per_axis("stride", stride, dims),
            "dilation": _per_axis("dilation", dilation, dims),
            "corner": _checked_corner(corner, dims),
            "anchor": _checked_anchor(anchor, checked_kernel.shape[2:], padding),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    def __str__(self) -> str:
        names = ("padding", "stride", "groups", "dilation", "corner", "anchor")
        options = ", ".join(f"{name} {getattr(self, name)}" for name in names)
        return f"kernel {self.kernel.tolist()}, {options}"

    def to_dict(self) -> dict[str, Any]:
        """Return the arguments by name, the kernel as nested lists.

        Returns
        -------
        dict
        """
        names = ("dims", "padding", "stride", "groups", "dilation", "corner", "anchor")
        return {"kernel": self.kernel.tolist()} | {name: getattr(self, name) for name in names}

    @property
    def channels(self) -> tuple[int, int]:
        """Return the numbers of input and output channels."""
        return self.kernel.shape[1] * self.groups, len(self.kernel)

    @cached_property
    def taps(self) -> list[tuple[int, ...]]:
        """List the offsets, for `causal_order`, to what is read through taps that are not 0."""
        signs = [-1 if backwards else 1 for backwards in self.corner]
        return [
            tuple(
                sign * (a - anchor) * dilation
                for sign, a, anchor, dilation in zip(
                    signs, tap, self.anchor, self.dilation, strict=True
                )
            )
            for tap in np.ndindex(self.kernel.shape[2:])
            if np.any(self.kernel[(slice(None), slice(None), *tap)] != 0)
        ]

    def output_size(self, size: Sequence[int]) -> tuple[int, ...]:
        """Return the size of the output, one integer for each axis.

        Parameters
        ----------
        size : sequence of D ints

        Returns
        -------
        tuple of int

        Raises
        ------
        ShapeError
            If the size is not as described, or leaves no output.
        """
        size = self._checked_size(size)
        if self.padding == "valid":
            reach = [(k - 1) * d for k, d in zip(self.kernel.shape[2:], self.dilation, strict=True)]
            size = tuple(n - r for n, r in zip(size, reach, strict=True))
            if min(size) < 1:
                raise ShapeError(f"size must be larger than the kernel's reach {tuple(reach)}")
        return tuple(-(-n // stride) for n, stride in zip(size, self.stride, strict=True))

    @overload
    def matrix(self, size: Sequence[int], *, sparse: Literal[False] = ...) -> Array: ...
    @overload
    def matrix(self, size: Sequence[int], *, sparse: bool) -> Any: ...  # SciPy has no types
    def matrix(
        self, size: Sequence[int], *, sparse: bool = False
    ) -> Array | scipy.sparse.csr_array:
        """Build the matrix M with ``output.ravel() == M @ image.ravel()`` in pixel-major order.

        Parameters
        ----------
        size : sequence of D ints
            The image's size.
        sparse : bool
            Return a `scipy.sparse.csr_array`, for kernels of numbers that it holds.

        Returns
        -------
        numpy.ndarray or scipy.sparse.csr_array, dtype of the kernel
            Row and column ``pixel*C + c`` stand for channel c of a pixel, pixels in raster order.

        Raises
        ------
        ShapeError
            If the size is not as described.
        OptionError
            If `sparse` is no truth value.
        """
        rows, columns, entries, shape = self._entries(self._checked_size(size), self.kernel)
        if _validate.boolean("sparse", sparse):
            return scipy.sparse.coo_array((entries, (rows, columns)), shape).tocsr()
        return _dense(rows, columns, entries, shape)

    def rank(self, size: Sequence[int]) -> int:
        """Compute the rank of the matrix, exactly.

        Parameters
        ----------
        size : sequence of D ints
            The image's size.

        Returns
        -------
        int

        Raises
        ------
        ShapeError
            If the size is not as described.
        """
        return matrix_rank(self._exact_matrix(size))

    def determinant(self, size: Sequence[int]) -> Exact:
        """Compute the determinant of the matrix, exactly: an int if it is one, else a Fraction.

        Parameters
        ----------
        size : sequence of D ints
            The image's size.

        Returns
        -------
        int or Fraction

        Raises
        ------
        ShapeError, DtypeError, NonFiniteError
            If the matrix is not square; if the kernel does not hold finite real numbers.
        """
        return matrix_determinant(self._square_matrix(size))

    def null_vectors(self, size: Sequence[int]) -> list[Array]:
        """Compute a basis of the images that are mapped to 0, in coprime Python integers.

        Parameters
        ----------
        size : sequence of D ints
            The image's size.

        Returns
        -------
        list of ndarray, each of shape (C_in, n_1, ..., n_D)
            Empty where the convolution is invertible.

        Raises
        ------
        ShapeError
            If the matrix is not square.
        """
        shape = (*self._checked_size(size), self.channels[0])
        basis = null_basis(self._square_matrix(size))
        return [np.moveaxis(vector.reshape(shape), -1, 0) for vector in basis]

    def is_triangular(
        self, size: Sequence[int], order: MatrixOrder | Iterable[Sequence[int]] = "pixel-major"
    ) -> bool:
        """Tell whether the matrix is lower triangular in an order of its indices.

        Parameters
        ----------
        size : sequence of D ints
        order : {"pixel-major", "channel-major"} or list of pixels
            In "pixel-major" order and in that of a list, for instance of `CausalOrder.pixels`, the
            channels of a pixel count as one block, and the matrix has to be block lower triangular.

        Returns
        -------
        bool

        Raises
        ------
        OptionError
            If the order is no such name and does not list every pixel once.
        ShapeError
            If the output has not the image's shape.
        """
        size, (channels, outputs) = self._checked_size(size), self.channels
        if (outputs, *self.output_size(size)) != (channels, *size):
            raise ShapeError(
                f"the output must have the image's shape {(channels, *size)}; "
                f"it is {(outputs, *self.output_size(size))}"
            )
        matrix = self._exact_matrix(size)
        pixels = np.arange(int(np.prod(size)))
        if isinstance(order, str):
            if _validate.one_of("order", order, MATRIX_ORDERS) == "channel-major":
                index = np.arange(len(matrix)).reshape(-1, channels).T.ravel()
                return not np.triu(matrix[np.ix_(index, index)], 1).any()
        else:
            pixels = _pixel_numbers(order, size)
        blocks = matrix.reshape(len(pixels), channels, len(pixels), channels).transpose(0, 2, 1, 3)
        blocks = blocks[np.ix_(pixels, pixels)]
        return not blocks[np.triu_indices(len(pixels), 1)].any()

    def fourier_blocks(self, size: Sequence[int]) -> NDArray[np.complex128]:
        r"""Compute the blocks P of a circular convolution at the points of the Fourier transform.

        A plane wave ``x[s] = v exp(2 pi i r . s / n)`` is mapped to the same wave of P(r) v with

        .. math:: P(r) = \sum_t K_t \exp(2 \pi i\, r \cdot t / n)

        over the taps t, offsets to the pixels that are read. The waves of the n_1 ... n_D values of
        r are a basis, so M is invertible iff all det P(r) are not 0, and det M is their product.

        Parameters
        ----------
        size : sequence of D ints
            The image's size.

        Returns
        -------
        ndarray of complex128, shape (n_1, ..., n_D, C_out, C_in)

        Raises
        ------
        OptionError
            If the padding is not circular or a stride is not 1.
        """
        size = self._checked_size(size)
        if self.padding != "circular" or set(self.stride) != {1}:
            raise OptionError(
                "fourier_blocks needs circular padding and stride 1; "
                f"got padding {self.padding} and stride {self.stride}"
            )
        inputs, outputs = self.channels
        first = np.zeros((int(np.prod(size)), outputs, inputs))
        for tap, targets, sources in self._reads(size, size):
            block = self._block(tap, self.kernel).astype(np.float64)
            first[sources[targets == 0]] += block
        first = first.reshape(*size, outputs, inputs)
        return np.fft.ifftn(first, axes=range(self.dims)) * np.prod(size)

    def _reads(self, size, output_size):
        """Yield every tap with the raster numbers of output pixels and of what they read."""
        for tap in np.ndindex(self.kernel.shape[2:]):
            axes = [
                self._reads_along(axis, a, size[axis], output_size[axis])
                for axis, a in enumerate(tap)
            ]
            targets, sources = (np.ix_(*indices) for indices in zip(*axes, strict=True))
            yield (
                tap,
                np.ravel_multi_index(targets, output_size).ravel(),
                np.ravel_multi_index(sources, size).ravel(),
            )

    def _reads_along(self, axis, a, length, outputs):
        """Return outputs along an axis and what they read through tap a inside the image."""
        targets = np.arange(outputs)
        indices = targets * self.stride[axis] + (a - self.anchor[axis]) * self.dilation[axis]
        sources = PADDINGS[self.padding](indices, length)
        targets, sources = targets[sources != OUTSIDE], sources[sources != OUTSIDE]
        if self.corner[axis]:
            return outputs - 1 - targets, length - 1 - sources
        return targets, sources

    def _block(self, tap, kernel):
        """Return the weights of a tap as a matrix (C_out, C_in), 0 between the groups."""
        weights = kernel[(slice(None), slice(None), *tap)]
        inputs, outputs = self.channels
        block = np.zeros((outputs, inputs), kernel.dtype)
        for o in range(outputs):
            first = o // (outputs // self.groups) * weights.shape[1]
            block[o, first : first + weights.shape[1]] = weights[o]
        return block

    def _entries(self, size, kernel):
        """Return rows, columns and values of entries, which add up where they meet, and a shape."""
        output_size, (inputs, outputs) = self.output_size(size), self.channels
        read = min(prod(output_size), prod(size))  # pixels of the tap that reads the most
        needed = 3 * 8 * read * inputs * outputs
        _validate.check_memory("size", size, needed, "use smaller images")
        o, c = np.indices((outputs, inputs))
        rows, columns, entries = [], [], []
        for tap, targets, sources in self._reads(size, output_size):
            rows.append((targets[:, None, None] * outputs + o).ravel())
            columns.append((sources[:, None, None] * inputs + c).ravel())
            entries.append(np.tile(self._block(tap, kernel).ravel(), len(targets)))
        shape = (int(np.prod(output_size)) * outputs, int(np.prod(size)) * inputs)
        return *map(np.concatenate, (rows, columns, entries)), shape

    def _exact_matrix(self, size):
        """Build the matrix in numbers that add without rounding or overflow where entries meet."""
        kernel = self.kernel
        if kernel.dtype.kind not in "iu" or np.abs(kernel.astype(float)).sum() > 2**62:
            kernel = to_fractions(kernel)
        return _dense(*self._entries(self._checked_size(size), kernel))

    def _square_matrix(self, size):
        matrix = self._exact_matrix(size)
        if matrix.shape[0] != matrix.shape[1]:
            raise ShapeError(
                f"the matrix must be square; its shape is {matrix.shape} for images of size "
                f"{self._checked_size(size)}: ask for its rank instead"
            )
        return matrix

    def _checked_size(self, size):
        values = _validate.integers(size, self.dims, minimum=1)
        if values is None:
            raise ShapeError(
                f"size must be {self.dims} integers >= 1, one for each axis; "
                f"got {_validate.shown(size)}"
            )
        return values


def _dense(rows, columns, entries, shape):
    needed = prod(shape) * entries.itemsize
    _validate.check_memory("the shape of the matrix", shape, needed, "use smaller images")
    matrix = np.zeros(shape, entries.dtype)
    np.add.at(matrix, (rows, columns), entries)
    return matrix


def _checked_kernel(kernel, dims):
    if kernel.ndim < 3 or 0 in kernel.shape:
        raise ShapeError(
            "kernel must have the axes (C_out, C_in / groups, k_1, ..., k_D); "
            f"got shape {kernel.shape}"
        )
    if dims != kernel.ndim - 2:
        raise OptionError(
            f"dims must be {kernel.ndim - 2}, the number of image axes of a kernel of shape "
            f"{kernel.shape}; got {dims}"
        )
    return as_exact_array(kernel, "kernel")


def _per_axis(name, value, dims):
    """Return one integer >= 1 for each axis."""
    values = dims * (value,) if _validate.is_integer(value) else value
    checked = _validate.integers(values, dims, minimum=1)
    if checked is None:
        raise OptionError(
            f"{name} must be an integer >= 1, or {dims} of them; got {_validate.shown(value)}"
        )
    return checked


def _checked_corner(corner, dims):
    """Return whether each axis runs backwards."""
    if corner is None:
        return dims * (False,)
    if isinstance(corner, str) and dims == 2:
        return flips(_validate.one_of("corner", corner, CORNERS))
    flags = tuple(corner) if isinstance(corner, tuple | list) else ()
    if len(flags) != dims or not all(isinstance(flag, bool | np.bool_) for flag in flags):
        names = f"one of {', '.join(CORNERS)}, or " if dims == 2 else ""
        raise OptionError(
            f"corner must be {names}{dims} truth values; got {_validate.shown(corner)}"
        )
    return tuple(map(bool, flags))


def _checked_anchor(anchor, taps, padding):
    """Return the tap that reads the pixel itself."""
    if anchor is None:
        default = {"causal": lambda k: k - 1, "valid": lambda k: 0}
        return tuple(map(default.get(padding, lambda k: k // 2), taps))
    checked = _validate.integers(anchor, len(taps), minimum=0)
    if checked is None or any(a >= k for a, k in zip(checked, taps, strict=True)):
        raise OptionError(
            f"anchor must be a tap of the kernel of {taps} taps; got {_validate.shown(anchor)}"
        )
    if padding == "valid" and any(checked):
        raise OptionError("anchor must be the first tap for valid padding; leave it out")
    return checked


def _pixel_numbers(pixels, size):
    """Return the raster numbers of a list of pixels that holds each one once."""
    pixels = [tuple(pixel) for pixel in pixels]
    if sorted(pixels) != list(np.ndindex(*size)):
        raise OptionError(
            f"order must be one of {', '.join(MATRIX_ORDERS)}, or list every pixel of {size} once; "
            f"got {len(pixels)} pixels"
        )
    return np.array([np.ravel_multi_index(pixel, size) for pixel in pixels])
