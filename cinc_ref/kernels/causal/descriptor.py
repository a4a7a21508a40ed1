"""Descriptor of a sweep: all that the compiled loops need to know, in one array of integers.

It begins with the number of parts of the batch; a `Part` for each of them follows, then the tables
that they point to. One array instead of many halves the time to compile, and makes a call cheaper.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from cinc_ref._typing import IntegerArray

__all__ = ["PART_FIELDS", "Part", "encode"]


class Part(NamedTuple):
    """Tiles of the same kind; names of tables stand for the place where the table begins.

    Attributes
    ----------
    channels, padded_channels : int
        C, and C rounded up to whole register blocks.
    image_stride, pixel_stride : int
        Strides of the images.
    weights_per_channel : int
        Weights of one output channel: all taps, the corner block last, times padded channels.
    packed_length : int
        Numbers that the packed kernel takes in working memory.
    mode : int
        The mode of the transfer of images (`transfer`).
    nontemporal : int
        Whether results are stored past the caches; only where the sweep itself writes them.
    fully_written : int
        Whether all working memory is written before it is read, so that it need not be cleared.
    images_per_tile : int
        Images that are transferred for a tile.
    tile_count, tiles_in_group : int
        Tiles, and how many of them are swept in turn, strip by strip.
    first_images : table, shape (tiles,)
        First image of each tile.
    memory_length, channel_stride : int
        Numbers of working memory that a tile takes, and between two channels of a pixel.
    pixel_offsets, scratch_offsets : table, shape (H * W,)
        As in `Schedule`.
    strip_count : int
    strips, steps : table
        As in `Schedule`.
    run_count : int
        Runs of taps that lie side by side.
    run_offsets, run_weights, run_bounds : table
        As in `Schedule`.
    """

    channels: int
    padded_channels: int
    image_stride: int
    pixel_stride: int
    weights_per_channel: int
    packed_length: int
    mode: int
    nontemporal: int
    fully_written: int
    images_per_tile: int
    tile_count: int
    tiles_in_group: int
    first_images: int
    memory_length: int
    channel_stride: int
    pixel_offsets: int
    scratch_offsets: int
    strip_count: int
    strips: int
    steps: int
    run_count: int
    run_offsets: int
    run_weights: int
    run_bounds: int


PART_FIELDS = len(Part._fields)


def encode(parts: Sequence[Mapping[str, Any]]) -> IntegerArray:
    """Encode the fields of some parts, tables given as arrays, as one array of intp."""
    tables, place = [], 1 + PART_FIELDS * len(parts)
    encoded = [[len(parts)]]
    for part in parts:
        fields = dict(part)
        for name, value in part.items():
            if isinstance(value, np.ndarray):
                fields[name] = place
                tables.append(value.ravel())
                place += value.size
        encoded.append(Part(**fields))
    return np.concatenate([*encoded, *tables]).astype(np.intp)
