"""Pictures in a folder as an image set of one size, for Galaxy and for images of your own."""

import numpy as np

from cinc_ref._extras import extra
from cinc_ref._typing import Path
from cinc_ref._validate import integer, is_integer, shown
from cinc_ref.data.image_set import ImageSet, shuffled_parts
from cinc_ref.data.reading import existing
from cinc_ref.errors import DataError, OptionError

__all__ = ["folder"]

PARTS: dict[str, tuple[str, ...]] = {
    "train": ("train",),
    "validation": ("validation", "valid", "val"),
    "test": ("test",),
}
"""Names of the folders that may hold each part of an image set."""

LISTED = 10
"""Number of unreadable files that a message names."""


def folder(path: Path, size: int = 32, channels: int = 3) -> ImageSet:
    """Load the pictures below a folder, cut to their middle square and scaled to one size.

    Folders ``train``, ``validation`` (or ``valid``, ``val``) and ``test`` are the parts; otherwise
    all pictures, sorted by name and shuffled with a fixed seed, are divided 8 : 1 : 1. Files
    whose ending is not that of a picture are ignored.

    Parameters
    ----------
    path : path
        The folder.
    size : int
        Height and width of the images.
    channels : {1, 3}
        1 for grey, 3 for red, green and blue.

    Returns
    -------
    ImageSet

    Raises
    ------
    DataError
        If there are too few pictures, or some cannot be read; the message lists these.
    OptionError
        If size or channels is out of range.
    MissingExtraError
        If Pillow is not installed.
    """
    size = integer("size", size, minimum=1)
    if not is_integer(channels) or channels not in (1, 3):
        raise OptionError(f"channels must be 1 or 3; got {shown(channels)}")
    top = existing(path, "a folder of pictures")
    folders = [_part(top, names) for names in PARTS.values()]
    if all(folders):
        parts = [_read(_pictures(part), size, channels, part) for part in folders]
    else:
        parts = shuffled_parts(_read(_pictures(top), size, channels, top))
    return ImageSet("folder", *parts, bins=256)


def _part(top, names):
    return next((top / name for name in names if (top / name).is_dir()), None)


def _pictures(top):
    with extra("data"):
        from PIL import Image

    endings = Image.registered_extensions()
    files = sorted(top.rglob("*")) if top.is_dir() else []
    return [file for file in files if file.is_file() and file.suffix.lower() in endings]


def _read(files, size, channels, top):
    """Read the pictures one after another into one array."""
    if not files:
        raise DataError(f"{top} must be a folder that holds pictures; it holds none")
    images = np.empty((len(files), channels, size, size), np.uint8)
    unreadable = []
    for image, file in zip(images, files, strict=True):
        try:
            image[:] = _picture(file, size, channels)
        except (
            OSError,
            SyntaxError,
            ValueError,
            EOFError,
        ):  # the errors of Pillow for damaged files
            unreadable.append(str(file.relative_to(top)))
    if unreadable:
        more = f" and {len(unreadable) - LISTED} more" if len(unreadable) > LISTED else ""
        raise DataError(
            f"{len(unreadable)} of {len(files)} pictures in {top} cannot be read: "
            f"{', '.join(unreadable[:LISTED])}{more}; mend or remove them"
        )
    return images


def _picture(file, size, channels):
    from PIL import Image, ImageOps

    with Image.open(file) as picture:
        grey_or_colour = picture.convert("L" if channels == 1 else "RGB")
    fitted = ImageOps.fit(grey_or_colour, (size, size), Image.Resampling.LANCZOS)
    return np.asarray(fitted).reshape(size, size, channels).transpose(2, 0, 1)
