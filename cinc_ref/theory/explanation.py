"""One kernel explained in plain words: whether it is invertible, and how usable its inverse is."""

from collections.abc import Sequence

import numpy as np

from cinc_ref import _validate
from cinc_ref._typing import RealArrayLike, Size
from cinc_ref.theory.arguments import check_kernel
from cinc_ref.theory.conditioning import stability
from cinc_ref.theory.exact import log_abs, matrix_determinant, short
from cinc_ref.theory.invertibility import null_image

__all__ = ["explain"]


def explain(
    kernel: RealArrayLike,
    size: Size,
    *,
    dilation: int = 1,
    anchor: Sequence[int] | None = None,
) -> str:
    """Explain in plain words whether a kernel's convolution is invertible, and how usable that is.

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
    str
        A few lines.

    Raises
    ------
    ShapeError, DtypeError, NonFiniteError, OptionError
        If an argument is not as described. A singular kernel is explained, not refused.

    Examples
    --------
    >>> import numpy as np
    >>> from cinc_ref import theory
    >>> print(theory.explain(np.array([[[[0.0, 0.25], [0.5, 1.0]]]]), (32, 32)))
    A 2x2 kernel for 1 channel, anchor (1, 1), dilation 1, on images of 32x32 pixels.
    Invertible: yes, K_nn = 1. The log-determinant is 0 nats an image.
    Condition number (1-norm): 7. Norm of the inverse: 4.
    float32: usable, an inverse keeps about 6.8 of 6.9 digits.
    float64: usable, an inverse keeps about 15.5 of 15.7 digits.
    On images of any size the inverse stays bounded (proved): the certificate S < 1.
    The 2-norm of the inverse is at most 4 on images of any size.
    """
    kernel, geometry = check_kernel(kernel, dilation=dilation, anchor=anchor)
    height, width = _validate.check_size(size)
    channels, _, kh, kw = kernel.shape
    plural = "" if channels == 1 else "s"
    lines = [
        f"A {kh}x{kw} kernel for {channels} channel{plural}, anchor {geometry.anchor}, "
        f"dilation {geometry.dilation}, on images of {height}x{width} pixels."
    ]
    determinant = matrix_determinant(kernel[:, :, *geometry.anchor])
    if determinant == 0:
        return "\n".join(lines + _singular(kernel, geometry.anchor))
    result = stability(kernel, size, dilation=dilation, anchor=anchor)
    lines += [
        _invertible(kernel, determinant, height * width),
        f"Condition number (1-norm): {_number(result.condition_number)}. "
        f"Norm of the inverse: {_number(result.inverse_norm)}.",
        *(_usable(result, dtype) for dtype in ("float32", "float64")),
        *_growth(result),
    ]
    return "\n".join(lines)


def _name(kernel):
    """Return the name of the number that decides: the paper's K_nn for one channel, or det B."""
    return "K_nn" if len(kernel) == 1 else "det B"


def _invertible(kernel, determinant, pixels):
    log_det = pixels * log_abs(determinant)
    return (
        f"Invertible: yes, {_name(kernel)} = {short(determinant)}. "
        f"The log-determinant is {log_det:.6g} nats an image."
    )


def _singular(kernel, anchor):
    vector = null_image(kernel, (1, 1), anchor=anchor).ravel().tolist()
    return [
        f"Invertible: no, {_name(kernel)} = 0 exactly.",
        f"Every image that is 0 but for {vector} in the channels of its last pixel is mapped to 0.",
    ]


def _usable(result, dtype):
    digits, most = result.digits(dtype), -np.log10(np.finfo(dtype).eps)
    if digits < 0.05:  # shown as 0.0
        return f"{dtype}: useless, an inverse keeps no digit."
    quality = "usable" if digits >= 3 else "poor" if digits >= 1 else "useless"
    return f"{dtype}: {quality}, an inverse keeps about {digits:.1f} of {most:.1f} digits."


def _growth(result):
    """Describe the verdict about all sizes, then what it leaves open about this width."""
    images = "images of any size" if result.verdict == "bounded" else "larger images"
    lines = [f"On {images} {_outcome(result)}: {result.reason}."]
    if result.verdict == "growing" and result.rate != 1:
        lines.append(f"Rate: a factor of {_number(result.rate)} a step {result.rate_of}.")
    if result.verdict != "bounded":
        at_width = result.at_width
        lines.append(f"On taller images of this width {_outcome(at_width)}: {at_width.reason}.")
        if (result.verdict, at_width.verdict) == ("growing", "bounded"):
            lines.append(
                "Both hold: each width may have a bound, but no bound holds for all widths."
            )
        lines.append(f"The certificate S = {_number(result.certificate)} is not below 1.")
    if np.isfinite(result.inverse_norm_bound):
        bound = _number(result.inverse_norm_bound)
        lines.append(f"The 2-norm of the inverse is at most {bound} on images of any size.")
    return lines


def _outcome(verdict):
    """Put a verdict into words."""
    if verdict.verdict == "bounded":
        return "the inverse stays bounded (proved)"
    if verdict.verdict == "undecided":
        return "whether the inverse stays bounded is undecided"
    growth = "like a polynomial" if verdict.rate == 1 else "exponentially"
    return f"the inverse grows {growth} (proved)"


def _number(value):
    return f"{value:.3g}" if np.isfinite(value) else "above 1.8e308"
