"""Which convolutions can be undone, and how can one tell from the kernel alone?

Run me with ``python examples/theorem.py``; I leave ``theorem.png``.
"""

# %% One channel, by hand. The kernel reads a pixel (4), the one on its left (3), the one above (2)
# and the one above on the left (1). The image is padded with zeros at the top and at the left only.
import numpy as np
from matplotlib.figure import Figure

import cinc_ref as cr
from cinc_ref import theory

kernel = np.array([[[[1, 2], [3, 4]]]])
size = (2, 3)
matrix = cr.convolution_matrix(kernel, size)  # pixel (i, j) is row and column 3 i + j
print(matrix)

# No pixel reads a later one, so the matrix is lower triangular; every pixel reads itself through
# the same tap, so the diagonal is 4, 4, 4, 4, 4, 4. Its determinant must be 4^6.
assert not np.triu(matrix, 1).any()
assert theory.exact_determinant(kernel, size) == 4**6

# %% So K_nn alone decides, whatever the other taps are. Undoing is substitution: pixel after pixel,
# take away what the earlier pixels gave and divide by K_nn. In fractions nothing is rounded.
x = np.array([[[[5, 0, 1], [2, 7, 3]]]])
y = theory.exact_conv(x, kernel)
assert (theory.exact_inverse(y, kernel) == x).all()

# %% Two channels: now the tap that reads the pixel itself is a 2x2 matrix B, the corner block.
# With the pixels outermost the matrix is block triangular, all its diagonal blocks are B.
pair = np.array([[[[1, 2], [3, 1]], [[2, 1], [1, 0]]], [[[1, 1], [2, 2]], [[1, 3], [2, 3]]]])
block = pair[:, :, -1, -1]
pixels_first = cr.convolution_matrix(pair, size)
assert theory.exact_determinant(pair, size) == round(np.linalg.det(block)) ** 6 == 3**6

# With the channels outermost the same matrix, its rows and columns in another order, is triangular
# no more: where a matrix is shown, the order must be said.
order = np.arange(12).reshape(6, 2).T.ravel()
channels_first = pixels_first[np.ix_(order, order)]
assert np.triu(channels_first, 1).any()

# %% And if B is singular? Take B = [[1, 2], [2, 4]], which maps v = (-2, 1) to 0. Only B reads the
# last pixel, so the image that is v there and 0 elsewhere is lost.
singular = pair.copy()
singular[:, :, -1, -1] = [[1, 2], [2, 4]]
lost = theory.null_image(singular, size)
print("lost:", lost[0].tolist())
assert lost.any() and not theory.exact_conv(lost, singular).any()
assert not theory.is_invertible(singular)

# %% The padding is what makes it work: with zeros on all sides ("same"), the kernel of nine ones is
# singular on 5x5 images although no entry is 0. Padded our way it is not.
ones = np.ones((1, 1, 3, 3), int)
centred = theory.padded_matrix(ones, (5, 5), "same")
print("rank of the centred matrix:", np.linalg.matrix_rank(centred), "of 25")
assert np.linalg.matrix_rank(centred) == 16
assert theory.exact_determinant(ones, (5, 5)) == 1

# %% The picture: the three matrices, and the one that padding on all sides makes singular.
# The red staircase goes along the diagonal: a matrix is triangular if nothing is above it.
figure = Figure(figsize=(13, 4.6), dpi=160, layout="constrained")
figure.suptitle("Matrices of convolutions; blank entries are 0", fontsize=13)
panels = {  # title: the matrix, the pitch of its grid, the height of a stair
    "one channel: triangular,\nK_nn on the diagonal": (matrix, 1, 1),
    "two channels, pixels first:\nblock triangular, B on the diagonal": (pixels_first, 2, 2),
    "the same, channels first:\nnot triangular": (channels_first, 6, 1),
    "3x3 ones, zeros on all sides:\nnot triangular, rank 16 of 25": (centred, 5, 1),
}
for axes, (title, (entries, step, stair)) in zip(
    figure.subplots(1, 4), panels.items(), strict=True
):
    axes.imshow(np.where(entries, entries, np.nan), cmap="YlGnBu", vmin=-1, vmax=4)
    for (row, column), entry in np.ndenumerate(entries if len(entries) <= 12 else entries[:0]):
        if entry:
            colour = "white" if entry > 2 else "black"
            axes.text(column, row, entry, ha="center", va="center", fontsize=9, color=colour)
    for line in np.arange(step, len(entries), step) - 0.5:
        axes.axhline(line, color="#d9d9d9", linewidth=0.6)
        axes.axvline(line, color="#d9d9d9", linewidth=0.6)
    corners = np.arange(0, len(entries) + 1, stair) - 0.5
    axes.plot(np.repeat(corners, 2)[1:], np.repeat(corners, 2)[:-1], color="#c8102e", linewidth=2)
    axes.set_title(title, fontsize=11)
    axes.set_xlabel("number of the input entry", fontsize=10)
    axes.set_ylabel("number of the output entry", fontsize=10)
    axes.set_xticks([0, len(entries) - 1])
    axes.set_yticks([0, len(entries) - 1])
figure.savefig("theorem.png")

# %% The check: none of this depended on our choice of numbers.
for evidence in theory.verify()[:7]:
    print(f"{evidence.name}: {evidence.verdict} in {evidence.cases} cases")
    assert evidence.verdict in ("holds", "skipped")
print("wrote theorem.png: in which of the four is something above the red staircase?")
