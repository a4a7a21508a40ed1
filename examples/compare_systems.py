"""What do the invertible convolutions of the paper's comparison read, and what do they learn?

Run me with ``python examples/compare_systems.py``; I leave ``compare_systems.png``, the paper's
figure of the autoregressive, the Emerging and the CInC convolution, drawn by the layers themselves.
"""

# %% The layers, as a flow has them. Each is one or two causal convolutions: a padded corner, a
# kernel, and the tap that reads the pixel itself, the anchor.
import colorsys

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

import cinc_ref as cr
from cinc_ref.bijections import EmergingConv, InvertibleConv
from cinc_ref.flows.cost import cost
from cinc_ref.theory import parameter_counts

layers = {
    "Autoregressive": InvertibleConv((2, 3), anchor=(1, 1)),
    "Emerging": EmergingConv(3),
    "CInC": InvertibleConv(3),
}

# %% What they learn: the free numbers in these kernels, for n channels. A step of a flow may hold
# more: Emerging has a 1x1 convolution before its two, with n^2 numbers that are counted there.
size, channels = (5, 5), 12
formulas = {row["system"].lower(): row["formula"] for row in parameter_counts(channels)}


def count_in_a_step(system):
    """Count what all convolutions of one step of a flow learn, for 12 channels."""
    flow = cr.flows.build(system, "affine", (3, 2, 2), levels=1, depth=1, width=4)
    params = flow.init(np.random.default_rng(0), np.zeros((1, 3, 2, 2)))
    return cost(flow, params).convolution_parameters


# %% One channel, all taps 1 (and the triangular corner exp(0) = 1): a picture of what is read.


def convolutions(layer):
    return layer.layers if isinstance(layer, EmergingConv) else (layer,)


def kernel_of_ones(convolution):
    params = convolution.init(np.random.default_rng(0), np.zeros((1, 1, *size)))
    return convolution.kernel({**params, "taps": np.ones_like(params["taps"])})


def matrix_of(layer):
    """The matrix of the layer: its convolutions' matrices multiplied, the first one rightmost."""
    product = np.eye(size[0] * size[1])
    for convolution in convolutions(layer):
        kernel, options = kernel_of_ones(convolution), convolution.geometry._asdict()
        product = cr.convolution_matrix(kernel, size, **options) @ product
    return product


# %% One colour for each place that a pixel can read, relative to itself: a hue a row, a shade a
# column, and red for the pixel itself. Kernel, field and matrix use the same.
INK, LINE, GROUND, PADDING = "#222222", "#c9c9c9", "#ffffff", "#ececec"
HUES = {-2: 0.60, -1: 0.47, 0: 0.11, 1: 0.80}


def colour(rows, columns):
    if (rows, columns) == (0, 0):
        return "#c8102e"
    shade = (columns + 2) / 3.4
    return colorsys.hsv_to_rgb(HUES[rows], 0.30 + 0.45 * shade, 0.96 - 0.20 * shade)


def cell(axes, row, column, face, **style):
    style = {"edgecolor": LINE, "linewidth": 0.8} | style
    axes.add_patch(Rectangle((column, row), 1, 1, facecolor=face, **style))


def write(axes, row, column, text, **style):
    style = {"ha": "center", "va": "center", "color": INK, "fontsize": 9} | style
    axes.text(column, row, text, **style)


def displacement(convolution, a, b):
    """Where tap (a, b) reads, in rows and columns from the output pixel; the corner turns it."""
    rows, columns = a - convolution.anchor[0], b - convolution.anchor[1]
    down, right = (-1 if side in convolution.corner else 1 for side in ("bottom", "right"))
    return down * rows, right * columns


# %% Column 1: kernels. Dotted cells are masked: they are no parameters.
def draw_kernels(axes, layer):
    places = convolutions(layer)
    for k, convolution in enumerate(places):
        left = 4.2 * k + (0 if len(places) > 1 else 2.1)
        middle = 2 if convolution.kernel_size == (3, 3) else 1
        for i, j in np.ndindex(3, 3):
            cell(axes, i, left + j, "#fafafa", linestyle=":")
        for tap, value in np.ndenumerate(kernel_of_ones(convolution)[0, 0]):
            rows, columns = displacement(convolution, *tap)
            if value:
                framed = {"edgecolor": INK, "linewidth": 1.6, "zorder": 3}
                style = {} if rows or columns else framed
                face = colour(rows, columns)
                cell(axes, middle + rows, left + middle + columns, face, **style)
        if len(places) > 1:
            write(axes, 3.5, left + 1.5, ("first", "then")[k], fontsize=10)
    axes.set_xlim(-0.2, 7.4)
    axes.set_ylim(3.9, -0.9)


