"""Image sets of any origin, read a part at a time."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from autograd.tracer import isbox

from cinc_ref._typing import Array

__all__ = ["as_images", "in_chunks"]


def as_images(images: Any) -> Any:
    """Convert to an array; an object that reads its rows from the disk stays as it is."""
    reads_rows = hasattr(images, "shape") and hasattr(images, "__getitem__")
    return images if reads_rows and not isbox(images) else np.asarray(images)


def in_chunks(images: Any, rows: int = 4096) -> Iterator[Array]:
    """Yield images a few thousand at a time, as arrays."""
    for start in range(0, len(images), rows):
        yield images[start : start + rows]
