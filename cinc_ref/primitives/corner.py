"""The corner block B of a kernel: whether it is invertible, and its log-determinant."""

import autograd.numpy as anp
import numpy as np
from autograd.extend import defjvp, defvjp, primitive

from cinc_ref import _validate
from cinc_ref._autodiff import as_array, value_of
from cinc_ref.errors import SingularKernelError
from cinc_ref.geometry import check_geometry
from cinc_ref.kernels import textbook
from cinc_ref.primitives.arrays import native
from cinc_ref.theory.exact import matrix_determinant


def log_abs_det(kernel, size, *, anchor=None):
    r"""The log-determinant of `conv` on one image, in nats.

    .. math::
        \log|\det M| = H W \log|\det B|, \qquad B = K[:, :, p, q]

    for triangular B, H W times the sum of log|K_nn| (CInC Flow, section 3). Neither the corner
    that is padded nor the dilation changes it. Differentiable by autograd like `conv`.

    Parameters
    ----------
    kernel : array_like, shape (C, C, kh, kw)
        float32 or float64.
    size : (int, int)
        Image height and width (H, W).
    anchor : (int, int), optional
        Row and column (p, q) of the tap that reads the pixel itself; the bottom-right one unless
        given.

    Returns
    -------
    scalar in the kernel's dtype
        For `conv_inverse` it is minus this.

    Raises
    ------
    SingularKernelError
        If B is singular; the message names the zero K_nn.
    ShapeError, DtypeError, NonFiniteError, OptionError
        If an argument is not as described.

    Examples
    --------
    >>> import numpy as np
    >>> import cinc_ref as cr
    >>> kernel = np.array([[[[7.0, 7.0], [7.0, -2.0]]]])
    >>> float(cr.log_abs_det(kernel, (3, 5)) / np.log(2.0))
    15.0
    """
    kernel = as_array(kernel)
    value = value_of(kernel)
    _validate.check_kernel_shape(value)
    _validate.check_float(value, "kernel")
    height, width = _validate.check_size(size)
    p, q = check_geometry(value, anchor=anchor).anchor
    _validate.check_finite(value, "kernel")
    check_corner_invertible(kernel, (p, q))
    return _log_abs_det_corner(kernel[:, :, p, q], height * width)


def check_corner_invertible(kernel, anchor):
    """Refuse a kernel whose corner block is singular, exactly or in its precision.

    Rounding can hide an exact zero pivot and can also make one, so floating point only clears the
    clear cases, and the others are decided by exact elimination.
    """
    p, q = anchor
    corner = value_of(kernel)[:, :, p, q]
    corner = native(corner, corner.dtype)
    above, below, channel = textbook.corner_form(corner)
    if not (above and below):
        if channel >= 0:
            raise SingularKernelError(
                "the corner block must have no zero on its diagonal to be inverted; "
                f"got K_nn = kernel[{channel}, {channel}, {p}, {q}] = 0"
            )
        return
    pivots = np.diagonal(textbook.factor_corner(corner)[2])
    if not pivots.all() or np.linalg.cond(corner, 1) * len(corner) > 1 / np.finfo(corner.dtype).eps:
        if matrix_determinant(corner) == 0:
            raise SingularKernelError(
                f"the corner block kernel[:, :, {p}, {q}] must be invertible; "
                "its determinant is exactly 0"
            )
        if not pivots.all():
            raise SingularKernelError(
                f"the corner block kernel[:, :, {p}, {q}] must be invertible in {corner.dtype}; "
                "elimination meets a zero pivot although the exact determinant is not 0"
            )


@primitive
def _log_abs_det_corner(corner, pixels):
    """pixels * log|det B|, summed in float64, in the dtype of B."""
    corner = native(corner, corner.dtype)
    _, lower, upper = textbook.factor_corner(corner)
    log_pivots = [np.log(np.abs(np.diagonal(t).astype(np.float64))).sum() for t in (lower, upper)]
    return corner.dtype.type(pixels * sum(log_pivots))


@primitive
def _inverse_transpose(corner):
    """B^{-T}, in the dtype of B."""
    corner = native(corner, corner.dtype)
    factors = textbook.factor_corner(np.ascontiguousarray(corner.T))
    columns = [
        textbook.solve_corner(*factors, row) for row in np.eye(len(corner), dtype=corner.dtype)
    ]
    return np.stack(columns, axis=1)


# d log|det B| = <B^{-T}, dB>
defvjp(
    _log_abs_det_corner,
    lambda ans, corner, pixels: lambda g: g * pixels * _inverse_transpose(corner),
)
defjvp(
    _log_abs_det_corner,
    lambda g, ans, corner, pixels: pixels * anp.sum(_inverse_transpose(corner) * g),
)


# V = B^{-T}: dV = -V dB^T V, and <g, dV> = <-V g^T V, dB>
def _turned(g, v):
    return -anp.dot(anp.dot(v, anp.transpose(g)), v)


defvjp(_inverse_transpose, lambda v, corner: lambda g: _turned(g, v))
defjvp(_inverse_transpose, lambda g, v, corner: _turned(g, v))
