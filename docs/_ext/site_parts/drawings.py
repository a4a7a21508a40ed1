"""Drawings that explain the convolution and how the kernels compute it."""

from site_parts.svg import Drawing

__all__ = ["convolution_and_matrix", "memory_order", "packing", "row_ring", "tiles", "wavefront"]

SHADES = {(0, 0): 0.18, (0, 1): 0.34, (1, 0): 0.5}
"""Opacity of the taps of a 2x2 kernel other than the anchor, from 0 to 1."""


def _cell(drawing, x, y, side, tap, *, words=""):
    """Draw a square in the colour of a tap; the anchor is red, the other taps are blue."""
    if tap == (1, 1):
        drawing.rect(x, y, side, side, fill="red")
    else:
        drawing.rect(x, y, side, side, fill="blue", opacity=SHADES[tap])
    if words:
        colour = "on-red" if tap == (1, 1) else "ink"
        drawing.text(x + side / 2, y + side / 2 + 4.5, words, anchor="middle", colour=colour)


def convolution_and_matrix() -> Drawing:
    """Draw a 2x2 kernel on a 4x4 image, and the matrix of this convolution."""
    drawing = Drawing(
        420,
        262,
        "A causal convolution is a triangular matrix",
        "Left, an image of four by four pixels: a pixel reads itself and three pixels before it. "
        "Right, the matrix, sixteen by sixteen: nothing above the diagonal, and on the diagonal "
        "always the tap that reads the pixel itself.",
    )
    taps = [(a, b) for a in range(2) for b in range(2)]
    side, left, top = 36, 10, 70
    drawing.text(82, 24, "a pixel reads itself", anchor="middle", size=14, bold=True)
    drawing.text(82, 42, "and pixels before it", anchor="middle", size=14, bold=True)
    for number in range(16):
        i, j = divmod(number, 4)
        drawing.rect(left + j * side, top + i * side, side, side)
        if not (i in (1, 2) and j in (1, 2)):
            drawing.text(
                left + (j + 0.5) * side, top + (i + 0.5) * side + 4.5, str(number),
                anchor="middle", colour="muted",
            )  # fmt: skip
    for a, b in taps:
        _cell(drawing, left + (1 + b) * side, top + (1 + a) * side, side, (a, b),
              words=f"K{a + 1}{b + 1}")  # fmt: skip
    drawing.text(82, 236, "image, 4×4 pixels", anchor="middle", colour="muted")
    drawing.arrow((166, 142), (200, 142))
    _matrix(drawing, taps, 214, 52)
    drawing.text(310, 24, "so its matrix is triangular,", anchor="middle", size=14, bold=True)
    drawing.text(310, 42, "with K22 on the diagonal", anchor="middle", size=14, bold=True)
    drawing.text(306, 254, "det M = K22 to the power 16", anchor="middle", size=12, colour="muted")
    return drawing


def _matrix(drawing, taps, left, top):
    """Draw the matrix of a 2x2 kernel on 4x4 pixels, every entry in the colour of its tap."""
    side = 11.5
    drawing.rect(left, top, 16 * side, 16 * side)
    for row in range(16):
        i, j = divmod(row, 4)
        for a, b in taps:
            u, v = i - (1 - a), j - (1 - b)
            if u >= 0 and v >= 0:
                _cell(drawing, left + (4 * u + v) * side, top + row * side, side, (a, b))


def memory_order() -> Drawing:
    """Draw four images of three pixels in memory, image by image and pixel by pixel."""
    drawing = Drawing(
        470,
        205,
        "Two orders of the same numbers in memory",
        "In NCHW order all pixels of an image are neighbours. In batch-last order the same pixel "
        "of all images: they fill a vector and are computed together.",
    )
    side, left = 34, 30
    rows = (
        ("NCHW: image after image", 46, [(n, p) for n in range(4) for p in range(3)]),
        ("batch-last: pixel after pixel", 132, [(n, p) for p in range(3) for n in range(4)]),
    )
    for title, y, cells in rows:
        drawing.text(left, y - 10, title, bold=True)
        for place, (image, pixel) in enumerate(cells):
            first = pixel == 0
            drawing.rect(
                left + place * side, y, side, side, fill="red" if first else "blue",
                opacity=1 if first else 0.15 + 0.2 * (pixel - 1),
            )  # fmt: skip
            drawing.text(
                left + (place + 0.5) * side, y + 22, f"{'abc'[pixel]}{image + 1}",
                anchor="middle", colour="on-red" if first else "ink",
            )  # fmt: skip
    drawing.line((left, 176), (left + 4 * side, 176), colour="red", width=3)
    drawing.text(left, 194, "one vector: pixel a of images 1 to 4, a lane each", colour="red")
    return drawing


def tiles() -> Drawing:
    """Draw a batch of a hundred images, cut into tiles of sixteen lanes."""
    drawing = Drawing(
        470,
        130,
        "A batch cut into tiles",
        "A hundred images become six tiles of sixteen images and a rest of four. Every image is a "
        "lane of a vector.",
    )
    left, width = 15, 62
    drawing.text(left, 22, "100 images in float32, 16 lanes in a vector of 64 bytes", bold=True)
    for tile in range(6):
        x = left + tile * width
        drawing.rect(x, 36, width - 6, 40, fill="blue", opacity=0.3)
        for lane in range(1, 16):
            drawing.line((x + lane * 3.5, 36), (x + lane * 3.5, 76), colour="line")
        drawing.text(x + (width - 6) / 2, 94, f"{16 * tile}–{16 * tile + 15}", anchor="middle")
    x = left + 6 * width
    drawing.rect(x, 36, width - 6, 40)
    drawing.rect(x, 36, 14, 40, fill="yellow", opacity=0.45)
    drawing.text(x + 28, 94, "96–99", anchor="middle")
    drawing.text(
        left, 118, "a tile is swept alone: its images wait for no other tile", colour="muted"
    )
    return drawing


