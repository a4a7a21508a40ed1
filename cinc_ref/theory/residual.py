"""The elementwise residual, in exact arithmetic."""

import numpy as np

from cinc_ref.theory.exact import to_integers
from cinc_ref.theory.substitution import convolve


def elementwise_residual(x, y, kernel, geometry):
    r"""The largest entry of |y - M x| / (|M| |x|), computed in integers.

    Elementwise, because the normwise residual hides bugs: a solver that misreads one small pixel
    passes it. Where |M| |x| is 0 the ratio counts as 0 if y is 0 too, otherwise as infinite.

    Parameters
    ----------
    x, y : ndarray, shape (N, C, H, W)
        Finite numbers of any kind.
    kernel : ndarray, shape (C, C, kh, kw)
    geometry : Geometry

    Returns
    -------
    float
        NaN if x or y is not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from cinc_ref.geometry import Geometry
    >>> kernel, x = np.array([[[[3.0]]]]), np.array([[[[1 / 3]]]])
    >>> y = np.array([[[[1.0]]]])
    >>> float(elementwise_residual(x, y, kernel, Geometry()) / 2**-54)
    1.0
    """
    if not (np.isfinite(x.astype(float)).all() and np.isfinite(y.astype(float)).all()):
        return float("nan")
    (x, x_scale), (y, y_scale) = to_integers(x), to_integers(y)
    kernel, kernel_scale = to_integers(kernel)
    gaps = np.abs(y * x_scale * kernel_scale - convolve(x, kernel, geometry) * y_scale)
    scales = convolve(np.abs(x), np.abs(kernel), geometry) * y_scale
    ratios = [
        gap / scale if scale else float("inf") if gap else 0.0
        for gap, scale in zip(gaps.ravel(), scales.ravel(), strict=True)
    ]
    return max(ratios, default=0.0)
