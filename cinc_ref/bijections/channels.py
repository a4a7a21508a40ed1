"""Groups of channels, as couplings and FInC convolutions cut them."""

from functools import cache

import numpy as np

__all__ = ["channel_groups"]


@cache
def channel_groups(channels: int, count: int) -> tuple[tuple[int, int], ...]:
    """Cut channels into groups that differ by at most one, as `numpy.array_split` does.

    Parameters
    ----------
    channels : int
    count : int
        Number of groups.

    Returns
    -------
    tuple of (int, int)
        (start, stop) of the channels of each group, in order.

    Examples
    --------
    >>> channel_groups(7, 4)
    ((0, 2), (2, 4), (4, 6), (6, 7))
    """
    groups = np.array_split(np.arange(channels), count)
    stops = np.cumsum([len(group) for group in groups]).tolist()
    return tuple(zip([0, *stops[:-1]], stops, strict=True))
