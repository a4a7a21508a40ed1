"""Image sets of any origin, read a part at a time."""

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from cinc_ref._arrays import check_library, plain_array
from cinc_ref._typing import Array

__all__ = ["HANDWRITING", "as_images", "digest", "in_chunks"]

HANDWRITING = frozenset({"digits", "mnist", "emnist"})
"""Image sets whose high levels are ink: pictures draw them dark on light paper."""


def as_images(images: Any, name: str = "images") -> Any:
    """Convert to a plain array; an object that reads its rows from the disk stays as it is."""
    check_library(images, name)
    reads_rows = hasattr(images, "shape") and hasattr(images, "__getitem__")
    return images if reads_rows else plain_array(images, name)


def in_chunks(images: Any, rows: int = 4096) -> Iterator[Array]:
    """Yield images a few thousand at a time, as arrays."""
    for start in range(0, len(images), rows):
        yield images[start : start + rows]


def digest(images: Any) -> str:
    """Return dtype, shape and hash of images as a text that identifies them."""
    sha = hashlib.sha256()
    for part in in_chunks(images):
        sha.update(np.ascontiguousarray(part))
    return f"{images.dtype}{list(images.shape)} {sha.hexdigest()[:16]}"
