"""What the compiled `loops` are told: integers, a `Layout` and row by row the tables that it names.

They come as one array, and the tables are read by place in it: an array for each of them would take
twice as long to compile, and a tenth of a microsecond longer at each call.
"""

from typing import NamedTuple

import numpy as np


class Layout(NamedTuple):
    """The integers before the tables of one part of a batch.

    Attributes
    ----------
    packs : int
        Whether this call is the one that packs the kernel.
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
    keeps : int
        Whether results stay in memory, for the next part to write.
    beside : int
        Images whose results the part before keeps; this one, which walks directly, writes each
        pixel's beside that of its last tile, while the cache line is at hand.
    length, scratch, stride : int
        As in the `Plan`.
    tap_count, tile_count, strip_count, run_count : int
        How many `taps`, `starts`, `strips` and runs of taps there are.
    after : int
        Where the `Layout` of the next part is, 0 for the last one.
    stride_before, places_before : int
        `stride` and `places` of the part before.
    taps : int
        Where this table begins: of a flat kernel of one input and one output channel the taps that
        are read, ascending, the anchor last.
    starts, homes, places, strips, stretches, walk, offsets, terms, inside : int
        Where these begin: the first image of each tile, and the tables of the `Plan`.
    """

    packs: int
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
    keeps: int
    beside: int
    length: int
    scratch: int
    stride: int
    tap_count: int
    tile_count: int
    strip_count: int
    run_count: int
    after: int
    stride_before: int
    places_before: int
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


def laid_out(taps, planned, **common):
    """Layouts, each with its tables behind it, of parts of a batch: (`Part`, `Plan`, options)."""
    rows, at, before = [], 0, {"stride": 0, "places": 0}
    for k, (part, plan, options) in enumerate(planned):
        tables = {"taps": np.array(taps), "starts": part.starts, **plan._asdict()}
        sizes = {name: tables.pop(name) for name in ("length", "scratch", "stride")}
        lengths = [LAYOUT, *(table.size for table in tables.values())]
        *places, at = at + np.cumsum(lengths)
        layout = Layout(
            **common, **options, **sizes, **dict(zip(tables, places, strict=True)),
            tap_count=len(taps), tile_count=len(part.starts), strip_count=len(plan.strips),
            run_count=plan.offsets.shape[1], after=at if k + 1 < len(planned) else 0,
            stride_before=before["stride"], places_before=before["places"],
        )  # fmt: skip
        rows += [layout, *map(np.ravel, tables.values())]
        before = layout._asdict()
    return np.concatenate(rows).astype(np.intp)
