"""The causal convolution and its exact inverse as users call them, arguments checked."""

from functools import lru_cache

import numpy as np

from cinc_ref import _validate
from cinc_ref._autodiff import as_array, value_of
from cinc_ref.errors import SingularKernelError
from cinc_ref.geometry import check_geometry
from cinc_ref.kernels.batched import CONV, SUBSTITUTE
from cinc_ref.primitives.causal import (
    arranged,
    as_kernels_take,
    causal_conv,
    causal_conv_transpose,
    causal_conv_weight_grad,
    causal_solve,
    causal_solve_transpose,
    with_doubts,
)
from cinc_ref.primitives.corner import check_corner_invertible
from cinc_ref.primitives.trust import warn_unless_finite, warn_unless_trusted
from cinc_ref.theory.enclosures import enclose_inverse


def conv(x, kernel, *, corner="top-left", dilation=1, anchor=None):
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
    x, kernel, geometry, found = _checked(CONV, x, "x", kernel, corner, dilation, anchor)
    y, doubtful, kernel_doubtful = with_doubts(causal_conv, x, kernel, geometry, found)
    if kernel_doubtful:
        _validate.check_finite(value_of(kernel), "kernel")
    if doubtful:  # every pixel of x is a term of y, so that one pass over y is enough
        _validate.check_finite(value_of(x), "x")
    return y


def conv_inverse(y, kernel, *, corner="top-left", dilation=1, anchor=None, check=False):
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
        Say with an `IllConditionedWarning` if the inverse keeps fewer than three digits, or if it
        leaves an elementwise residual max |y - M x| / (|M| |x|) larger than rounding can explain.
        Costs several times the inverse itself.

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
    y, kernel, geometry, found = _checked(SUBSTITUTE, y, "y", kernel, corner, dilation, anchor)
    if check:
        _check_solvable(y, kernel, geometry)
        y_value = value_of(y)
        _validate.check_finite(y_value, "y")
        x = causal_solve(y, kernel, geometry)
        warn_unless_trusted(value_of(x), y_value, value_of(kernel), geometry)
        return x
    x, doubtful, kernel_doubtful = with_doubts(causal_solve, y, kernel, geometry, found)
    if kernel_doubtful:
        _check_solvable(y, kernel, geometry)
    if doubtful:
        x_value, y_value, kernel_value = (value_of(array) for array in (x, y, kernel))
        _validate.check_finite(y_value, "y")
        warn_unless_finite((x_value,), y_value, kernel_value, geometry)
    return x


def enclose(y, kernel, *, corner="top-left", dilation=1, anchor=None):
    r"""The inverse of `conv`, refined once, with a proved bound of the error of every entry.

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
    channels 0.12 s in float32, in 12 channels 0.4 s (``python -m tools.enclosure_campaign cost``,
    one core). Nearly all of that are the residuals, computed in slices by NumPy. The response to
    the first pixel, for half-plane taps to the first row of pixels, is held in memory, a few
    times; where it exceeds 512 MB the radius is infinite.

    Over 2,000 cases with condition numbers from 1 to 1e14 no error was above its radius. The
    largest radius of a case was 1.00 to 1.08 times its largest error in the median, at most 7 times
    (``python -m tools.enclosure_campaign``).

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
    y, kernel = (value_of(as_array(array)) for array in (y, kernel))
    geometry = _geometry(y, "y", kernel, corner, dilation, anchor)
    _check_solvable(y, kernel.astype(np.float64), geometry)
    _validate.check_finite(y, "y")
    return enclose_inverse(y, kernel, geometry, causal_solve)


def conv_vjp(x, kernel, g, *, corner="top-left", dilation=1, anchor=None):
    """The vector-Jacobian product of `conv`: gradients of <g, conv(x, kernel)>.

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
    x, kernel, geometry, _ = _checked(CONV, x, "x", kernel, corner, dilation, anchor)
    g = _checked_cotangent(g, x)
    x_bar, doubtful, kernel_doubtful = with_doubts(causal_conv_transpose, g, kernel, geometry)
    if kernel_doubtful:
        _validate.check_finite(value_of(kernel), "kernel")
    kernel_bar = causal_conv_weight_grad(x, g, kernel.shape, geometry)
    if doubtful or not _validate.all_finite(value_of(kernel_bar)):
        _validate.check_finite(value_of(x), "x")
        _validate.check_finite(value_of(g), "g")
    return x_bar, kernel_bar


