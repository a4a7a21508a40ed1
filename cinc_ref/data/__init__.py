"""Image sets as integer arrays of shape (N, C, H, W)."""

from cinc_ref.data.bundled import digits

__all__ = ["digits"]
