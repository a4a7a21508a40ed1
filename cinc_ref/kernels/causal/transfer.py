"""Transfer of images between their own memory and the working memory of the sweep.

In working memory the numbers of a SIMD vector lie side by side: those of one channel and pixel in
several images. Batch-first images, whose pixels lie side by side, are transposed in registers on
the way.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from cinc_ref._typing import FloatArray, IntegerArray
from cinc_ref.kernels._jit import block, inlined, internal

__all__ = [
    "BATCH_FIRST",
    "BATCH_LAST",
    "IN_PLACE",
    "SCALAR",
    "Transfer",
    "memory_strides",
    "square_side",
    "transfer",
]

SCALAR, BATCH_FIRST, BATCH_LAST, IN_PLACE = range(4)
"""Modes of a transfer: number by number; in square blocks from batch-first or batch-last memory;
or none, because the sweep itself reads and writes the images."""


def square_side(images: int, vector: int) -> int:
    """Return the side of the squares in which so many images are transferred; 0 if they are few."""
    return next((side for side in (vector, vector // 2, vector // 4) if 0 < side <= images), 0)


def memory_strides(shape: Sequence[int], batch_first: bool) -> tuple[int, int, int]:
    """Return the strides of images, channels and pixels of (N, C, H, W) images, in numbers."""
    count, channels, height, width = shape
    pixels = height * width
    return (channels * pixels, pixels, 1) if batch_first else (1, pixels * count, count)


class Transfer(NamedTuple):
    """A transfer of some pixels of some images, in integers.

    Attributes
    ----------
    inward : int
        1 from the images to working memory, 0 back.
    mode : int
        `SCALAR`, `BATCH_FIRST` or `BATCH_LAST`.
    first_image, images : int
        Images that lie side by side in working memory.
    image_stride, pixel_stride : int
        Strides of the images.
    channel_offsets, channels : int
        Where the table of channel offsets begins, and how many channels are transferred.
    first_pixel, last_pixel, pixel_offsets : int
        Pixels, and where the table of their places in working memory begins.
    memory, channel_stride : int
        Where working memory begins, and from one channel of a pixel to the next in it.
    """

    inward: int
    mode: int
    first_image: int
    images: int
    image_stride: int
    pixel_stride: int
    channel_offsets: int
    channels: int
    first_pixel: int
    last_pixel: int
    pixel_offsets: int
    memory: int
    channel_stride: int


@internal
def transfer(images: FloatArray, work: FloatArray, tables: IntegerArray, task: Transfer) -> None:
    """Carry out a `Transfer`."""
    for c in range(task.channels):
        place = task.first_image * task.image_stride + tables[task.channel_offsets + c]
        memory = task.memory + c * task.channel_stride
        if task.mode == SCALAR:
            _transfer_scalars(images, work, tables, task, place, memory)
        elif task.images >= block.side(images, 1):
            _transfer_squares(images, work, tables, task, place, memory, 1)
        elif task.images >= block.side(images, 2):
            _transfer_squares(images, work, tables, task, place, memory, 2)
        else:
            _transfer_squares(images, work, tables, task, place, memory, 4)


@inlined
def _transfer_squares(images, work, tables, task, place, memory, part):
    """Transfer a channel in squares of so many pixels of so many images; the last ones overlap."""
    batch_first = task.mode == BATCH_FIRST
    stride = task.image_stride if batch_first else task.pixel_stride
    side = block.side(images, part)
    last_pixel, last_image = task.last_pixel - side, task.images - side
    for pixel in range(task.first_pixel, task.last_pixel, side):
        p = pixel if pixel < last_pixel else last_pixel
        for image in range(0, task.images, side):
            n = image if image < last_image else last_image
            outer, inner = place + n * task.image_stride + p * task.pixel_stride, memory + n
            if task.inward:
                square = block.load_square(images, outer, stride, part)
                if batch_first:
                    square = block.transpose(square)
                block.scatter(work, inner, tables, task.pixel_offsets + p, square)
            else:
                square = block.gather_square(work, inner, tables, task.pixel_offsets + p, part)
                if batch_first:
                    square = block.transpose(square)
                block.store(images, outer, stride, square)


@inlined
def _transfer_scalars(images, work, tables, task, place, memory):
    """Transfer a channel number by number; unsigned indices need no look for negative ones."""
    for n in range(task.images):
        for p in range(task.first_pixel, task.last_pixel):
            outer = np.uintp(place + n * task.image_stride + p * task.pixel_stride)
            inner = np.uintp(memory + n + tables[np.uintp(task.pixel_offsets + p)])
            if task.inward:
                work[inner] = images[outer]
            else:
                images[outer] = work[inner]