def row_ring() -> Drawing:
    """Draw the image rows that working memory holds while a tile is swept."""
    drawing = Drawing(
        470,
        250,
        "The ring of rows in working memory",
        "The sweep goes down the image. Working memory holds the rows of the current strip and "
        "the two rows above it that a kernel of three rows reads; older rows are overwritten.",
    )
    left, top, width, height = 30, 46, 190, 18
    drawing.text(left, 26, "rows of a tile, 3×3 kernel", bold=True)
    kinds = ["old"] * 4 + ["read"] * 2 + ["strip"] * 2 + ["later"] * 2
    words = {
        "old": "finished: stored in the result",
        "read": "finished, still read from above",
        "strip": "strip: solved now",
        "later": "later",
    }
    for row, kind in enumerate(kinds):
        fill, opacity = {
            "old": ("", 1),
            "read": ("blue", 0.4),
            "strip": ("red", 1),
            "later": ("", 1),
        }[kind]
        drawing.rect(left, top + row * height, width, height, fill=fill, opacity=opacity)
        if row == 0 or kinds[row - 1] != kind:
            drawing.text(left + width + 14, top + row * height + 14, words[kind],
                         colour="muted" if kind in ("old", "later") else "ink")  # fmt: skip
    y = top + 4 * height
    drawing.line((left - 10, y), (left - 10, y + 4 * height), colour="red", width=3)
    drawing.text(left - 12, top + 10 * height + 22, "working memory holds the rows at the bar only",
                 colour="red")  # fmt: skip
    return drawing


def wavefront() -> Drawing:
    """Draw the pixels of an image in the order in which a wavefront solves them."""
    drawing = Drawing(
        470,
        240,
        "A wavefront of pixels",
        "Pixels of one anti-diagonal read pixels of earlier anti-diagonals only, so all of them "
        "can be solved at once. The numbers are the steps.",
    )
    left, top, side = 30, 42, 34
    drawing.text(left, 24, "steps of one image, 2×2 kernel", bold=True)
    for i in range(5):
        for j in range(6):
            t = i + j
            x, y = left + j * side, top + i * side
            if t == 5:
                drawing.rect(x, y, side, side, fill="red")
            elif t < 5:
                drawing.rect(x, y, side, side, fill="blue", opacity=0.4)
            else:
                drawing.rect(x, y, side, side)
            colour = "on-red" if t == 5 else "ink" if t < 5 else "muted"
            drawing.text(x + side / 2, y + 22, str(t), anchor="middle", colour=colour)
    notes = (
        ("blue", "solved"),
        ("red", "one vector, solved at once"),
        ("", "waiting"),
    )
    for row, (fill, words) in enumerate(notes):
        y = top + 14 + 34 * row
        drawing.rect(256, y, 20, 20, fill=fill, opacity=0.4 if fill == "blue" else 1)
        drawing.text(286, y + 15, words)
    drawing.text(256, top + 132, "5 + 6 - 1 = 10 steps", colour="muted")
    drawing.text(256, top + 150, "in the place of 30", colour="muted")
    return drawing


def packing() -> Drawing:
    """Draw a kernel of two channels and its weights in the order in which the sweep reads them."""
    drawing = Drawing(
        470,
        214,
        "Packing of a kernel",
        "The weights of one tap and one input channel for all output channels of a register block "
        "become neighbours. The corner block comes last, as a triangle with reciprocals of its "
        "diagonal.",
    )
    side, left = 30, 30
    drawing.text(left, 24, "kernel: output channel o, input channel c, taps", bold=True)
    for o in range(2):
        for c in range(2):
            for a in range(2):
                for b in range(2):
                    x, y = left + o * 160 + c * 72 + b * side, 36 + a * side
                    _cell(drawing, x, y, side, (a, b), words=f"{'abcd'[2 * a + b]}{o}{c}")
    drawing.text(left, 130, "packed: tap after tap, all outputs of a tap together", bold=True)
    place = 0
    for a, b in ((0, 0), (0, 1), (1, 0), (1, 1)):
        for c in range(2):
            for o in range(2):
                x = left + place * 25.5
                words = f"{'abcd'[2 * a + b]}{o}{c}"
                if (a, b, o, c) == (1, 1, 0, 1):
                    drawing.rect(x, 142, 25.5, 30)
                    drawing.text(x + 12.7, 162, "0", anchor="middle", colour="muted")
                else:
                    drawing.rect(x, 142, 25.5, 30, fill="red" if (a, b) == (1, 1) else "blue",
                                 opacity=SHADES.get((a, b), 1))  # fmt: skip
                    drawing.text(x + 12.7, 162, words, anchor="middle", size=11,
                                 colour="on-red" if (a, b) == (1, 1) else "ink")  # fmt: skip
                place += 1
    drawing.text(
        left, 194, "the sweep reads them once, from left to right, at every pixel", colour="muted"
    )
    return drawing
