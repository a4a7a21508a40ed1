"""
A conjecture refuted
====================

With circular padding, does one entry of the kernel decide whether a convolution can be undone?
"""

# %%
# With the padding of the paper one entry decides: the corner must not be 0. Circular padding, where
# the image goes on at its other side, suggests a similar conjecture: the entry in the centre of the
# kernel, through which a pixel reads itself, must not be 0. One writes it down as a function that
# says whether it holds for a convolution.
import matplotlib.pyplot as plt
import numpy as np

from cinc_ref import theory


def a_centre_that_is_not_0_is_enough(convolution, size):
    """Hold if the centre is 0 or the determinant, computed exactly, is not."""
    centre = convolution.kernel[(0, 0, *convolution.anchor)]
    return centre == 0 or convolution.determinant(size) != 0


# %%
# The computer looks for a counterexample, and then for the smallest one: fewer pixels, fewer
# entries, smaller numbers. It takes a second.
circular = {"padding": "circular", "kernel_size": 3, "size": (2, 3, 4)}
refutation = theory.refute(a_centre_that_is_not_0_is_enough, circular)
print(refutation)

# %%
# The kernel is 1 in its centre and in one other place: each pixel is added to a neighbour. So an
# image that alternates between 1 and -1 from each pixel to this neighbour is lost.
(convolution,), size = refutation.convolutions, refutation.size
(lost, *_) = convolution.null_vectors(size)
becomes = (convolution.matrix(size) @ lost.ravel()).reshape(size)

figure, axes = plt.subplots(1, 3, figsize=(8, 3.4), layout="constrained")
figure.suptitle("The smallest counterexample: an image that a kernel with centre 1 loses")
for panel, (title, values) in zip(
    axes,
    {
        "the kernel": convolution.kernel[0, 0],
        "the image ...": lost[0],
        "... becomes": becomes,
    }.items(),
    strict=True,
):
    values = values.astype(int)
    panel.imshow(values, cmap="cividis", vmin=-1, vmax=1)
    for (i, j), value in np.ndenumerate(values):
        colour = "white" if value < 0 else "black"
        panel.text(j, i, str(value), ha="center", va="center", color=colour, size=12)
    panel.set(title=title, xlabel="column, pixels", ylabel="row, pixels")
    panel.set(xticks=range(values.shape[1]), yticks=range(values.shape[0]))
figure.savefig("a_conjecture_refuted.png", dpi=160)

# %%
# **Why?** A circular convolution does nothing to a plane wave but multiply it by a number P. There
# is one P for each frequency; they are the eigenvalues of the matrix, and the determinant is their
# product. If a single one is 0, that wave is lost.
#
# So the conjecture has to be corrected: the centre must *outweigh* all other entries together. Then
# at every frequency :math:`|P| \ge |\text{centre}| - \sum |\text{others}| > 0`, which is already
# the proof. The search finds nothing.


def a_centre_that_outweighs_the_others_is_enough(convolution, size):
    """Hold if the centre is not larger than the others together, or the determinant is not 0."""
    centre = abs(convolution.kernel[(0, 0, *convolution.anchor)])
    others = np.abs(convolution.kernel).sum() - centre
    return centre <= others or convolution.determinant(size) != 0


corrected = theory.refute(
    a_centre_that_outweighs_the_others_is_enough, circular | {"entries": (0, 1, -1, 4)}
)
print(corrected)

kernels = {
    "the counterexample": convolution.kernel,
    "centre 5, others 4 together": np.array([[[[0, 1, 0], [1, 5, 1], [0, 1, 0]]]]),
    "all ones": np.ones((1, 1, 3, 3), int),
}
figure, axes = plt.subplots(1, 3, figsize=(8, 4.2), sharey=True, layout="constrained")
figure.suptitle("The factors of all waves in 24x24 pixels: black waves are lost")
for panel, (title, kernel) in zip(axes, kernels.items(), strict=True):
    waves = theory.Convolution(kernel, padding="circular").fourier_blocks((24, 24))[..., 0, 0]
    magnitude = np.fft.fftshift(np.abs(waves))
    image = panel.imshow(magnitude, cmap="magma", vmin=0, vmax=5, extent=(-12.5, 11.5, 11.5, -12.5))
    smallest = 0 if magnitude.min() < 1e-12 else magnitude.min()  # up to rounding
    panel.set_title(f"{title}:\nsmallest |P| = {smallest:.2g}", fontsize=10)
    panel.set(xlabel="waves across the image", xticks=[-12, -6, 0, 6], yticks=[-12, -6, 0, 6])
axes[0].set_ylabel("waves down the image")
figure.colorbar(image, ax=axes, location="bottom", shrink=0.6, label="|P|, a factor", extend="max")
figure.savefig("a_conjecture_refuted_waves.png", dpi=160)

# %%
# The checks: the conjecture is false, its counterexample does lose the image, the corrected one
# was not refuted, and the determinant is the product of the factors P for random kernels with two
# channels, where P is a 2x2 matrix.
assert refutation.is_false and not corrected.is_false
assert lost.any() and not becomes.any()
assert np.abs(convolution.fourier_blocks(size)).min() < 1e-12
rng = np.random.default_rng(0)
for _ in range(20):
    kernel = rng.integers(-3, 4, (2, 2, 3, 3))
    random = theory.Convolution(kernel, padding="circular")
    product = np.prod(np.linalg.det(random.fourier_blocks((3, 4))))
    assert np.isclose(
        product, random.determinant((3, 4)), rtol=1e-9, atol=1e-6 * np.abs(kernel).sum() ** 2
    )
print("the conjecture is false, and its correction is true")
