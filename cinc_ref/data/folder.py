"""Pictures in a folder as an image set of one size, for Galaxy and for images of your own."""

import os
import pathlib

import numpy as np

from cinc_ref._extras import extra
from cinc_ref._reading import open_regular
from cinc_ref._typing import Path
from cinc_ref._validate import check_memory, integer, is_integer, shown
from cinc_ref.data.image_set import ImageSet
from cinc_ref.data.parts import complete_orders, mentioned_part, parts_by_name
from cinc_ref.data.picture import ENDINGS, FORMATS, PictureError, read_picture
from cinc_ref.data.reading import existing
from cinc_ref.errors import DataError, OptionError

__all__ = ["folder"]

NO_PICTURES = ("__MACOSX", "@eaDir", "$RECYCLE.BIN")
"""Folders that systems add; they and everything whose name begins with a dot are passed over."""

LISTED = 10
"""Number of unreadable files that a message names."""


def folder(path: Path, size: int = 32, channels: int = 3) -> ImageSet:
    """Load the pictures below a folder, cut to their middle square and scaled to one size.

    Folders named after parts are the parts: ``train``, ``validation`` and ``test``, or other usual
    names (``training``, ``val``, ``dev``, ``eval``), in upper or lower case, alone or with more
    words (``train_32x32``). A part that is missing is cut from ``train`` alone, a tenth of it.
    Where no folder is a part, all pictures, sorted by name and shuffled with a fixed seed, are
    divided 8 : 1 : 1.

    Files whose ending is not that of a picture are ignored, and so are hidden files and folders.
    The first frame of a picture is read and turned upright by its EXIF data. Transparent parts are
    laid on white, and grey levels of 16 bits are divided by 256.

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
        If there are too few pictures, or some cannot be read, where the message lists these; if
        two folders are the same part, or one with pictures beside parts is no part.
    OptionError
        If size or channels is out of range.
    MissingExtraError
        If Pillow is not installed.
    """
    size = integer("size", size, minimum=1)
    if not is_integer(channels) or channels not in (1, 3):
        raise OptionError(f"channels must be 1 or 3; got {shown(channels)}")
    check_memory("size", size, channels * size**2, "use a smaller one")
    top = existing(path, "a folder of pictures")
    with extra("data"):
        import PIL.Image  # noqa: F401
    parts = _read(_files_of_parts(_pictures(top), top), size, channels, top)
    return ImageSet("folder", *parts, bins=256)


def _pictures(top):
    """List the pictures below a folder, sorted; only links in the folder itself are followed."""
    files = []
    for root in (top, *_linked_folders(top)):
        for folder, folders, names in os.walk(root, onerror=_refuse):
            folders[:] = [name for name in folders if not _is_hidden(name)]
            files += [
                pathlib.Path(folder, name)
                for name in names
                if not _is_hidden(name) and os.path.splitext(name)[1].lower() in ENDINGS
            ]
    if not files:
        raise DataError(
            f"{top} must be a folder that holds pictures; it holds none of "
            f"the formats {', '.join(FORMATS)}"
        )
    return sorted(files)


def _linked_folders(top):
    """List the links in a folder to folders outside it."""
    if not top.is_dir():
        return []
    links = [file for file in top.iterdir() if file.is_symlink() and file.is_dir()]
    return [link for link in links if not (_is_hidden(link.name) or link.samefile(top))]


def _refuse(error):
    if not isinstance(error, NotADirectoryError):
        raise DataError(f"cannot read {error.filename}: {error.strerror}") from error


def _is_hidden(name):
    return name.startswith(".") or name in NO_PICTURES


def _files_of_parts(files, top):
    """Divide the files into the parts, by the names of the folders or by chance."""
    top, by_folder, loose = _descend(files, top)
    names = parts_by_name(by_folder, str(top), others=[file.name for file in loose])
    if not names:
        _refuse_deeper_parts(files, top)
    given = {part: by_folder[name] for part, name in names.items()} or {"train": files}
    counts = {part: len(files) for part, files in given.items()}
    return {
        part: given[source] if order is None else [given[source][k] for k in order]
        for part, (source, order) in complete_orders(counts, str(top)).items()
    }


def _descend(files, top):
    """Go down to the first folder that holds more than one folder.

    Returns
    -------
    top : Path
    by_folder : dict of str to list of Path
        The files below each folder in it, by its name.
    loose : list of Path
        The files in it.
    """
    while True:
        by_folder, loose = {}, []
        for file in files:
            name, *below = file.relative_to(top).parts
            (by_folder.setdefault(name, []) if below else loose).append(file)
        if loose or len(by_folder) > 1 or mentioned_part(next(iter(by_folder))):
            return top, by_folder, loose
        top = top / next(iter(by_folder))


def _refuse_deeper_parts(files, top):
    """Refuse a split below the first folders ("cats/train"), which would be thrown away."""
    for file in files:
        for name in file.relative_to(top).parts[:-1]:
            if mentioned_part(name):
                raise DataError(
                    f"{top} must hold the folders of parts (train, validation, test) themselves; "
                    f"got {name} in {file.parent}: bring the parts to the top, or rename it"
                )


def _read(files_of_parts, size, channels, top):
    """Read the pictures of each part one after another into one array."""
    parts, unreadable = [], []
    for files in files_of_parts.values():
        images = np.empty((len(files), channels, size, size), np.uint8)
        for image, file in zip(images, files, strict=True):
            try:
                image[:] = _picture(file, size, channels)
            except PictureError as error:
                unreadable.append(f"{file.relative_to(top)} ({error})")
            except Exception:  # Pillow raises errors of many classes for damaged files
                unreadable.append(str(file.relative_to(top)))
        parts.append(images)
    if unreadable:
        more = f" and {len(unreadable) - LISTED} more" if len(unreadable) > LISTED else ""
        raise DataError(
            f"{len(unreadable)} of {sum(map(len, parts))} pictures in {top} cannot be read: "
            f"{', '.join(sorted(unreadable)[:LISTED])}{more}; mend or remove them"
        )
    return parts


def _picture(file, size, channels):
    with open_regular(file) as content:
        file_size = os.fstat(content.fileno()).st_size
        return read_picture(content, file_size, size, channels)
