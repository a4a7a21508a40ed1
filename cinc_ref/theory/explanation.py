"""One kernel explained in plain words: is it invertible, and is its inverse of any use?"""

import numpy as np

from cinc_ref import _validate
from cinc_ref.geometry import check_geometry
from cinc_ref.theory.conditioning import stability
from cinc_ref.theory.exact import log_abs, matrix_determinant, to_float
from cinc_ref.theory.invertibility import null_image

GROWTH = {
    "bounded": "The inverse stays bounded on images of any size",
    "growing": "The inverse grows exponentially with the size of the image",
    "undecided": "Whether the inverse stays bounded on larger images is undecided",
}


def explain(kernel, size, *, dilation=1, anchor=None):
    """Say in plain words whether a kernel's convolution is invertible, and how usable that is.

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
    The inverse stays bounded on images of any size: the certificate S < 1.
    Certificate: S = 0.75 < 1, so the 2-norm of the inverse is at most 4 on images of any size.
    """
    kernel = np.asarray(kernel)
    _validate.check_kernel_shape(kernel)
    _validate.check_exact_or_float(kernel, "kernel")
    height, width = _validate.check_size(size)
    geometry = check_geometry(kernel, dilation=dilation, anchor=anchor)
    _validate.check_finite(kernel, "kernel")
    channels, _, kh, kw = kernel.shape
    plural = "" if channels == 1 else "s"
    lines = [
        f"A {kh}x{kw} kernel for {channels} channel{plural}, anchor {geometry.anchor}, "
        f"dilation {geometry.dilation}, on images of {height}x{width} pixels."
    ]
    determinant = matrix_determinant(kernel[:, :, *geometry.anchor])
    if determinant == 0:
        return "\n".join(lines + _singular(kernel, geometry.anchor))
    found = stability(kernel, size, dilation=dilation, anchor=anchor)
    lines += [
        _invertible(kernel, determinant, height * width),
        f"Condition number (1-norm): {_number(found.condition_number)}. "
        f"Norm of the inverse: {_number(found.inverse_norm)}.",
        *(_usable(found, dtype) for dtype in ("float32", "float64")),
        f"{GROWTH[found.verdict]}: {found.reason}.",
        _certificate(found),
    ]
    return "\n".join(lines)


def _name(kernel):
    """What decides: for one channel the paper's K_nn, otherwise det B."""
    return "K_nn" if len(kernel) == 1 else "det B"


def _invertible(kernel, determinant, pixels):
    name = f"{_name(kernel)} = {_number(to_float(determinant))}"
    log_det = pixels * log_abs(determinant)
    return f"Invertible: yes, {name}. The log-determinant is {log_det:.6g} nats an image."


def _singular(kernel, anchor):
    vector = null_image(kernel, (1, 1), anchor=anchor).ravel().tolist()
    return [
        f"Invertible: no, {_name(kernel)} = 0 exactly.",
        f"Every image that is 0 but for {vector} in the channels of its last pixel is mapped to 0.",
    ]


def _usable(found, dtype):
    digits, most = found.digits(dtype), -np.log10(np.finfo(dtype).eps)
    if digits < 1:
        return f"{dtype}: useless, an inverse keeps no digit."
    quality = "usable" if digits >= 3 else "poor"
    return f"{dtype}: {quality}, an inverse keeps about {digits:.1f} of {most:.1f} digits."


def _certificate(found):
    if found.certificate < 1:
        return (
            f"Certificate: S = {found.certificate:.3g} < 1, so the 2-norm of the inverse is at "
            f"most {found.inverse_norm_bound:.3g} on images of any size."
        )
    return f"Certificate: none, S = {found.certificate:.3g} is not below 1."


def _number(value):
    if not np.isfinite(value):
        return "above 1.8e308"
    return f"{value:.3g}"
