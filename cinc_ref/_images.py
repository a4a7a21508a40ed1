"""Image sets of any origin, read a part at a time."""

import hashlib
from typing import Any

import numpy as np
from autograd.tracer import isbox


def as_images(images):
    """Convert to an array; an object that reads its rows from the disk stays as it is."""
    reads_rows = hasattr(images, "shape") and hasattr(images, "__getitem__")
    return images if reads_rows and not isbox(images) else np.asarray(images)


def in_chunks(images, rows=4096):
    """Yield images a few thousand at a time, as arrays."""
    for start in range(0, len(images), rows):
        yield images[start : start + rows]


def digest(images: Any) -> str:
    """Return dtype, shape and hash of images as a text that identifies them."""
    sha = hashlib.sha256()
    for part in in_chunks(images):
        sha.update(np.ascontiguousarray(part))
    return f"{images.dtype}{list(images.shape)} {sha.hexdigest()[:16]}"
