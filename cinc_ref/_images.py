"""Image sets of any origin, read a part at a time."""

from collections.abc import Iterator
from typing import Any

from cinc_ref._arrays import check_library, plain_array
from cinc_ref._typing import Array

__all__ = ["HANDWRITING", "as_images", "in_chunks"]

HANDWRITING = frozenset({"digits", "mnist"})
"""Image sets whose high levels are ink, which pictures show dark."""


def as_images(images: Any, name: str = "images") -> Any:
    """Convert to a plain array; an object that reads its rows from the disk stays as it is."""
    check_library(images, name)
    reads_rows = hasattr(images, "shape") and hasattr(images, "__getitem__")
    return images if reads_rows else plain_array(images, name)


def in_chunks(images: Any, rows: int = 4096) -> Iterator[Array]:
    """Yield images a few thousand at a time, as arrays."""
    for start in range(0, len(images), rows):
        yield images[start : start + rows]
