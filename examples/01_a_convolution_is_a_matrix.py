"""
A convolution is a matrix
=========================

What does a matrix have to do with a convolution, and where in it is the kernel?
This is the figure of the paper, drawn from the numbers.
"""

# %%
# A kernel slides over an image. In the convolution of this paper the image gets zeros at the top
# and at the left only, so that a pixel reads **itself**, through the last entry of the kernel, and
# pixels **before** it: above, or in its row on its left.
#
# To see which entry goes where, let the kernel hold the numbers of its entries. ``x`` is an image
# of 4x4 pixels, and kernels have the shape (output channels, input channels, height, width).
import matplotlib.pyplot as plt
import numpy as np

import cinc_ref as cr
from cinc_ref.data import digits

kernel = np.arange(1, 10).reshape(1, 1, 3, 3)
size = (4, 4)
x = np.random.default_rng(0).integers(0, 10, (1, 1, *size)).astype(float)

# %%
# Every output pixel is a sum of input pixels, each times an entry of the kernel. So all output
# pixels together are a matrix times all input pixels. Its rows and columns are the pixels, one
# after another, as one reads a page: pixel (i, j) has the number 4 i + j.
matrix = cr.convolution_matrix(kernel, size)
print(matrix)

# %%
# The picture follows one output pixel, (2, 1), which has the number 9. On the left it is framed in
# the padded image, with all that the kernel covers; on the right its row of the matrix is framed.
# Every entry of the matrix is an entry of the kernel, and has its number and its shade.
pixel = (2, 1)
number = pixel[0] * size[1] + pixel[1]


def draw_entries(axes, entries, fontsize):
    """Draw a table of entry numbers, 0 as a blank cell, in shades that the numbers name."""
    rows, columns = entries.shape
    axes.pcolormesh(
        np.where(entries, entries, np.nan), cmap="cividis", vmin=1, vmax=9, edgecolors="#cccccc"
    )
    for (i, j), entry in np.ndenumerate(entries):
        if entry:
            text = f"{(entry - 1) // 3 + 1}{(entry - 1) % 3 + 1}"
            colour = "white" if entry < 5 else "black"
            axes.text(j + 0.5, i + 0.5, text, ha="center", va="center", color=colour, size=fontsize)
    axes.set(xlim=(0, columns), ylim=(rows, 0), aspect="equal", xticks=[], yticks=[])


def frame(axes, row, column, height, width, **style):
    style = {"fill": False, "edgecolor": "black", "linewidth": 3} | style
    axes.add_patch(plt.Rectangle((column, row), width, height, clip_on=False, zorder=3, **style))


figure = plt.figure(figsize=(8, 5.2), layout="constrained")
figure.suptitle("One output pixel is one row of the matrix")
grid = figure.add_gridspec(2, 2, width_ratios=[1, 2.1], height_ratios=[1, 1.5])
draw_entries(small := figure.add_subplot(grid[0, 0]), kernel[0, 0], 12)
small.set_title("the kernel: row and\ncolumn of every entry")
draw_entries(image := figure.add_subplot(grid[1, 0]), np.zeros((6, 6), int), 9)
for i, j in np.ndindex(6, 6):
    if min(i, j) < 2:
        image.text(
            j + 0.5, i + 0.5, "0", ha="center", va="center", color="#777777", size=9, zorder=0
        )
for (a, b), entry in np.ndenumerate(kernel[0, 0]):
    i, j = pixel[0] + a, pixel[1] + b
    image.add_patch(
        plt.Rectangle((j, i), 1, 1, facecolor=plt.cm.cividis((entry - 1) / 8), zorder=2)
    )
frame(image, 2, 2, 4, 4, linewidth=1.5)
frame(image, pixel[0] + 2, pixel[1] + 2, 1, 1, edgecolor="#c8102e")
image.set_title("the image with its zeros,\nand the kernel on it")
image.set(xlabel="column j, pixels", ylabel="row i, pixels")
image.set_xticks(np.arange(2, 6) + 0.5, range(4))
image.set_yticks(np.arange(2, 6) + 0.5, range(4))
draw_entries(large := figure.add_subplot(grid[:, 1]), matrix, 9)
frame(large, number, 0, 1, 16)
frame(large, number, number, 1, 1, edgecolor="#c8102e")
large.set_title("the matrix: blank entries are 0")
large.set(xlabel="number of the input pixel, 4 i + j", ylabel="number of the output pixel, 4 i + j")
large.set_xticks(np.arange(16) + 0.5, range(16), size=8)
large.set_yticks(np.arange(16) + 0.5, range(16), size=8)
figure.savefig("a_convolution_is_a_matrix.png", dpi=160)

# %%
# Two things can be seen, and the next example makes a theorem of them. Nothing stands above the
# diagonal, because no pixel reads a later one. And along the whole diagonal stands one entry of
# the kernel, 33, because every pixel reads itself through it.
#
# The same for a handwritten digit, with all its 64 pixels: an image is made a column of numbers,
# the matrix multiplies it, and the result is folded into an image again.
digit = digits()[:1].astype(float)
weights = np.array([[[[0.0, 0.5, -1.0], [0.5, -0.5, -0.5], [-1.0, -0.5, 1.0]]]])
large_matrix = cr.convolution_matrix(weights, (8, 8))
product = (large_matrix @ digit.ravel()).reshape(8, 8)

figure, (left, middle, right) = plt.subplots(
    1, 3, figsize=(8, 3.4), layout="constrained", width_ratios=[1.1, 1, 1]
)
figure.suptitle("The matrix of all 64 pixels, times a digit, is the convolved digit")
drawn = left.imshow(np.where(large_matrix, large_matrix, np.nan), cmap="cividis")
left.set(title="the matrix", xlabel="number of the input pixel", ylabel="number of output pixel")
left.set(xticks=range(0, 64, 16), yticks=range(0, 64, 16))
figure.colorbar(drawn, ax=left, location="bottom", label="entry, a factor; blank: 0")
for axes, values, title in ((middle, digit[0, 0], "the digit"), (right, product, "the product")):
    drawn = axes.imshow(values, cmap="gray_r")
    axes.set(title=title, xlabel="column j, pixels", ylabel="row i, pixels")
    figure.colorbar(drawn, ax=axes, location="bottom", label="grey levels")
figure.savefig("a_convolution_is_a_matrix_digit.png", dpi=160)

# %%
# The check: the matrix does what the convolution does, nothing is above its diagonal, and its
# diagonal holds the last entry of the kernel.
assert np.array_equal((matrix @ x.ravel()).reshape(x.shape), cr.conv(x, kernel.astype(float)))
assert np.array_equal(product, cr.conv(digit, weights)[0, 0])
assert not np.triu(matrix, 1).any()
assert (np.diag(matrix) == kernel[0, 0, 2, 2]).all()
print("the matrix times the pixels equals the convolution, in both images")
