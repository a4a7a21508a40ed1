"""The matrix of the causal convolution, entry by entry from its definition."""

from collections.abc import Sequence
from typing import Any, Literal, overload

import numpy as np
import scipy.sparse

from cinc_ref import _validate
from cinc_ref._typing import Array, Corner, RealArrayLike, Size
from cinc_ref.errors import OptionError
from cinc_ref.theory.arguments import check_kernel

__all__ = ["convolution_matrix"]


@overload
def convolution_matrix(
    kernel: RealArrayLike,
    size: Size,
    *,
    corner: Corner = ...,
    dilation: int = ...,
    anchor: Sequence[int] | None = ...,
    sparse: Literal[False] = ...,
) -> Array: ...
@overload
def convolution_matrix(
    kernel: RealArrayLike,
    size: Size,
    *,
    corner: Corner = ...,
    dilation: int = ...,
    anchor: Sequence[int] | None = ...,
    sparse: bool,
) -> Any: ...  # SciPy has no types
def convolution_matrix(
    kernel: RealArrayLike,
    size: Size,
    *,
    corner: Corner = "top-left",
    dilation: int = 1,
    anchor: Sequence[int] | None = None,
    sparse: bool = False,
) -> Array | scipy.sparse.csr_array:
    r"""Build the matrix M with ``conv(x, kernel).ravel() == M @ x.ravel()`` in pixel-major order.

    Row and column ``(i*W + j)*C + c`` stand for channel c of pixel (i, j), so an image of shape
    (C, H, W) is flattened by ``x.transpose(1, 2, 0).ravel()``. With the padded corner at the top
    left,

    .. math::
        M[(i, j, o), (i - (p-a)d,\, j - (q-b)d,\, c)] = K[o, c, a, b]

    wherever the second pixel lies inside the image; for another corner the signs of the two
    offsets change. In this order, and with the top-left corner, M is block lower triangular, all
    H*W diagonal blocks being the corner block ``K[:, :, p, q]`` (theorem 1). In channel-major order
    it is not triangular.

    Parameters
    ----------
    kernel : array_like, shape (C, C, kh, kw)
        Output channel first. Floats, integers or objects (Fractions); the entries are copied
        unchanged, so integer kernels have an exact integer matrix.
    size : (int, int)
        Image height and width (H, W).
    corner : {"top-left", "top-right", "bottom-left", "bottom-right"}
        The padded image corner.
    dilation : int
        Distance of neighbouring taps in pixels.
    anchor : (int, int), optional
        Row and column (p, q) of the tap that reads the pixel itself; the bottom-right one unless
        given. Taps after it in raster order must be 0.
    sparse : bool
        Return a `scipy.sparse.csr_array` instead of a dense array.

    Returns
    -------
    numpy.ndarray or scipy.sparse.csr_array, shape (H*W*C, H*W*C), dtype of the kernel

    Raises
    ------
    ShapeError, DtypeError, NonFiniteError, OptionError
        If an argument is not as described.

    References
    ----------
    Nagar, Dufraisse and Varma, "CInC Flow: Characterizable Invertible 3x3 Convolution", 2021,
    section 3 (one channel); several channels as in its multi-channel extension.

    Examples
    --------
    >>> import numpy as np
    >>> import cinc_ref as cr
    >>> kernel = np.array([[[[1, 2], [3, 4]]]])
    >>> cr.convolution_matrix(kernel, (2, 2))
    array([[4, 0, 0, 0],
           [3, 4, 0, 0],
           [2, 0, 4, 0],
           [1, 2, 3, 4]])
    """
    kernel, geometry = check_kernel(kernel, corner, dilation, anchor)
    height, width = _validate.check_size(size)
    sparse = _validate.boolean("sparse", sparse)
    rows_of_matrix = height * width * len(kernel)
    shape = (rows_of_matrix, rows_of_matrix)
    try:
        matrix = None if sparse else np.zeros(shape, kernel.dtype)
        rows, columns, entries = _entries(kernel, height, width, geometry)
    except (MemoryError, ValueError) as error:  # ValueError: beyond the range of an index
        gigabytes = rows_of_matrix**2 * kernel.itemsize / 2**30
        advice = "use smaller images" if sparse else "use sparse=True or smaller images"
        raise OptionError(
            f"size must leave a matrix that fits into memory; got {rows_of_matrix:,} rows, "
            f"{gigabytes:,.1f} GiB if dense: {advice}"
        ) from error
    if matrix is None:
        return scipy.sparse.coo_array((entries, (rows, columns)), shape).tocsr()
    matrix[rows, columns] = entries
    return matrix


def _entries(kernel, height, width, geometry):
    """Return rows, columns and values of all entries; no place occurs twice."""
    channels = len(kernel)
    down, right = (1 if backwards else -1 for backwards in geometry.flips)
    p, q = geometry.anchor
    output, input_, i, j = np.indices((channels, channels, height, width))
    rows, columns, entries = [], [], []
    for a, b in np.ndindex(kernel.shape[2:]):
        if (a, b) > (p, q):  # taps after the anchor are 0
            continue
        source_i = i + down * (p - a) * geometry.dilation
        source_j = j + right * (q - b) * geometry.dilation
        inside = (0 <= source_i) & (source_i < height) & (0 <= source_j) & (source_j < width)
        rows.append(((i * width + j) * channels + output)[inside])
        columns.append(((source_i * width + source_j) * channels + input_)[inside])
        entries.append(np.broadcast_to(kernel[:, :, a, b, None, None], i.shape)[inside])
    return np.concatenate(rows), np.concatenate(columns), np.concatenate(entries)
