"""
Undo it pixel by pixel
======================

How is such a convolution undone, can pixels be done at the same time, and is anything lost?
"""

# %%
# Take a handwritten digit, grey levels 0 to 16, and a kernel whose corner, at the bottom right,
# is 1. The convolved digit cannot be recognized.
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.animation import FuncAnimation

import cinc_ref as cr
from cinc_ref.data import digits

digit = digits()[4, 0, :, 1:7].astype(float)  # its outer columns are blank
kernel = np.array([[2.0, -3.0, 1.0], [-1.0, 2.0, -3.0], [1.0, -3.0, 1.0]])
convolved = cr.conv(digit[None, None], kernel[None, None])[0, 0]

# %%
# The first pixel of the result has read nothing but the first pixel of the digit, times the corner
# :math:`K_{nn}`: divide, and it is known. The second has read the first and itself: take away what
# the first gave, and divide. So it goes on, row by row, because every pixel reads itself and pixels
# before it, which are known by then:
#
# .. math:: x_{ij} = (y_{ij} - \text{what the pixels before it gave}) \, / \, K_{nn}
#
# This is all of it. It is the substitution by which one solves a triangular system by hand.


def substitute(y, kernel):
    """Undo a convolution with one channel, and record what each pixel was computed from."""
    height, width = kernel.shape
    x = np.zeros((y.shape[0] + height - 1, y.shape[1] + width - 1))  # zeros at the top and left
    earlier = np.empty(y.shape)
    for i, j in np.ndindex(y.shape):
        window = x[i : i + height, j : j + width]  # its last pixel, not known yet, is 0
        earlier[i, j] = (kernel * window).sum()
        window[-1, -1] = (y[i, j] - earlier[i, j]) / kernel[-1, -1]
    return x[height - 1 :, width - 1 :], earlier


restored, earlier = substitute(convolved, kernel)

# %%
# In the animation the frame on the right is the kernel: the pixels in it are known, but for the one
# that is being computed. What is not known yet is hatched.
figure, (left, right) = plt.subplots(1, 2, figsize=(8, 4.4), layout="constrained")
figure.suptitle("One pixel after another: the convolved digit becomes the digit")
drawn = left.imshow(convolved, cmap="cividis")
figure.colorbar(drawn, ax=left, label="grey levels", shrink=0.8)
left.set(title="convolved: y", xlabel="column j, pixels", ylabel="row i, pixels")
right.patch.set(hatch="///", facecolor="#ffffff", edgecolor="#bbbbbb")
known = right.imshow(np.full(digit.shape, np.nan), cmap="gray_r", vmin=0, vmax=16)
figure.colorbar(known, ax=right, label="grey levels", shrink=0.8)
right.set(title="restored so far: x", xlabel="column j, pixels", ylabel="row i, pixels")
marks = {"fill": False, "linewidth": 3, "edgecolor": "#c8102e"}
here = left.add_patch(plt.Rectangle((0, 0), 1, 1, **marks))
there = right.add_patch(plt.Rectangle((0, 0), 1, 1, **marks))
window = right.add_patch(
    plt.Rectangle((0, 0), 3, 3, fill=False, linewidth=2, linestyle="--", edgecolor="#c8102e")
)
words = figure.supxlabel(" ")
figure.draw_without_rendering()  # lay it out once, not in every frame
figure.set_layout_engine("none")


def draw(number):
    """Draw the moment at which this pixel has just been computed."""
    i, j = divmod(number, 6)
    shown = np.full(48, np.nan)
    shown[: number + 1] = restored.ravel()[: number + 1]
    known.set_data(shown.reshape(8, 6))
    for mark in (here, there):
        mark.set_xy((j - 0.5, i - 0.5))
    window.set_xy((j - 2.5, i - 2.5))
    words.set_text(
        f"x[{i}, {j}]  =  (y[{i}, {j}] - earlier) / K_nn  =  "
        f"({convolved[i, j]:.0f} - ({earlier[i, j]:.0f})) / 1  =  {restored[i, j]:.0f}"
    )


animation = FuncAnimation(figure, draw, frames=48, interval=250)
animation.save("undo_it_pixel_by_pixel.gif", writer="pillow", dpi=80)

