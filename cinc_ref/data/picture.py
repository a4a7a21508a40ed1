"""One picture of the disk as 8-bit levels: which formats are read, and what each mode becomes."""

from contextlib import suppress
from math import isfinite
from typing import Any

import numpy as np

from cinc_ref._reading import CHUNK
from cinc_ref._typing import Array
from cinc_ref.errors import CincError

__all__ = ["ENDINGS", "FORMATS", "PictureError", "read_picture"]

FORMATS: dict[str, tuple[str, ...]] = {
    "AVIF": (".avif", ".avifs"),
    "BMP": (".bmp",),
    "DDS": (".dds",),
    "DIB": (".dib",),
    "GIF": (".gif",),
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),
    "PCX": (".pcx",),
    "PNG": (".png", ".apng"),
    "PPM": (".pbm", ".pgm", ".ppm", ".pnm", ".pfm"),
    "PSD": (".psd",),
    "QOI": (".qoi",),
    "SGI": (".sgi", ".rgb", ".rgba", ".bw"),
    "SUN": (".ras",),
    "TGA": (".tga", ".icb", ".vda", ".vst"),
    "TIFF": (".tif", ".tiff"),
    "WEBP": (".webp",),
}
"""Raster formats that Pillow decodes by itself, with their endings.

Pillow also knows formats that it hands to another program (.eps to Ghostscript), only writes (.pdf)
or merely recognizes (.h5, .mpg); none of these is read. Icons (.ico) and JPEG 2000 (.jp2) are not
either: pictures in icons may be larger than they say, and a file of 150 bytes can make the decoder
of JPEG 2000 take 1,600 bytes a pixel.
"""

ENDINGS: frozenset[str] = frozenset(ending for endings in FORMATS.values() for ending in endings)
"""Endings of files that are pictures, in lower case."""

MAX_PIXELS = 2**26
"""Largest number of pixels of a picture, 64 megapixels: it is decoded whole, 4 bytes a pixel."""

FREE_PIXELS, PIXELS_PER_BYTE = 2**22, 256
"""A picture above 4 megapixels has at most so many pixels per byte of its file.

Photographs have 1 to 20; a file of 20 kB that unpacks to 169 megapixels has 8,450.
"""

JPEG, SCAN = b"\xff\xd8", b"\xff\xda"
"""First bytes of a JPEG, and of each of its scans."""

MAX_SCANS = 200
"""Largest number of scans of a JPEG; progressive ones have about 10."""

BACKGROUND = 255
"""Grey level, white, on which pictures with transparency are laid."""

EIGHT_BIT_MODES = {
    "1": "L",
    "L": "L",
    "P": "RGB",
    "RGB": "RGB",
    "RGBX": "RGB",
    "CMYK": "RGB",
    "YCbCr": "RGB",
    "LAB": "RGB",
    "HSV": "RGB",
}
"""Modes without transparency, with that into which Pillow converts them, rounding at most."""

ALPHA_MODES = {"LA": "RGBA", "La": "LA", "PA": "RGBA", "RGBa": "RGBA", "RGBA": "RGBA"}
"""Modes with transparency, with the next on the way to RGBA."""

SIXTEEN_BIT_MODES = ("I;16", "I;16L", "I;16B", "I;16N")
"""Modes of grey levels from 0 to 65,535."""

SIXTEEN_BIT_FORMATS = ("PNG", "PPM")
"""Formats whose wide grey levels have 16 bits, also where Pillow says 32 (mode I)."""

BAND = 2**18
"""Number of pixels that are scaled at a time."""

BITS_PER_SAMPLE, PHOTOMETRIC, SMALLEST, LARGEST = 258, 262, 340, 341
"""Tags of TIFF: bits of a level, whether 0 is white (0) or black (1), range of the levels."""


class PictureError(CincError):
    """A picture is whole, but is not read; the message says why, without the file's name."""


