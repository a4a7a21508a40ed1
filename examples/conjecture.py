"""With circular padding, does one entry of the kernel decide whether a convolution is invertible?

Run me with ``python examples/conjecture.py``; I leave ``conjecture.png``.
"""

# %% With the padding of the paper one entry decides: K_nn != 0. A natural conjecture for circular
# padding, where the image continues at its other side: a centre that is not 0 is enough.
import numpy as np
from matplotlib.figure import Figure

from cinc_ref import theory


def a_centre_that_is_not_0_is_enough(convolution, size):
    """Hold if the centre is 0 or the determinant, computed exactly, is not."""
    centre = convolution.kernel[(0, 0, *convolution.anchor)]
    return centre == 0 or convolution.determinant(size) != 0


# %% The computer looks for a counterexample, and for the smallest one. It takes a second.
circular = {"padding": "circular", "kernel_size": 3, "size": (2, 3, 4)}
refutation = theory.refute(a_centre_that_is_not_0_is_enough, circular)
print(refutation)
assert refutation.is_false

# The kernel is 1 in its centre and at its lower right: every pixel plus its neighbour across the
# corner. An image that alternates along these diagonals is lost, as the exact null vector shows.
(convolution,), size = refutation.convolutions, refutation.size
(lost, *_) = convolution.null_vectors(size)
print("lost:", lost[0].tolist())
assert lost.any() and not (convolution.matrix(size) @ lost.ravel()).any()

# %% Why? A circular convolution maps every plane wave to a multiple of itself. The multiples P, one
# for each frequency, are its eigenvalues; the determinant is their product. Some of them are 0.
blocks = convolution.fourier_blocks(size)[..., 0, 0]
print("P at the frequencies:", np.round(blocks.ravel(), 12))
assert np.abs(blocks).min() < 1e-12


# %% So the conjecture has to be corrected: the centre must outweigh all other entries together.
# Then |P| >= |centre| - sum of the others > 0 at every frequency, which is already the proof. The
# search agrees: it finds nothing in 2,000 cases.
def a_centre_that_outweighs_the_others_is_enough(convolution, size):
    """Hold if the centre is not larger than the others together, or the determinant is not 0."""
    centre = abs(convolution.kernel[(0, 0, *convolution.anchor)])
    others = np.abs(convolution.kernel).sum() - centre
    return centre <= others or convolution.determinant(size) != 0


corrected = theory.refute(
    a_centre_that_outweighs_the_others_is_enough, circular | {"entries": (0, 1, -1, 4)}
)
print(corrected)
assert not corrected.is_false

# %% The picture: |P| on a 24x24 image for the counterexample, for a kernel whose centre outweighs
# the others, and for the kernel of ones, of which the conjecture says nothing.
kernels = {
    "the counterexample:\nP = 0 on two lines": convolution.kernel,
    "centre 5, others 4 together:\n|P| is at least 1": [[[[0, 1, 0], [1, 5, 1], [0, 1, 0]]]],
    "all ones:\nP = 0 on four lines": np.ones((1, 1, 3, 3), int),
}
figure = Figure(figsize=(12, 4.8), dpi=160, layout="constrained")
figure.suptitle("Factors P by which circular convolutions multiply plane waves, 24x24 pixels")
for axes, (title, kernel) in zip(figure.subplots(1, 3), kernels.items(), strict=True):
    waves = theory.Convolution(kernel, padding="circular").fourier_blocks((24, 24))[..., 0, 0]
    magnitude = np.fft.fftshift(np.abs(waves))
    image = axes.imshow(magnitude, cmap="magma", vmin=0, extent=(-12.5, 11.5, 11.5, -12.5))
    smallest = 0 if magnitude.min() < 1e-12 else magnitude.min()  # up to rounding
    axes.set_title(f"{title} (smallest: {smallest:.2g})", fontsize=11)
    axes.set_xlabel("waves across the image")
    axes.set_ylabel("waves down the image")
    figure.colorbar(image, ax=axes, location="bottom", shrink=0.8, label="|P|, a factor")
figure.savefig("conjecture.png")

# %% The check: the theorem behind it, det M = product of P, on kernels of any size.
rng = np.random.default_rng(0)
for _ in range(20):
    kernel = rng.integers(-3, 4, (2, 2, 3, 3))
    convolution = theory.Convolution(kernel, padding="circular")
    product = np.prod(np.linalg.det(convolution.fourier_blocks((3, 4))))
    exact = convolution.determinant((3, 4))
    assert np.isclose(product, exact, rtol=1e-9, atol=1e-6 * np.abs(kernel).sum() ** 2)
print("wrote conjecture.png: a convolution is invertible where nothing in it is black")
