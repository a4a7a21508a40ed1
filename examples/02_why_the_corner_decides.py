"""
Why the corner decides
======================

Can one tell from a kernel alone whether its convolution can be undone?
Yes: a single entry decides, and here is why.
"""

# %%
# Take a kernel of four entries. It reads a pixel (4), its left neighbour (3), the pixel above (2)
# and the one above on the left (1). The convolution matrix is triangular, with the last entry of
# the kernel, the **corner**, all along the diagonal. (The corner is the entry that reads the pixel
# itself, :math:`K_{nn}` in the paper.)
#
# The determinant of a triangular matrix is the product of its diagonal. On 2x3 pixels it is
# :math:`4^6`, computed here by elimination, in integers, without using any of this.
import matplotlib.pyplot as plt
import numpy as np

import cinc_ref as cr
from cinc_ref import theory

size = (2, 3)
kernel = np.array([[[[1, 2], [3, 4]]]])
print(theory.exact_determinant(kernel, size), "=", 4**6)
assert theory.exact_determinant(kernel, size) == 4**6

# %%
# So the convolution is invertible if and only if the corner is not 0, whatever the other entries
# are. And if it is 0? Then no pixel reads the last pixel of the image any more: an image that is 1
# there and 0 elsewhere is mapped to 0, just as the blank image is. Nothing can tell the two apart.
without_corner = np.array([[[[1, 2], [3, 0]]]])
lost = theory.null_image(without_corner, size)
assert lost.any() and not theory.exact_conv(lost, without_corner).any()


def draw_matrix(axes, matrix, title, stair=1, numbers=True):
    """Draw a matrix, its zeros blank, and a staircase along the diagonal in steps of `stair`."""
    values = np.where(matrix, matrix, np.nan).astype(float)
    axes.imshow(values, cmap="cividis_r", vmin=-1, vmax=6)
    for (i, j), entry in np.ndenumerate(matrix):
        if numbers and entry:
            colour = "white" if entry > 2.5 else "black"
            axes.text(j, i, str(entry), ha="center", va="center", color=colour)
    steps = np.repeat(np.arange(0, len(matrix) + 1, stair) - 0.5, 2)
    axes.plot(steps[1:], steps[:-1], color="#c8102e", linewidth=2.5, clip_on=False)
    axes.set(title=title, xlabel="number of the input", ylabel="number of the output")
    axes.set(xticks=[0, len(matrix) - 1], yticks=[0, len(matrix) - 1])


def draw_image(axes, image, title):
    axes.imshow(image, cmap="gray_r", vmin=0, vmax=1)
    for (i, j), value in np.ndenumerate(image):
        axes.text(j, i, str(value), ha="center", va="center", color="white" if value else "black")
    axes.set(title=title, xlabel="column, pixels", ylabel="row, pixels")
    axes.set(xticks=range(image.shape[1]), yticks=range(image.shape[0]))


figure = plt.figure(figsize=(8, 4), layout="constrained")
figure.suptitle("A corner that is 0 empties the diagonal, and an image is lost")
grid = figure.add_gridspec(2, 3, width_ratios=[1.3, 1.3, 1])
draw_matrix(
    figure.add_subplot(grid[:, 0]), cr.convolution_matrix(kernel, size), "corner 4:\ninvertible"
)
draw_matrix(
    figure.add_subplot(grid[:, 1]),
    cr.convolution_matrix(without_corner, size),
    "corner 0:\nthe last column is blank",
)
below = figure.add_subplot(grid[1, 2])
above = figure.add_subplot(grid[0, 2], sharex=below)
draw_image(above, lost[0, 0].astype(int), "the lost image ...")
draw_image(below, theory.exact_conv(lost, without_corner)[0, 0].astype(int), "... becomes this")
above.set_xlabel("")
figure.savefig("why_the_corner_decides.png", dpi=160)