# %%
# **Must it be one after another?** A pixel waits only for those that it reads. So number the steps:
# a pixel is computed one step after the last of the pixels that it needs. All pixels with one
# number lie on a diagonal and can be computed at the same time: a *wavefront* crosses the image in
# H + W - 1 steps instead of H·W. A kernel that also reads to the right of the pixel above, as
# autoregressive convolutions do, makes the wave steeper and needs more steps.


def steps(offsets, size):
    """Number the steps, given the rows and columns from a pixel to those that it reads."""
    step = np.zeros(size, int)
    for i, j in np.ndindex(size):
        read = [(i + a, j + b) for a, b in offsets if i + a >= 0 and 0 <= j + b < size[1]]
        step[i, j] = 1 + max((step[pixel] for pixel in read), default=0)
    return step


quadrant = [(a, b) for a in (-2, -1, 0) for b in (-2, -1, 0) if (a, b) != (0, 0)]
half_plane = [(-1, -1), (-1, 0), (-1, 1), (0, -1)]
waves = {"the 3x3 kernel": steps(quadrant, (8, 6)), "a half-plane": steps(half_plane, (8, 6))}

figure, axes = plt.subplots(1, 2, figsize=(8, 4.8), layout="constrained")
figure.suptitle("The step at which each pixel can be computed: equal numbers, same time")
for panel, (name, step) in zip(axes, waves.items(), strict=True):
    panel.imshow(step, cmap="cividis", vmax=20)
    for (i, j), number in np.ndenumerate(step):
        colour = "white" if number < 12 else "black"
        panel.text(j, i, str(number), ha="center", va="center", color=colour)
    panel.set(title=f"{name}: {step.max()} steps for 48 pixels")
    panel.set(xlabel="column j, pixels", ylabel="row i, pixels")
figure.savefig("undo_it_pixel_by_pixel_wavefront.png", dpi=160)

# %%
# **Is anything lost?** One would expect so. The condition number of this convolution's matrix says
# that nine of the sixteen digits of a number may be lost, and a general solver does lose many.
# Substitution loses nothing here: every number on its way is an integer, so nothing is rounded.
matrix = cr.convolution_matrix(kernel[None, None], (8, 6))
solved = np.linalg.solve(matrix, convolved.ravel()).reshape(8, 6)
inverted = cr.conv_inverse(convolved[None, None], kernel[None, None])[0, 0]
print(f"condition number of the 48 x 48 matrix: {np.linalg.cond(matrix):.1e}")
print(f"largest error of numpy.linalg.solve:    {np.abs(solved - digit).max():.1e} grey levels")
print(f"largest error of conv_inverse:          {np.abs(inverted - digit).max():.1e} grey levels")

figure, axes = plt.subplots(1, 2, figsize=(8, 4.5), layout="constrained", sharey=True)
figure.suptitle("A general solver rounds; substitution in integers is exact")
errors = {
    "error of numpy.linalg.solve": np.abs(solved - digit),
    "error of conv_inverse: exactly 0": np.abs(inverted - digit),
}
for panel, (name, error) in zip(axes, errors.items(), strict=True):
    drawn = panel.imshow(
        1e9 * error, cmap="gray_r", vmin=0, vmax=1e9 * np.abs(solved - digit).max()
    )
    panel.set(title=name, xlabel="column j, pixels")
axes[0].set_ylabel("row i, pixels")
figure.colorbar(drawn, ax=axes, label="|error|, billionths of a grey level")
figure.savefig("undo_it_pixel_by_pixel_error.png", dpi=160)

# %%
# The checks: the eight lines above and the library give the digit bit for bit, as does solving
# one wave after another; and the volume is preserved, for the determinant is :math:`1^{48}`.
padded = np.zeros((10, 8))
for step in range(1, 14):  # the pixels of a wave in reverse order: they do not need one another
    for i, j in reversed(np.argwhere(waves["the 3x3 kernel"] == step)):
        gave = (kernel * padded[i : i + 3, j : j + 3]).sum()
        padded[i + 2, j + 2] = convolved[i, j] - gave
assert np.array_equal(restored, digit)
assert np.array_equal(inverted, digit)
assert np.array_equal(padded[2:, 2:], digit)
assert np.abs(solved - digit).max() > 0
assert cr.log_abs_det(kernel[None, None], (8, 6)) == 0
assert [step.max() for step in waves.values()] == [8 + 6 - 1, 2 * 7 + 6]
print("the digit came back bit for bit, in 48 steps and in 13")
