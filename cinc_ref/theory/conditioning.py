"""How usable an inverse is: invertible is not the same as usable.

The condition number of M can grow exponentially with H + W although |K_nn| = 1, while the
log-determinant looks normal: the inverse is a recursive filter that may be unstable.
"""

from dataclasses import dataclass
from math import isqrt, log10

import numpy as np

from cinc_ref import _validate
from cinc_ref.errors import DtypeError
from cinc_ref.geometry import check_geometry
from cinc_ref.theory.exact import matrix_inverse, to_float, to_fractions
from cinc_ref.theory.growth import growth_rate
from cinc_ref.theory.norms import norms
from cinc_ref.theory.substitution import check_invertible, is_clearly_invertible

UNDECIDED = 0.02


@dataclass(frozen=True)
class Stability:
    """What one kernel's inverse does to rounding errors, on one image size and on larger ones.

    Attributes
    ----------
    size : (int, int)
        Image height and width (H, W).
    inverse_norm : float
        The 1-norm of M^{-1}, the largest sum of a column's absolute values.
    condition_number : float
        The 1-norm of M times that of M^{-1}. Like the others, it is infinite above 1.8e308.
    skeel_number : float
        The infinity norm of |M^{-1}| |M|. Rounding in conv and conv_inverse cannot change an
        image by more than a few times eps times this, relative to its largest pixel.
    error_factor : float
        The square root of the infinity norm of the product of both matrices with every entry
        squared: what rounding errors do when they are independent, in units of eps.
    certificate : float
        S, the sum over all taps but the corner block of ||B^{-1} K_ab||_2. If S < 1, no image
        size has ||M^{-1}||_2 above `inverse_norm_bound`.
    inverse_norm_bound : float
        ||B^{-1}||_2 / (1 - S); infinite if S >= 1.
    verdict : {"bounded", "growing", "undecided"}
        What ||M^{-1}|| does as the image grows in both directions.
    rate : float
        The factor by which the inverse's response grows a step: from pixel to pixel or from row to
        row.
    margin : float
        How far the rate is from 1, which separates bounded from growing; 0 where the rate does
        not decide.
    reason : str
        What the verdict rests on.
    """

    size: tuple[int, int]
    inverse_norm: float
    condition_number: float
    skeel_number: float
    error_factor: float
    certificate: float
    inverse_norm_bound: float
    verdict: str
    rate: float
    margin: float
    reason: str

    def expected_error(self, dtype):
        """The typical largest error of conv_inverse(conv(x)), relative to the largest pixel.

        ``eps * error_factor``. Over 200 random kernels with condition numbers up to 1e12, the
        median error of 20 images lies between 1/40 of this and twice this, while eps times Skeel's
        number overshoots it up to 200-fold (``python -m tests.accuracy_campaign prediction``).
        """
        return float(np.finfo(dtype).eps) * self.error_factor

    def digits(self, dtype):
        """Decimal digits of the largest pixel that an inverse in this dtype keeps; 0 is none."""
        return _digits(self.expected_error(dtype), dtype)


def condition_number(kernel, size, *, dilation=1, anchor=None):
    r"""The condition number of the convolution on one image, in the 1-norm.

    .. math:: \|M\|_1 \|M^{-1}\|_1

    from the responses to the first pixel (half-plane taps: to the first row of pixels), without
    forming M; right to a relative 1e-6 at any condition number. Which corner is padded does not
    matter.

    Parameters
    ----------
    kernel : array_like, shape (C, C, kh, kw)
        Integers, Fractions or floats.
    size : (int, int)
        Image height and width (H, W).
    dilation, anchor
        As for `cinc_ref.conv`.

    Returns
    -------
    float
        Infinite above 1.8e308.

    Raises
    ------
    SingularKernelError
        If the corner block is singular, decided exactly.
    ShapeError, DtypeError, NonFiniteError, OptionError
        If an argument is not as described.

    Examples
    --------
    >>> import numpy as np
    >>> from cinc_ref import theory
    >>> theory.condition_number(np.array([[[[2.0, 1.0]]]]), (1, 2))  # M = [[1, 0], [2, 1]]
    9.0
    >>> f"{theory.condition_number(np.array([[[[2.0, 1.0]]]]), (1, 200)):.1e}"
    '4.8e+60'
    """
    kernel, size, geometry = _checked(kernel, size, dilation, anchor)
    found = norms(kernel, size, geometry)
    return to_float(found.conv * found.inverse)


def condition_and_digits(kernel, size, geometry, dtype):
    """Condition number and digits kept, as `stability` gives them, without the rest; unchecked."""
    found = norms(kernel, size, geometry)
    error = float(np.finfo(dtype).eps) * _square_root(found.squared_skeel)
    return to_float(found.conv * found.inverse), _digits(error, dtype)