def conv_inverse_vjp(y, kernel, g, *, corner="top-left", dilation=1, anchor=None):
    """The vector-Jacobian product of `conv_inverse`: gradients of <g, conv_inverse(y, kernel)>.

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
    y, kernel, geometry, found = _checked(SUBSTITUTE, y, "y", kernel, corner, dilation, anchor)
    g = _checked_cotangent(g, y)
    y_bar, doubtful, kernel_doubtful = with_doubts(causal_solve_transpose, g, kernel, geometry)
    if kernel_doubtful:
        _check_solvable(y, kernel, geometry)
    x, x_doubtful, _ = with_doubts(causal_solve, y, kernel, geometry, found)
    kernel_bar = -causal_conv_weight_grad(x, y_bar, kernel.shape, geometry)
    values = [value_of(array) for array in (y_bar, kernel_bar, y, kernel)]
    if doubtful or x_doubtful or not _validate.all_finite(values[1]):
        _validate.check_finite(values[2], "y")
        _validate.check_finite(value_of(g), "g")
        warn_unless_finite(tuple(values[:2]), *values[2:], geometry)
    return y_bar, kernel_bar


def _checked(operation, images, name, kernel, corner, dilation, anchor):
    """Images and kernel as arrays (or boxes) and the geometry, or an error; numbers come later.

    And, if it was looked up, how the kernels do the operation on just these arrays.
    """
    x, k = images, kernel
    if not type(x) is type(k) is np.ndarray:
        images, kernel = as_array(images), as_array(kernel)
        x, k = value_of(images), value_of(kernel)
    if anchor is None and type(corner) is str and type(dilation) is int:
        geometry, found = _known(
            operation, x.shape, x.strides, x.dtype, name, k.shape, k.dtype, corner, dilation
        )
        as_it_is = x.flags.behaved and k.flags.carray  # or kernels would be compiled once more
        return images, kernel, geometry, found if as_it_is else None
    return images, kernel, _geometry(x, name, k, corner, dilation, anchor), None


def _geometry(images, name, kernel, corner, dilation, anchor):
    """The geometry of a convolution, or an error."""
    _validate.check_kernel_shape(kernel)
    _validate.check_images_shape(images, len(kernel), name)
    _validate.check_float(kernel, "kernel")
    _validate.check_same_dtype(images, name, kernel, "kernel")
    return check_geometry(kernel, corner, dilation, anchor)


@lru_cache(maxsize=64)
def _known(operation, shape, strides, dtype, name, kernel_shape, kernel_dtype, corner, dilation):
    """The same, and how the kernels do it, looked up; None where they do not take such images.

    With one image the checks would take a tenth of the time, and one look takes less than two.
    """
    images = np.lib.stride_tricks.as_strided(np.empty((), dtype), shape, strides)
    kernel = np.broadcast_to(np.empty((), kernel_dtype), kernel_shape)
    geometry = _geometry(images, name, kernel, corner, dilation, None)
    if not (as_kernels_take(images) and kernel_dtype.isnative):
        return geometry, None
    return geometry, arranged(operation, images, kernel_shape, geometry)


def _check_solvable(y, kernel, geometry):
    """Refuse a kernel that is not finite, and a singular corner block; before it, such images."""
    _validate.check_finite(value_of(kernel), "kernel")
    try:
        check_corner_invertible(kernel, geometry.anchor)
    except SingularKernelError:
        _validate.check_finite(value_of(y), "y")
        raise


def _checked_cotangent(g, images):
    g = as_array(g)
    value, expected = value_of(g), value_of(images)
    _validate.check_same_dtype(value, "g", expected, "the images")
    _validate.check_same_shape(value, "g", expected, "the images")
    return g
