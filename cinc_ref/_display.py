"""Display of objects: a short repr for lists and logs, and HTML for notebooks."""

import base64
import dataclasses
import html
import io
import reprlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from cinc_ref._typing import Array

__all__ = ["MAX_CHARACTERS", "fields_html", "images_html", "repr_of", "short_repr", "table_html"]

MAX_CHARACTERS = 500
"""Longest repr of an object of this package, in characters: six lines of a terminal."""

VALUE_CHARACTERS = (160, 80, 40, 20, 10)
"""Longest value in a repr, in characters, from which the first is taken that makes it fit."""


class _Values(reprlib.Repr):
    """The repr of values, of which long ones are cut and arrays shown by dtype and shape."""

    def __init__(self, characters):
        super().__init__()
        self.maxlevel = 3
        self.maxother = self.maxstring = self.maxlong = characters

    def repr_ndarray(self, array, level):
        if array.ndim == 0 or (array.ndim == 1 and array.size <= 4):
            return self.repr1(array.tolist(), level)
        return f"<{array.dtype} array of shape {array.shape}>"


def short_repr(self: Any) -> str:
    """Return the repr of a dataclass or named tuple, with long fields cut.

    A class takes it as its ``__repr__``.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> import numpy as np
    >>> @dataclass
    ... class Pair:
    ...     images: np.ndarray
    ...     name: str
    ...     __repr__ = short_repr
    >>> Pair(np.zeros((2, 3)), "zeros")
    Pair(images=<float64 array of shape (2, 3)>, name='zeros')
    """
    return repr_of(type(self).__name__, {name: getattr(self, name) for name in _fields(self)})


def repr_of(name: str, values: dict[str, object]) -> str:
    """Return ``name(key=value, ...)`` in at most `MAX_CHARACTERS`.

    Examples
    --------
    >>> repr_of("Pair", {"first": 1, "second": range(10)})
    'Pair(first=1, second=range(0, 10))'
    """
    for characters in VALUE_CHARACTERS:
        shown = _Values(characters)
        text = f"{name}({', '.join(f'{key}={shown.repr(v)}' for key, v in values.items())})"
        if len(text) <= MAX_CHARACTERS:
            return text
    return f"{text[: MAX_CHARACTERS - 4]}...)"


def _fields(value):
    if dataclasses.is_dataclass(value):
        return [field.name for field in dataclasses.fields(value) if field.repr]
    return value._fields


def fields_html(self: Any) -> str:
    """Return an HTML table of the fields of a dataclass or named tuple.

    A class takes it as its ``_repr_html_``.
    """
    shown = _Values(VALUE_CHARACTERS[0])
    values = ((name, getattr(self, name)) for name in _fields(self))
    rows = [(name, v if isinstance(v, str) else shown.repr(v)) for name, v in values]
    return table_html((type(self).__name__, ""), rows)


def table_html(
    header: Sequence[str], rows: Iterable[Sequence[object]], caption: str | None = None
) -> str:
    """Return an HTML table; all texts are escaped, numbers are aligned to the right.

    Examples
    --------
    >>> table_html(["step", "loss"], [[1, "< 2"]])
    '<table><thead><tr><th>step</th><th>loss</th></tr></thead><tbody><tr><td style="text-align: \
right">1</td><td style="text-align: left">&lt; 2</td></tr></tbody></table>'
    """
    title = f"<caption>{html.escape(caption)}</caption>" if caption else ""
    head = "".join(f"<th>{html.escape(str(name))}</th>" for name in header)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return f"<table>{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(value):
    is_number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    text = f"{value:.4g}" if isinstance(value, float | np.floating) else str(value)
    side = "right" if is_number else "left"
    return f'<td style="text-align: {side}">{html.escape(text)}</td>'


def images_html(images: Array, bins: int, dark: bool, height: int = 64) -> str:
    """Return a row of images as inline PNG; nothing where Pillow is not installed.

    Parameters
    ----------
    images : ndarray of integers, shape (N, C, H, W)
        Levels 0 to bins - 1; C is 1 or 3, of others the first channel is shown.
    bins : int
    dark : bool
        Whether high levels are dark.
    height : int
        Height of the row in pixels.
    """
    try:
        from PIL import Image
    except ImportError:
        return ""
    levels = np.asarray(images[:, : 3 if images.shape[1] == 3 else 1], np.int64)
    pixels = (levels * 255 // (bins - 1)).astype(np.uint8)
    pixels = 255 - pixels if dark else pixels
    bordered = np.pad(pixels, ((0, 0), (0, 0), (0, 0), (0, 1)), constant_values=200)
    row = np.concatenate(list(bordered.transpose(0, 2, 3, 1)), axis=1)
    buffer = io.BytesIO()
    Image.fromarray(row.squeeze(-1) if row.shape[-1] == 1 else row).save(buffer, "PNG")
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    style = f"height: {height}px; image-rendering: pixelated"
    return f'<img style="{style}" src="data:image/png;base64,{data}" alt="images">'
