"""Output streams that take every character: one that the encoding lacks is written in ASCII."""

import codecs
import io
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress

__all__ = ["in_ascii", "printable", "printable_output"]

HANDLER = "cinc_ref.ascii"
"""Name under which `codecs` knows the replacement of characters that an encoding lacks."""

SYMBOLS = {
    "±": "+-", "×": "x", "·": "*", "•": "*", "−": "-", "–": "-", "—": "-", "≤": "<=", "≥": ">=",
    "≠": "!=", "≈": "~", "→": "->", "←": "<-", "⇒": "=>", "²": "^2", "³": "^3", "µ": "u",
    "…": "...", "‘": "'", "’": "'", "“": '"', "”": '"', "\u00a0": " ",
}  # fmt: skip
"""Replacements in ASCII of the symbols that help, tables and messages contain."""


@contextmanager
def printable_output() -> Iterator[None]:
    """Let stdout and stderr write in ASCII what their encodings lack, within this block.

    Examples
    --------
    >>> import io, sys
    >>> stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    >>> former, sys.stdout = sys.stdout, stream
    >>> with printable_output():
    ...     print("3×3 ± 1", end="", flush=True)
    >>> sys.stdout = former
    >>> stream.buffer.getvalue()
    b'3x3 +- 1'
    """
    streams = [s for s in (sys.stdout, sys.stderr) if isinstance(s, io.TextIOWrapper)]
    former = [stream.errors for stream in streams]
    for stream in streams:
        stream.reconfigure(errors=HANDLER)
    try:
        yield
    finally:
        for stream, errors in zip(streams, former, strict=True):
            with suppress(OSError, ValueError):  # its reader has gone, or it is closed
                stream.reconfigure(errors=errors)


def printable(text: str, encoding: str) -> str:
    """Return a text as a stream of an encoding writes it.

    Parameters
    ----------
    text, encoding : str

    Returns
    -------
    str

    Examples
    --------
    >>> printable("3×3 ± 1", "latin-1"), printable("3×3 ± 1", "ascii")
    ('3×3 ± 1', '3x3 +- 1')
    """
    return text.encode(encoding, HANDLER).decode(encoding)


def in_ascii(character: str) -> str:
    r"""Return what stands for a character where it cannot be written.

    Letters of names become escapes, so that no two names look alike; a byte of a file name that
    is no text becomes the escape of that byte.

    Parameters
    ----------
    character : str

    Returns
    -------
    str

    Examples
    --------
    >>> [in_ascii(character) for character in "±┼─é中\udcff"]
    ['+-', '+', '-', '\\xe9', '\\u4e2d', '\\xff']
    """
    if character in SYMBOLS:
        return SYMBOLS[character]
    name = unicodedata.name(character, "")
    if name.startswith("BOX DRAWINGS"):
        directions = name.split()[2:]
        sides = {"HORIZONTAL": "-", "VERTICAL": "|"}
        return sides.get(directions[-1], "+") if len(directions) == 2 else "+"
    if name.endswith(" BLOCK") or name.endswith(" SHADE"):
        return "#"
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # how Python holds such a byte (PEP 383)
        return f"\\x{code - 0xDC00:02x}"
    return character.encode("ascii", "backslashreplace").decode("ascii")


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    unwritable = error.object[error.start : error.end]
    return "".join(map(in_ascii, unwritable)), error.end


codecs.register_error(HANDLER, _replace)