# %% Column 2: the image, and where zeros are put around it.
def draw_padding(axes, layer):
    height, width = size
    for convolution in convolutions(layer):
        rows, columns = zip(
            *(displacement(convolution, *tap) for tap in np.ndindex(*convolution.kernel_size)),
            strict=True,
        )
        if len(set(rows)) < 2:
            continue
        top, bottom, left, right = -min(rows), max(rows), -min(columns), max(columns)
        for i in range(-top, height + bottom):
            for j in range(-left, width + right):
                if not (0 <= i < height and 0 <= j < width):
                    cell(axes, i, j, PADDING, edgecolor="#d8d8d8")
                    write(axes, i + 0.5, j + 0.5, "0", color="#9a9a9a", fontsize=8)
    for i, j in np.ndindex(*size):
        cell(axes, i, j, GROUND)
    axes.add_patch(Rectangle((0, 0), width, height, fill=False, edgecolor=INK, linewidth=1.2))
    axes.set_xlim(-2.3, width + 1.3)
    axes.set_ylim(height + 1.3, -2.3)


# %% Column 3: all that the middle pixel reads, from its row of the matrix.
def draw_field(axes, layer):
    height, width = size
    i, j = height // 2, width // 2
    read = matrix_of(layer)[i * width + j].reshape(size) != 0
    for (row, column), reads in np.ndenumerate(read):
        cell(axes, row, column, colour(row - i, column - j) if reads else GROUND)
    axes.add_patch(Rectangle((j, i), 1, 1, fill=False, edgecolor=INK, linewidth=1.6))
    axes.set_xlim(-0.3, width + 0.3)
    axes.set_ylim(height + 0.3, -0.3)
    return int(read.sum())


# %% Column 4: the matrix, a row and a column a pixel, pixels one after another. Below the diagonal
# stand earlier pixels. A matrix that is triangular can be undone by substitution; that of Emerging
# is a product of an upper and a lower triangular one, and is undone in two substitutions.
def draw_matrix(axes, layer):
    matrix, (height, width) = matrix_of(layer), size
    for row, column in np.argwhere(matrix):
        offset = np.subtract(np.divmod(column, width), np.divmod(row, width))
        cell(axes, row, column, colour(*offset.tolist()), linewidth=0)
    for line in np.arange(0, height * width + 1, width):
        axes.axhline(line, color=LINE, linewidth=0.6)
        axes.axvline(line, color=LINE, linewidth=0.6)
    axes.set_xlim(-0.1, height * width + 0.1)
    axes.set_ylim(height * width + 0.1, -0.1)


# %% The picture.
figure = Figure(figsize=(13.5, 9.8), dpi=160, facecolor="white")
figure.suptitle("What three invertible convolutions read and learn", fontsize=17, y=0.985)
columns = {  # heading: (left, width)
    "kernels, one channel": (0.185, 0.235),
    "padding": (0.435, 0.175),
    "what one pixel reads": (0.625, 0.15),
    "matrix, pixel after pixel": (0.8, 0.185),
}
drawings = (draw_kernels, draw_padding, draw_field, draw_matrix)
for heading, (left, width) in columns.items():
    figure.text(left + width / 2, 0.925, heading, ha="center", fontsize=13, color=INK)
fields = {}
for k, (name, layer) in enumerate(layers.items()):
    bottom, height = 0.64 - 0.285 * k, 0.265
    for draw, (left, width) in zip(drawings, columns.values(), strict=True):
        axes = figure.add_axes([left, bottom, width, height])
        axes.set_aspect("equal")
        axes.set_axis_off()
        found = draw(axes, layer)
        fields[name] = fields.get(name) or found
    count, middle = layer.count_parameters(channels), bottom + height / 2
    in_a_step = count_in_a_step(name.lower())
    rule = f"{formulas[name.lower()]} parameters,\n{count:,} for n = {channels} channels"
    if in_a_step > count:
        rule += f"\n(a flow's step adds a 1x1\nconvolution: n² more, {in_a_step:,})"
    figure.text(0.015, middle + 0.03, name, fontsize=17, weight="bold", color=INK)
    figure.text(0.015, middle + 0.015, rule, fontsize=11, va="top", linespacing=1.5, color=INK)
    print(
        f"{name}: reads {fields[name]} pixels; for {channels} channels {count:,} parameters in the "
        f"kernels drawn, {in_a_step:,} in all convolutions of a flow's step"
    )
caption = (
    "One colour, one place relative to the pixel that is computed, which is framed: the anchor, "
    "whose block decides whether the convolution is invertible.\nParameters are counted in the "
    "kernels that are drawn, without zeros above the diagonal of the anchor's block."
)
figure.text(0.5, 0.012, caption, ha="center", fontsize=12, color="#555555")
figure.savefig("compare_systems.png")

# %% The checks. CInC and Emerging both read nine pixels, CInC with one convolution; all matrices
# have determinant 1 here, as every anchor is 1; only that of Emerging is not triangular.
assert fields == {"Autoregressive": 5, "Emerging": 9, "CInC": 9}
for name, layer in layers.items():
    matrix = matrix_of(layer)
    assert round(np.linalg.det(matrix)) == 1
    assert np.triu(matrix, 1).any() == (name == "Emerging")
assert [layer.count_parameters(channels) for layer in layers.values()] == [654, 1020, 1230]
assert [count_in_a_step(name.lower()) for name in layers] == [654, 1020 + channels**2, 1230]
print("wrote compare_systems.png: whose matrix is not triangular, and why can it be undone?")
