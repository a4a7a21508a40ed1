"""Can a convolution be undone without losing a single bit?

Run me with ``python examples/invert_digits.py``; I leave ``invert_digits.png``.
"""

# %% The images: handwritten digits, grey levels 0 to 16.
import numpy as np

import cinc_ref as cr
from cinc_ref.data import digits
from cinc_ref.plots import inverse_figure

images = digits()[:5].astype(np.float64)

# %% The kernel: integers, and 1 where a pixel reads itself, at the bottom right.
kernel = np.array([[[[2.0, -3.0, 1.0], [-1.0, 2.0, -3.0], [1.0, -3.0, 1.0]]]])
convolved = cr.conv(images, kernel)

# %% What one would expect. The condition number of this convolution's matrix says that about eleven
# of sixteen digits may be lost, and a general solver does lose many.
matrix = cr.convolution_matrix(kernel, (8, 8))
solved = np.linalg.solve(matrix, convolved.reshape(-1, 64).T).T.reshape(images.shape)
print(f"condition number of the 64 x 64 matrix: {np.linalg.cond(matrix):.1e}")
print(f"largest error of numpy.linalg.solve:    {np.abs(solved - images).max():.1e}")

# %% What happens. Substitution goes from pixel to pixel: take from y[i, j] what the earlier pixels,
# already known, gave it; what is left is x[i, j], for K_nn = 1. Every number on the way is an
# integer, so nothing is rounded, however ill-conditioned the matrix is.
inverted = cr.conv_inverse(convolved, kernel)
print(f"largest error of conv_inverse:          {np.abs(inverted - images).max():.1e}")

# %% The picture.
figure = inverse_figure(
    images,
    convolved,
    inverted,
    units=("grey levels", "grey levels"),
    title="Five digits, their convolution, and its inverse by substitution",
)
figure.savefig("invert_digits.png")

# %% The checks: the same images bit for bit, and a convolution that preserves volume.
assert np.array_equal(inverted, images)
assert cr.log_abs_det(kernel, (8, 8)) == 0
print("wrote invert_digits.png: look at the last column, the error, which is exactly 0")
