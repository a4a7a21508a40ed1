"""
Gradients through an inverse
============================

How does one learn through an operation that solves a system of equations?
"""

# %%
# The inverse of a convolution, ``x = conv_inverse(y, K)``, solves :math:`M x = y`, where M is the
# convolution matrix. It is differentiable with respect to both the image y and the kernel K, and
# neither derivative needs the matrix:
#
# .. math::
#     \frac{\partial L}{\partial y} = M^{-\mathsf{T}} \frac{\partial L}{\partial x}, \qquad
#     \frac{\partial L}{\partial K} = -\text{the gradient of a convolution, at } x,
#     \text{ in the direction } \frac{\partial L}{\partial y}
#
# The transposed matrix is upper triangular. So its system is solved by substitution too, from the
# last pixel to the first: it is the inverse of a convolution whose zeros are at the opposite
# corner of the image.
import autograd.numpy as anp
import matplotlib.pyplot as plt
import numpy as np
from autograd import grad, value_and_grad
from scipy.optimize import minimize

import cinc_ref as cr
from cinc_ref.data import digits

rng = np.random.default_rng(0)
kernel = np.array([[[[0.1, -0.2, 0.3], [-0.4, 0.3, -0.3], [0.2, -0.5, 1.0]]]])
y = rng.normal(size=(1, 1, 9, 9))
pixel = (5, 4)


def one_pixel(y):
    return cr.conv_inverse(y, kernel)[0, 0][pixel]


gradient = grad(one_pixel)(y)

# %%
# The gradient of a single pixel of x is a picture of all that it depends on: itself and what is
# above and on the left, never what comes later. The same by the transposed substitution: start
# with 1 in that pixel, and solve towards the first one.
start = np.zeros_like(y)
start[0, 0][pixel] = 1
by_substitution = cr.conv_inverse(start, kernel, corner="bottom-right")

figure, axes = plt.subplots(1, 2, figsize=(8, 4.4), sharey=True, layout="constrained")
figure.suptitle("One pixel of an inverse: what it depends on, and what depends on it")
forward = np.abs(cr.conv_inverse(start, kernel)[0, 0])
panels = {
    "how far each pixel of y\nchanges pixel (5, 4) of x": np.abs(gradient[0, 0]),
    "how far pixel (5, 4) of y\nchanges each pixel of x": forward,
}
for panel, (title, values) in zip(axes, panels.items(), strict=True):
    drawn = panel.imshow(
        np.where(values, values, np.nan), cmap="cividis_r", norm="log", vmin=1e-3, vmax=1
    )
    panel.add_patch(
        plt.Rectangle(
            (pixel[1] - 0.5, pixel[0] - 0.5), 1, 1, fill=False, linewidth=3, edgecolor="#c8102e"
        )
    )
    panel.set(title=title, xlabel="column, pixels")
axes[0].set_ylabel("row, pixels")
figure.colorbar(drawn, ax=axes, label="|derivative|, a ratio (blank: 0)", extend="min")
figure.savefig("gradients_through_an_inverse.png", dpi=160)

# %%
# **What it is good for.** Somebody has blurred digits: the result is what a substitution with an
# unknown kernel gives. We have pairs of digits before and after, and look for the kernel, by
# following the gradient *through the inverse*: guess, invert, compare, improve. The corner is kept
# away from 0 by its logarithm. SciPy's optimizer L-BFGS asks for the loss and its gradient.
images = digits()[:64].astype(float) / 16
unknown = np.array([[[[0.0, 0.1, -0.2], [0.1, -0.1, -0.3], [-0.2, -0.3, 1.2]]]])
blurred = cr.conv_inverse(images, unknown)
corner = np.zeros((1, 1, 3, 3))
corner[..., -1, -1] = 1


def kernel_of(guess):
    return guess * (1 - corner) + anp.exp(guess) * corner


def loss(guess):
    return anp.mean((cr.conv_inverse(images, kernel_of(guess)) - blurred) ** 2)


def loss_and_gradient(flat):
    value, slope = value_and_grad(loss)(flat.reshape(1, 1, 3, 3))
    return value, slope.ravel()


losses = []
result = minimize(
    loss_and_gradient,
    np.zeros(9),
    jac=True,
    method="L-BFGS-B",
    callback=lambda flat: losses.append(loss(flat.reshape(1, 1, 3, 3))),
    options={"ftol": 1e-15, "gtol": 1e-9},
)
found = kernel_of(result.x.reshape(1, 1, 3, 3))

# %%
# The loss falls by many powers of ten, and what was found is the kernel that had been used.
figure, (curve, *kernels) = plt.subplots(
    1, 3, figsize=(8, 3.8), layout="constrained", width_ratios=[1.5, 1, 1]
)
figure.suptitle("An unknown kernel, found by its gradient through the inverse")
curve.semilogy(np.arange(1, len(losses) + 1), losses, color="black")
curve.set(xlabel="steps of the optimizer", ylabel="mean squared error, (grey level / 16)²")
curve.set(title="the loss")
for panel, (title, values) in zip(kernels, {"used": unknown, "found": found}.items(), strict=True):
    panel.imshow(values[0, 0], cmap="cividis", vmin=-0.5, vmax=1.3)
    for (i, j), value in np.ndenumerate(values[0, 0]):
        colour = "white" if value < 0.4 else "black"
        panel.text(j, i, f"{value:.3f}", ha="center", va="center", color=colour)
    panel.set(title=f"the kernel {title}", xlabel="column of the kernel")
    panel.set(ylabel="row of the kernel", xticks=range(3), yticks=range(3))
figure.savefig("gradients_through_an_inverse_descent.png", dpi=160)

# %%
# The checks: the gradient is the transposed substitution, both gradients agree with differences of
# the function itself, and the kernel was found.
assert np.allclose(gradient, by_substitution, rtol=1e-12, atol=0)
assert not gradient[0, 0, pixel[0] + 1 :].any() and not gradient[0, 0, :, pixel[1] + 1 :].any()


def directional_difference(function, at, direction, step=1e-6):
    return (function(at + step * direction) - function(at - step * direction)) / (2 * step)


direction = rng.normal(size=y.shape)
assert np.isclose(directional_difference(one_pixel, y, direction), (gradient * direction).sum())
direction = rng.normal(size=kernel.shape)
by_autograd = (grad(loss)(0.1 * direction) * direction).sum()
assert np.isclose(directional_difference(loss, 0.1 * direction, direction), by_autograd)
assert np.abs(found - unknown).max() < 1e-3
print(f"largest error of the kernel that was found: {np.abs(found - unknown).max():.1e}")