def stability(kernel, size, *, dilation=1, anchor=None):
    """How usable the inverse of a convolution is, on this image size and on larger ones.

    Parameters
    ----------
    kernel : array_like, shape (C, C, kh, kw)
        Integers, Fractions or floats.
    size : (int, int)
        Image height and width (H, W).
    dilation, anchor
        As for `cinc_ref.conv`. Which corner is padded does not matter.

    Returns
    -------
    Stability

    Raises
    ------
    SingularKernelError
        If the corner block is singular, decided exactly.
    ShapeError, DtypeError, NonFiniteError, OptionError
        If an argument is not as described.

    Examples
    --------
    A kernel with K_nn = 1, hence log-determinant 0, whose inverse is useless at 16x16:

    >>> import numpy as np
    >>> from cinc_ref import theory
    >>> kernel = np.array([[[[1.0, 2.0], [2.0, 1.0]]]])
    >>> found = theory.stability(kernel, (16, 16))
    >>> found.verdict, f"{found.condition_number:.0e}", found.digits("float32")
    ('growing', '2e+17', 0.0)
    """
    kernel, size, geometry = _checked(kernel, size, dilation, anchor)
    found = norms(kernel, size, geometry)
    inverse, scaled, anchor = _normalized(kernel, geometry.anchor)
    certificate, bound = _certificate(inverse, scaled, anchor)
    verdict, rate, margin, reason = _verdict(scaled, anchor, certificate)
    return Stability(
        size=size,
        inverse_norm=to_float(found.inverse),
        condition_number=to_float(found.conv * found.inverse),
        skeel_number=to_float(found.skeel),
        error_factor=_square_root(found.squared_skeel),
        certificate=certificate,
        inverse_norm_bound=bound,
        verdict=verdict,
        rate=rate,
        margin=margin,
        reason=reason,
    )


def _checked(kernel, size, dilation, anchor):
    """The kernel, the size of an image of dilation 1 that stands for all, and the anchor.

    With dilation d the image falls into d^2 images of every d-th pixel that do not see one
    another; the largest of them contains the others.
    """
    kernel = np.asarray(kernel)
    _validate.check_kernel_shape(kernel)
    _validate.check_exact_or_float(kernel, "kernel")
    size = _validate.check_size(size)
    geometry = check_geometry(kernel, dilation=dilation, anchor=anchor)
    _validate.check_finite(kernel, "kernel")
    if kernel.dtype == object and not np.all(np.abs(kernel) < 2**1000):
        raise DtypeError("kernel must hold numbers below 2^1000 in magnitude")
    check_invertible(kernel, geometry.anchor)
    return kernel, size, geometry


def _normalized(kernel, anchor):
    """B^{-1}, and B^{-1} K without outer rows and columns of zeros with its anchor, as floats.

    A corner block that rounding may make singular is inverted in Fractions.
    """
    corner = kernel[:, :, *anchor]
    if is_clearly_invertible(corner):
        kernel = kernel.astype(np.float64)
        inverse = np.linalg.inv(kernel[:, :, *anchor])
    else:
        inverse, kernel = matrix_inverse(corner), to_fractions(kernel)
    scaled = np.tensordot(inverse, kernel, axes=1).astype(np.float64)
    scaled[:, :, *anchor] = np.eye(len(kernel))
    p, q = anchor
    rows = np.flatnonzero(scaled.any(axis=(0, 1, 3)))
    columns = np.flatnonzero(scaled.any(axis=(0, 1, 2)))
    top, left, right = rows[0], columns[0], columns[-1]
    trimmed = scaled[:, :, top : p + 1, left : right + 1]
    return inverse.astype(np.float64), trimmed, (p - int(top), q - int(left))


def _certificate(inverse, kernel, anchor):
    """S, and the bound of ||M^{-1}||_2 that follows from it."""
    others = kernel.transpose(2, 3, 0, 1).copy()
    others[anchor] = 0
    total = float(np.linalg.norm(others, 2, axis=(2, 3)).sum())
    bound = float(np.linalg.norm(inverse, 2)) / (1 - total) if total < 1 else np.inf
    return total, bound


def _verdict(kernel, anchor, certificate):
    """Verdict, rate, margin and reason."""
    rate = growth_rate(kernel, anchor)
    half_plane = kernel.shape[3] > anchor[1] + 1
    if half_plane and anchor[0] > 1:
        reason = "half-plane taps in more than one row above: no criterion for narrow images"
        return "undecided", rate, 0.0, reason
    margin = abs(1 - rate)
    if certificate < 1:
        return "bounded", rate, margin, "the certificate S < 1"
    if margin < UNDECIDED:
        return "undecided", rate, margin, f"a factor of {rate:.3g} a step is too close to 1"
    if rate < 1:
        return "bounded", rate, margin, f"its response decays by a factor of {rate:.3g} a step"
    return "growing", rate, margin, f"its response grows by a factor of {rate:.3g} a step"


def _digits(error, dtype):
    """Digits that an error relative to the largest pixel leaves."""
    most = -log10(np.finfo(dtype).eps)
    return min(-log10(error), most) if error < 1 else 0.0


def _square_root(number):
    """The root of a float or of a Fraction of any size."""
    if isinstance(number, float):
        return float(np.sqrt(number))
    return to_float(type(number)(isqrt(number.numerator * number.denominator), number.denominator))
