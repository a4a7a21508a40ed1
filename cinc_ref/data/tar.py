"""Tar archives, read strictly from a stream: plain files one after another."""

import re
from collections.abc import Iterator

from cinc_ref._reading import CHUNK, Budget, Stream, read_exactly

__all__ = ["members", "skip"]

BLOCK = 512
"""Size in bytes of a header, and of the unit to which contents are padded."""

MAX_MEMBERS = 10_000
"""Largest number of headers that are read."""

MAX_EXTENSION = 2**16
"""Largest size of an extension header (a long name) in bytes; it is passed over."""

FILES, EXTENSIONS = b"0\0", b"LKxgVN"
"""Kinds of members: plain files, and headers that extend the next or all of them."""

NAME, SIZE, CHECKSUM, KIND = slice(0, 100), slice(124, 136), slice(148, 156), 156
"""Fields of a header."""

OCTAL = re.compile(rb"[ \0]*([0-7]{1,12})[ \0]*")
"""A number in a header; those of 8 GiB and more are written otherwise, and refused."""


def members(stream: Stream, budget: Budget) -> Iterator[tuple[str, int]]:
    """Yield name and size of each plain file; the caller then reads exactly its bytes.

    Parameters
    ----------
    stream : Stream
        The bytes of the archive, unpacked.
    budget : Budget

    Raises
    ------
    ValueError, EOFError
        If it is no tar archive, is damaged, or claims to be larger than the budget.
    """
    for _ in range(MAX_MEMBERS):
        header = bytearray(BLOCK)
        read_exactly(stream, header, budget)
        if not any(header):
            return
        size = _number(header, SIZE)
        if _number(header, CHECKSUM) != sum(header) - sum(header[CHECKSUM]) + 8 * ord(" "):
            raise ValueError("a header of the archive is damaged")
        budget.check(size)
        kind = header[KIND]
        if kind in EXTENSIONS and size > MAX_EXTENSION:
            raise ValueError(f"a name in the archive claims to have {size:,} bytes")
        if kind in FILES:
            yield bytes(header[NAME]).split(b"\0")[0].decode("utf-8", "replace"), size
        else:
            skip(stream, size, budget)
        skip(stream, -size % BLOCK, budget)
    raise ValueError(f"the archive has more than {MAX_MEMBERS:,} members")


def skip(stream: Stream, count: int, budget: Budget) -> None:
    """Read bytes to nowhere."""
    while count:
        piece = bytearray(min(count, CHUNK))
        read_exactly(stream, piece, budget)
        count -= len(piece)


def _number(header, field):
    digits = OCTAL.fullmatch(bytes(header[field]))
    if not digits:
        raise ValueError("a header of the archive is damaged, or declares 8 GiB or more")
    return int(digits[1], 8)
