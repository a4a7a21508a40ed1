"""Image sets as integer arrays of shape (N, C, H, W)."""

from cinc_ref.data.bundled import digits
from cinc_ref.data.image_set import ImageSet
from cinc_ref.data.sets import IMAGE_SETS, image_set

__all__ = ["IMAGE_SETS", "ImageSet", "digits", "image_set"]
