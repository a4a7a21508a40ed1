"""The causal convolution and its exact inverse as users call them.

Each function prepares a call (checks of shapes, dtypes and options), executes it, and diagnoses
what went wrong if the status is not 0.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from cinc_ref import _validate, theory
from cinc_ref._autodiff import value_of
from cinc_ref._typing import Array, Corner, FloatArrayLike, Size
from cinc_ref.kernels.causal.plan import CONV, SOLVE
from cinc_ref.primitives.call import (
    UNCHECKED,
    diagnose,
    execute,
    execute_vjp,
    prepare,
    prepare_corner,
    prepare_cotangent,
)
from cinc_ref.primitives.causal import causal_solve
from cinc_ref.primitives.corner import log_abs_det_corner

__all__ = [
    "conv",
    "conv_inverse",
    "conv_inverse_vjp",
    "conv_vjp",
    "enclose",
    "log_abs_det",
]


def __dir__() -> list[str]:
    return __all__


def conv(
    x: FloatArrayLike,
    kernel: FloatArrayLike,
    *,
    corner: Corner = "top-left",
    dilation: int = 1,
    anchor: Sequence[int] | None = None,
) -> Array:
    r"""Convolve images with a kernel that reads each pixel and pixels before it.

    .. math::
        y[n, o, i, j] = \sum_{c, a, b} K[o, c, a, b]\; x[n, c, i - (p-a)d,\, j - (q-b)d]

    with x = 0 outside the image: padded at one corner only, then cross-correlated. (p, q) is the
    anchor and d the dilation. Differentiable by autograd, in reverse and forward mode, to any
    order, with respect to x and kernel.

    Parameters
    ----------
    x : array_like, shape (N, C, H, W)
        Images, float32 or float64; N may be 0.
    kernel : array_like, shape (C, C, kh, kw)
        Output channel first; the dtype of x.
    corner : {"top-left", "top-right", "bottom-left", "bottom-right"}
        The padded image corner. ``y = flip(conv(flip(x), kernel))`` for all but the first.
    dilation : int
        Distance of neighbouring taps in pixels.
    anchor : (int, int), optional
        Row and column of the tap that reads the pixel itself; the bottom-right one unless given.
        Taps after it in raster order must be 0.

    Returns
    -------
    y : ndarray, shape (N, C, H, W), dtype of x

    Raises
    ------
    ShapeError, DtypeError, NonFiniteError, OptionError
        If an argument is not as described. A singular corner block is no error here.

    Warns
    -----
    RuntimeWarning
        If a number of the result, or a term of its sum, exceeds the range of the dtype.

    See Also
    --------
    conv_inverse, log_abs_det, convolution_matrix

    References
    ----------
    Nagar, Dufraisse and Varma, "CInC Flow: Characterizable Invertible 3x3 Convolution", 2021,
    section 3.

    Examples
    --------
    >>> import numpy as np
    >>> import cinc_ref as cr
    >>> x = np.array([[[[1.0, 2.0], [3.0, 4.0]]]])
    >>> kernel = np.array([[[[0.0, 1.0], [10.0, 2.0]]]])  # above: 1, left: 10, itself: 2
    >>> cr.conv(x, kernel)
    array([[[[ 2., 14.],
             [ 7., 40.]]]])
    """
    x, kernel, plan = prepare(CONV, x, "x", kernel, corner, dilation, anchor)
    y, status = execute(plan, x, kernel)
    if status:
        diagnose(status, plan, kernel, {"x": x}, (y,))
    return y


def conv_inverse(
    y: FloatArrayLike,
    kernel: FloatArrayLike,
    *,
    corner: Corner = "top-left",
    dilation: int = 1,
    anchor: Sequence[int] | None = None,
    check: bool = False,
) -> Array:
    r"""Undo `conv`, exactly, by substitution in raster order.

    .. math::
        x[i, j] = B^{-1} \Bigl(y[i, j] - \sum_{\text{other taps}} K_{ab}\, x[\text{earlier}]\Bigr)

    with the corner block ``B = kernel[:, :, p, q]`` at the anchor (p, q). A triangular B is
    substituted through, any other goes through LU with partial pivoting. Differentiable by
    autograd like `conv`; the gradient is the transposed substitution.

    Parameters
    ----------
    y : array_like, shape (N, C, H, W)
        float32 or float64; N may be 0.
    kernel, corner, dilation, anchor
        As for `conv`; B must be invertible.
    check : bool
        Warn with an `IllConditionedWarning` if the inverse keeps fewer than three digits, or if it
        leaves an elementwise residual, max of ``|y - M x| / (|M| |x|)``, larger than rounding can
        explain (`cinc_ref.theory.trust`). For 100 images it takes 6 to 10 times as long as the
        inverse itself, for one image 20 to 30 times.

    Returns
    -------
    x : ndarray, shape (N, C, H, W), dtype of y

    Raises
    ------
    SingularKernelError
        If B is singular; the message names the zero K_nn.
    ShapeError, DtypeError, NonFiniteError, OptionError
        If an argument is not as described.

    Warns
    -----
    IllConditionedWarning
        With or without `check`, if the result is not finite although y is: the inverse exists, but
        not in this dtype. ``warnings.simplefilter("error", IllConditionedWarning)`` makes it an
        exception.

    Notes
    -----
    Invertible is not the same as usable: the inverse is a recursive filter, and its condition
    number can grow exponentially with the image size although every K_nn is 1
    (`cinc_ref.theory.stability`).

    References
    ----------
    Nagar, Dufraisse and Varma, "CInC Flow", 2021, section 3.

    Examples
    --------
    >>> import numpy as np
    >>> import cinc_ref as cr
    >>> kernel = np.array([[[[0.0, 1.0], [10.0, 2.0]]]])
    >>> cr.conv_inverse(np.array([[[[2.0, 14.0], [7.0, 40.0]]]]), kernel)
    array([[[[1., 2.],
             [3., 4.]]]])
    """
    y, kernel, plan = prepare(SOLVE, y, "y", kernel, corner, dilation, anchor)
    x, status = execute(plan, y, kernel)
    if _validate.boolean("check", check) or status:
        diagnose(status, plan, kernel, {"y": y}, (x,), check)
    return x


def log_abs_det(
    kernel: FloatArrayLike, size: Size, *, anchor: Sequence[int] | None = None
) -> np.floating[Any]:
    r"""Compute the log-determinant of `conv` on one image, in nats.

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
    corner, pixels = prepare_corner(kernel, size, anchor)
    return log_abs_det_corner(corner, pixels)