# %%
# **More channels.** Now a pixel is a vector, and the entry that reads the pixel itself is a matrix
# B, the *corner block*. Count the channels of a pixel one after another, then those of the next
# pixel: the matrix is block triangular, all blocks on its diagonal are B, and its determinant is
# :math:`(\det B)^{HW}`. So B decides: the convolution is invertible if and only if
# :math:`\det B \neq 0`. A flow keeps B triangular, so that its determinant is a product of its
# diagonal and its inverse is a substitution.
#
# The order matters. Count all pixels of the first channel, then all of the second, and the same
# matrix is triangular no more, although its determinant is the same.
pair = np.array([[[[1, 2], [3, 4]], [[2, 1], [1, 0]]], [[[1, 1], [2, 2]], [[1, 3], [2, 3]]]])
block = pair[:, :, -1, -1]
pixels_first = cr.convolution_matrix(pair, size)
order = np.arange(12).reshape(6, 2).T.ravel()
channels_first = pixels_first[np.ix_(order, order)]
print("corner block:", block.tolist(), "with determinant", round(np.linalg.det(block)))
assert theory.exact_determinant(pair, size) == round(np.linalg.det(block)) ** 6

figure, axes = plt.subplots(1, 2, figsize=(8, 5), layout="constrained")
figure.suptitle("Two channels: the order of rows and columns makes it triangular, or not")
draw_matrix(axes[0], pixels_first, "pixel by pixel: blocks B on the diagonal,\nnothing above", 2)
draw_matrix(axes[1], channels_first, "channel by channel:\nentries above the diagonal")
figure.savefig("why_the_corner_decides_channels.png", dpi=160)

# %%
# **The padding is what makes it work.** A usual convolution has zeros on all sides of the image
# ("same" padding), reads pixels after its own, and no entry decides. The kernel of nine ones has
# no zero in it, and yet it loses images of 5x5 pixels: its matrix has the rank 16 instead of 25.
# With the zeros at the top and at the left only, the same kernel has the determinant 1.
ones = np.ones((1, 1, 3, 3), int)
centred = theory.Convolution(ones, padding="same")
print("rank of the centred matrix:", centred.rank((5, 5)), "of 25")
print("determinant with zeros at the top and left:", theory.exact_determinant(ones, (5, 5)))
invisible = centred.null_vectors((5, 5))[0]
assert centred.rank((5, 5)) == 16 and theory.exact_determinant(ones, (5, 5)) == 1
assert not (centred.matrix((5, 5)) @ invisible.ravel()).any()

figure, axes = plt.subplots(1, 3, figsize=(8, 3.4), layout="constrained")
figure.suptitle("Nine ones: zeros on two sides, and zeros on all sides")
draw_matrix(
    axes[0],
    cr.convolution_matrix(ones, (5, 5)),
    "top and left:\ntriangular",
    numbers=False,
)
draw_matrix(
    axes[1], centred.matrix((5, 5)), "all sides: entries\nabove the diagonal", numbers=False
)
axes[2].imshow(invisible.reshape(5, 5).astype(int), cmap="cividis", vmin=-1, vmax=1)
for (i, j), value in np.ndenumerate(invisible.reshape(5, 5).astype(int)):
    axes[2].text(
        j, i, str(value), ha="center", va="center", color="white" if value < 0 else "black"
    )
axes[2].set(title="an image that zeros on\nall sides lose", xlabel="column, pixels")
axes[2].set(ylabel="row, pixels", xticks=range(5), yticks=range(5))
figure.savefig("why_the_corner_decides_padding.png", dpi=160)

# %%
# The check: none of this depended on the numbers above. Two hundred random kernels of small
# integers, of one to three channels, some with a singular B: the determinant, by elimination on
# the whole matrix, is always the power of that of B.
rng = np.random.default_rng(0)
singular = 0
for _ in range(200):
    channels, height, width = rng.integers(1, 4, 3)
    random = rng.integers(-2, 3, (channels, channels, *rng.integers(1, 4, 2)))
    power = round(np.linalg.det(random[:, :, -1, -1])) ** int(height * width)
    assert theory.exact_determinant(random, (height, width)) == power
    assert theory.is_invertible(random) == (power != 0)
    singular += power == 0
print(f"200 kernels, {singular} of them singular: the corner block decided every time")