def read_picture(file: Any, file_size: int, size: int, channels: int) -> Array:
    """Read a picture, turn it upright, cut its middle square and scale it.

    The first frame of several is read. The orientation in the EXIF data is applied. Transparent
    parts are laid on white. Grey levels of 16 bits are divided by 256; those of 32 bits and of
    floats are scaled from the range that a TIFF file declares.

    Parameters
    ----------
    file : binary file
    file_size : int
        Size of the file in bytes.
    size : int
        Height and width of the result.
    channels : {1, 3}

    Returns
    -------
    ndarray of uint8, shape (channels, size, size)

    Raises
    ------
    PictureError
        If it has too many pixels, or a mode whose range of levels is unknown.
    Exception
        Whatever Pillow raises for damaged files.
    """
    from PIL import Image, ImageOps

    _check_scans(file)
    Image.init()
    known = [name for name in FORMATS if name in Image.OPEN]  # older Pillows know fewer
    mode = "L" if channels == 1 else "RGB"
    try:
        with Image.open(file, formats=known) as picture:
            _check_pixels(*picture.size, file_size)
            picture.load()
            if picture.format != "TIFF":  # which Pillow turns when it loads them
                _turn_upright(picture)
            levels = _eight_bits(picture)
            levels = levels if levels.mode == mode else levels.convert(mode)
            fitted = ImageOps.fit(levels, (size, size), Image.Resampling.LANCZOS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise PictureError(f"more than {MAX_PIXELS:,} pixels: scale it down") from error
    return np.asarray(fitted).reshape(size, size, channels).transpose(2, 0, 1)


def _check_scans(file):
    """Refuse a JPEG of very many scans: each goes over all pixels, and needs only a few bytes."""
    scans = 0
    if file.read(len(JPEG)) == JPEG:
        while piece := file.read(CHUNK):
            scans += piece.count(SCAN)
    file.seek(0)
    if scans > MAX_SCANS:
        raise PictureError(f"{scans:,} scans, more than {MAX_SCANS}")


def _check_pixels(width, height, file_size):
    pixels = width * height
    if pixels > MAX_PIXELS:
        raise PictureError(f"{width}x{height} pixels, more than {MAX_PIXELS:,}: scale it down")
    if pixels > max(FREE_PIXELS, PIXELS_PER_BYTE * file_size):
        raise PictureError(f"{width}x{height} pixels in a file of {file_size:,} bytes")


def _turn_upright(picture):
    from PIL import ImageOps

    with suppress(Exception):  # EXIF data are often damaged in pictures that are whole
        ImageOps.exif_transpose(picture, in_place=True)


def _eight_bits(picture):
    """Convert a picture to the mode L or RGB."""
    if picture.mode in SIXTEEN_BIT_MODES or picture.mode in ("I", "F"):
        return _from_wide_grey(picture)
    transparent = picture.mode in ALPHA_MODES or "transparency" in picture.info
    if transparent and (picture.mode in ALPHA_MODES or picture.mode in ("1", "L", "P", "RGB")):
        return _on_background(picture)
    if picture.mode not in EIGHT_BIT_MODES:
        raise PictureError(f"mode {picture.mode}, which is unknown")
    mode = EIGHT_BIT_MODES[picture.mode]
    return picture if picture.mode == mode else picture.convert(mode)


def _on_background(picture):
    from PIL import Image

    while picture.mode != "RGBA":
        picture = picture.convert(ALPHA_MODES.get(picture.mode, "RGBA"))
    background = Image.new("RGBA", picture.size, (BACKGROUND,) * 3 + (255,))
    background.alpha_composite(picture)
    return background.convert("RGB")


def _from_wide_grey(picture):
    """Convert grey levels of 16 or 32 bits, or floats, to 8 bits: mode L."""
    from PIL import Image

    levels, tags = np.asarray(picture), getattr(picture, "tag_v2", {})
    lowest, width = _range(picture, tags)
    grey = np.empty(levels.shape, np.uint8)
    rows = max(1, BAND // levels.shape[1])
    for start in range(0, len(levels), rows):
        band = slice(start, start + rows)
        scaled = np.clip((levels[band].astype(np.float64) - lowest) / width * 256, 0, 255)
        if np.isnan(scaled).any():
            raise PictureError(f"mode {picture.mode}, and levels that are no numbers")
        grey[band] = scaled  # rounded towards 0: a level of 16 bits // 256
    if tags.get(PHOTOMETRIC) == 0:
        np.subtract(255, grey, out=grey)
    transparent = picture.info.get("transparency")
    if isinstance(transparent, int):
        grey[levels == transparent] = BACKGROUND
    return Image.fromarray(grey)


def _range(picture, tags):
    """Return the lowest level of a picture with wide levels, and the width of their range."""
    if SMALLEST in tags and LARGEST in tags:
        smallest, largest = (float(np.ravel(tags[tag])[0]) for tag in (SMALLEST, LARGEST))
        if isfinite(largest - smallest) and smallest < largest:
            return smallest, largest - smallest
    if picture.mode in SIXTEEN_BIT_MODES:
        return 0, 2 ** (tags.get(BITS_PER_SAMPLE) or (16,))[0]
    if picture.mode == "I" and picture.format in SIXTEEN_BIT_FORMATS:
        return 0, 2**16
    raise PictureError(
        f"mode {picture.mode}, whose range of levels is unknown: convert it to 8 or 16 bits"
    )