def enclose(
    y: FloatArrayLike,
    kernel: FloatArrayLike,
    *,
    corner: Corner = "top-left",
    dilation: int = 1,
    anchor: Sequence[int] | None = None,
) -> tuple[Array, Array]:
    r"""Undo `conv`, refined once, with a proved bound of the error of every entry.

    .. math::
        |x - M^{-1} y| \le \text{radius}

    for the exact binary values of y and kernel, whatever the condition number is. The substitution
    is only trusted as far as its residual, which is computed without rounding errors, bears it out
    (`cinc_ref.theory.enclosures` has the proof). Not differentiable.

    Parameters
    ----------
    y : array_like, shape (N, C, H, W)
        float32 or float64; N may be 0.
    kernel, corner, dilation, anchor
        As for `conv`; B must be invertible.

    Returns
    -------
    x, radius : ndarray, shape (N, C, H, W), dtype of y
        The radius is infinite where nothing is proved: where the inverse overflows, or where the
        condition number comes near the 1e16 of double precision.

    Raises
    ------
    SingularKernelError
        If B is singular.
    ShapeError, DtypeError, NonFiniteError, OptionError
        If an argument is not as described.

    See Also
    --------
    conv_inverse : The same without the refinement and the bound.

    Notes
    -----
    It takes 70 to 530 times as long as the inverse itself: for 100 images of 32x32 pixels in 3
    channels 0.12 s in float32, in 12 channels 0.4 s on one core. Nearly all of that are the
    residuals, computed in slices by NumPy. The response to the first pixel, for half-plane taps to
    the first row of pixels, is held in memory, a few times; where it exceeds 512 MB the radius is
    infinite.

    Over 4,000 cases with condition numbers from 1 to 1e14 no error was above its radius. The
    largest radius of a case was 1.00 to 1.08 times its largest error in the median, at most 15
    times.

    References
    ----------
    Rump, "Verification methods: Rigorous results using floating-point arithmetic", Acta Numerica
    19, 2010, section 10.

    Examples
    --------
    >>> import numpy as np
    >>> import cinc_ref as cr
    >>> x, radius = cr.enclose(np.ones((1, 1, 1, 2)), np.array([[[[1.0, 3.0]]]]))
    >>> x, radius.max() < 1e-16  # the inverse is 1/3, 2/9
    (array([[[[0.33333333, 0.22222222]]]]), np.True_)
    """
    *_, plan = prepare(SOLVE, y, "y", kernel, corner, dilation, anchor)
    y, kernel = value_of(y), value_of(kernel)
    diagnose(UNCHECKED, plan, kernel, {"y": y})
    return theory.enclosures.enclose_inverse(y, kernel, plan.geometry, causal_solve)


