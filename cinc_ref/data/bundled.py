"""Real images from an installed package, so that no download is needed."""

import numpy as np

from cinc_ref._extras import extra
from cinc_ref._typing import IntegerArray

__all__ = ["digits"]


def digits() -> IntegerArray:
    """Load handwritten digits: the 1,797 images that scikit-learn ships.

    Returns
    -------
    images : ndarray of uint8, shape (1797, 1, 8, 8)
        Grey levels from 0 (paper) to 16 (ink), hence 17 levels. The first ten images are
        the digits 0 to 9, in this order.

    Raises
    ------
    MissingExtraError
        If scikit-learn is not installed.

    References
    ----------
    E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning
    Repository, 1998 (its test part).

    Examples
    --------
    >>> from cinc_ref.data import digits
    >>> images = digits()
    >>> images.shape, int(images.min()), int(images.max())
    ((1797, 1, 8, 8), 0, 16)
    """
    with extra("data"):
        from sklearn.datasets import load_digits

    return load_digits().images[:, np.newaxis].astype(np.uint8)
