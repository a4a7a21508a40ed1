"""What the compiled `loops` are told: integers, a `Layout` and row by row the tables that it names.

They come as one array, and the tables are read by place in it: an array for each of them would take
twice as long to compile, and a tenth of a microsecond longer at each call.
"""

from typing import NamedTuple

import numpy as np


class Layout(NamedTuple):
    """The integers before the tables.

    Attributes
    ----------
    channels, slots : int
        C, and how many channels the blocks of a pixel hold.
    solving : int
        1 if the kernel is to be inverted.
    exchanged : int
        1 if its input channels are taken as output channels, and the other way round.
    image_stride, channel_stride, pixel_stride : int
        Of the images.
    together, mode : int
        How many images of a tile are copied, and how.
    group : int
        Tiles that are walked side by side.
    past_caches : int
        Whether results that are written on the walk, of one triangle at most, go past the caches.
    filled : int
        Whether all working memory is copied or walked to before it is read.
    length, scratch, stride : int
        As in the `Plan`.
    tap_count, tile_count, strip_count, run_count : int
        How many `taps`, `starts`, `strips` and runs of taps there are.
    taps : int
        Where this table begins: of a flat kernel of one input and one output channel the taps that
        are read, ascending, the anchor last.
    starts, homes, places, strips, stretches, walk, offsets, terms, inside : int
        Where these begin: the first image of each tile, and the tables of the `Plan`.
    """

    channels: int
    slots: int
    solving: int
    exchanged: int
    image_stride: int
    channel_stride: int
    pixel_stride: int
    together: int
    mode: int
    group: int
    past_caches: int
    filled: int
    length: int
    scratch: int
    stride: int
    tap_count: int
    tile_count: int
    strip_count: int
    run_count: int
    taps: int
    starts: int
    homes: int
    places: int
    strips: int
    stretches: int
    walk: int
    offsets: int
    terms: int
    inside: int


LAYOUT = len(Layout._fields)


def laid_out(taps, starts, plan, **options):
    """The `Layout` and its tables, one after the other."""
    tables = {"taps": np.array(taps), "starts": starts, **plan._asdict()}
    sizes = {name: tables.pop(name) for name in ("length", "scratch", "stride")}
    counts = {
        "tap_count": len(taps),
        "tile_count": len(starts),
        "strip_count": len(plan.strips),
        "run_count": plan.offsets.shape[1],
    }
    ends = LAYOUT + np.cumsum([table.size for table in tables.values()])
    begins = {name: end - tables[name].size for name, end in zip(tables, ends, strict=True)}
    layout = Layout(**options, **sizes, **counts, **begins)
    return np.concatenate([layout, *map(np.ravel, tables.values())]).astype(np.intp)