def conv_vjp(
    x: FloatArrayLike,
    kernel: FloatArrayLike,
    g: FloatArrayLike,
    *,
    corner: Corner = "top-left",
    dilation: int = 1,
    anchor: Sequence[int] | None = None,
) -> tuple[Array, Array]:
    """Vector-Jacobian product of `conv`: the gradients of <g, conv(x, kernel)>.

    Parameters
    ----------
    x, kernel, corner, dilation, anchor
        As for `conv`.
    g : array_like, shape (N, C, H, W)
        The gradient with respect to the output of conv.

    Returns
    -------
    x_bar : ndarray, shape (N, C, H, W)
        M^T g.
    kernel_bar : ndarray, shape (C, C, kh, kw)
        0 at taps after the anchor, which conv does not have.

    Raises
    ------
    ShapeError, DtypeError, NonFiniteError, OptionError

    Examples
    --------
    >>> import numpy as np
    >>> import cinc_ref as cr
    >>> x, g = np.random.default_rng(0).normal(size=(2, 1, 1, 4, 4))
    >>> kernel = np.array([[[[0.5, 1.0], [-1.0, 2.0]]]])
    >>> x_bar, kernel_bar = cr.conv_vjp(x, kernel, g)
    >>> bool(np.isclose(np.sum(cr.conv(x, kernel) * g), np.sum(x * x_bar)))
    True
    """
    x, kernel, plan = prepare(CONV, x, "x", kernel, corner, dilation, anchor)
    x_bar, kernel_bar, status = execute_vjp(plan, x, kernel, prepare_cotangent(g, x))
    if status:
        diagnose(status, plan, kernel, {"x": x, "g": g}, (x_bar, kernel_bar))
    return x_bar, kernel_bar


def conv_inverse_vjp(
    y: FloatArrayLike,
    kernel: FloatArrayLike,
    g: FloatArrayLike,
    *,
    corner: Corner = "top-left",
    dilation: int = 1,
    anchor: Sequence[int] | None = None,
) -> tuple[Array, Array]:
    """Vector-Jacobian product of `conv_inverse`: the gradients of <g, conv_inverse(y, kernel)>.

    Parameters
    ----------
    y, kernel, corner, dilation, anchor
        As for `conv_inverse`.
    g : array_like, shape (N, C, H, W)
        The gradient with respect to the output of conv_inverse.

    Returns
    -------
    y_bar : ndarray, shape (N, C, H, W)
        M^{-T} g, by transposed substitution.
    kernel_bar : ndarray, shape (C, C, kh, kw)
        Minus the weight gradient of conv at (conv_inverse(y, kernel), y_bar).

    Raises
    ------
    SingularKernelError, ShapeError, DtypeError, NonFiniteError, OptionError

    Warns
    -----
    IllConditionedWarning
        If a gradient is not finite although y and g are.

    Examples
    --------
    >>> import numpy as np
    >>> import cinc_ref as cr
    >>> y, g = np.random.default_rng(0).normal(size=(2, 1, 1, 4, 4))
    >>> kernel = np.array([[[[0.5, 1.0], [-1.0, 2.0]]]])
    >>> y_bar, kernel_bar = cr.conv_inverse_vjp(y, kernel, g)
    >>> bool(np.isclose(np.sum(cr.conv_inverse(y, kernel) * g), np.sum(y * y_bar)))
    True
    """
    y, kernel, plan = prepare(SOLVE, y, "y", kernel, corner, dilation, anchor)
    y_bar, kernel_bar, status = execute_vjp(plan, y, kernel, prepare_cotangent(g, y))
    if status:
        diagnose(status, plan, kernel, {"y": y, "g": g}, (y_bar, kernel_bar))
    return y_bar, kernel_bar
