"""
A flow, one part at a time
==========================

What is a normalizing flow made of, what does each part do to an image, and what does it do to
volumes?
"""

# %%
# A flow turns images into noise by a chain of maps that can all be undone. To know the probability
# of an image one must know how far each map stretches the space around it: its *log-determinant*,
# :math:`\log|\det \partial y / \partial x|`. So every part is made to have an inverse and a
# determinant that are cheap.
#
# Build a small flow for digits of 8x8 pixels, and let noise move its parameters, for at the start
# of a training the couplings do nothing.
import autograd.numpy as anp
import matplotlib.pyplot as plt
import numpy as np
from autograd import jacobian

import cinc_ref as cr
from cinc_ref.data import digits
from cinc_ref.flows import dequantize

rng = np.random.default_rng(0)
flow = cr.flows.build("cinc", "affine", (1, 8, 8), levels=2, depth=1, width=8, bins=17)
images = dequantize(digits()[:100], 17, rng)
params = flow.init(rng, images)
squeeze, step = flow.chains[0].layers
actnorm, convolution, coupling = step.layers
parts = {"squeeze": squeeze, "actnorm": actnorm, "convolution": convolution, "coupling": coupling}
part_params = dict(zip(parts, [params["levels"][0][0], *params["levels"][0][1]], strict=True))


def moved(tree):
    """Add noise to all arrays of a tree of parameters."""
    if isinstance(tree, dict):
        return {name: moved(branch) for name, branch in tree.items()}
    if isinstance(tree, list | tuple):
        return type(tree)(moved(branch) for branch in tree)
    return tree + 0.15 * rng.normal(size=tree.shape)


part_params = {name: moved(tree) for name, tree in part_params.items()}

# %%
# Now send a digit through, part by part.
#
# - *Squeeze* folds 2x2 pixels into four channels of half the height and width.
# - *Actnorm* scales and shifts each channel, at first so that it has mean 0 and deviation 1.
# - The *convolution* mixes pixels and channels.
# - The *coupling* leaves half of the channels as they are, and shifts and scales the others by what
#   a small neural network reads in that half. It need not be invertible: its input is still there
#   when one goes back.
# - *Split*: half of the channels leave as noise. The rest goes on to the next level.
inputs, outputs, log_dets = {}, {}, {}
x = images[9:10]
for name, layer in parts.items():
    inputs[name] = x
    x, log_det = layer.forward(part_params[name], x)
    outputs[name], log_dets[name] = x, log_det[0]

figure = plt.figure(figsize=(8, 5), layout="constrained")
figure.suptitle("A digit on its way through the first level of a flow")
grid = figure.add_gridspec(4, 6)
drawings = [(grid[1:3, 0], images[9, 0], "image")]
for channel in range(4):
    for column, (name, output) in enumerate(outputs.items(), 1):
        drawings.append((grid[channel, column], output[0, channel], "" if channel else name))
    title = {0: "goes on", 2: "leaves as noise"}.get(channel, "")
    drawings.append((grid[channel, 5], outputs["coupling"][0, channel], title))
for place, values, title in drawings:
    panel = figure.add_subplot(place)
    drawn = panel.imshow(values, cmap="gray_r", vmin=-1.5, vmax=1.5)
    panel.set(title=title, xticks=[], yticks=[])
for channel, panel in enumerate(figure.axes[1::5]):
    panel.set_ylabel(f"channel {channel}")
figure.colorbar(
    drawn, ax=figure.axes, location="bottom", label="value", extend="both", shrink=0.5, aspect=40
)
figure.savefig("a_flow_one_part_at_a_time.png", dpi=160)

# %%
# What does each part read? Its *Jacobian* has a row for each output and a column for each input:
# 64 each here, in the order pixel by pixel. Squeeze only moves entries. Actnorm is diagonal. The
# convolution is triangular. The coupling is diagonal in what it changes, plus what its network
# reads. So all their determinants are products of a few numbers. The matrix of the whole chain has
# no such shape. Yet its determinant is the product of theirs: the log-determinants add up.


def pixel_major(images):
    """Order the numbers of each image pixel by pixel, the channels of a pixel together."""
    return anp.reshape(anp.transpose(images, (0, 2, 3, 1)), (-1, 64))


def jacobian_of(forward, x):
    """Return dy/dx at one image, a matrix of 64x64 numbers."""
    _, channels, height, width = x.shape

    def flat(numbers):
        image = anp.transpose(anp.reshape(numbers, (1, height, width, channels)), (0, 3, 1, 2))
        return pixel_major(forward(image))[0]

    return jacobian(flat)(pixel_major(x)[0])


jacobians = {}
for name, layer in parts.items():

    def forward(x, layer=layer, name=name):
        return layer.forward(part_params[name], x)[0]

    jacobians[name] = jacobian_of(forward, inputs[name])
jacobians["the chain"] = np.linalg.multi_dot([*jacobians.values()][::-1])
log_dets["the chain"] = sum(log_dets.values())

figure, axes = plt.subplots(2, 3, figsize=(8, 6), layout="constrained")
figure.suptitle("What each output depends on, and how far each part stretches the space")
for panel, (name, matrix) in zip(axes.flat, jacobians.items(), strict=False):
    panel.imshow(np.abs(matrix) > 1e-12, cmap="gray_r", interpolation="none", vmax=1.5)
    panel.set_title(f"{name}:\nlog|det| = {log_dets[name]:.2f} nats")
    panel.set(xlabel="number of the input", ylabel="number of the output")
    panel.set(xticks=[0, 63], yticks=[0, 63])
names = [*parts]
axes[1, 2].barh(names, [log_dets[name] for name in names], color="#4c6a92", edgecolor="black")
axes[1, 2].axvline(0, color="black", linewidth=0.8)
axes[1, 2].invert_yaxis()
axes[1, 2].set(title="they add up to\nthat of the chain", xlabel="log|det|, nats", ylabel="part")
figure.savefig("a_flow_one_part_at_a_time_jacobians.png", dpi=160)

# %%
# Two levels make the whole flow. No number is lost or made on the way: an image of 64 numbers
# becomes 32 that leave after the first level and 32 at the end.
latents = flow.encode(params, images)
print("an image of", flow.image_shape, "becomes latents of", *flow.latent_shapes)

# %%
# The checks: every log-determinant is that of the Jacobian, every part undoes itself, the
# convolution's Jacobian is its convolution matrix, and the flow gives the images back.
for name, layer in parts.items():
    assert np.isclose(np.linalg.slogdet(jacobians[name])[1], log_dets[name], atol=1e-9), name
    back, _ = layer.inverse(part_params[name], outputs[name])
    assert np.allclose(back, inputs[name]), name
assert np.isclose(np.linalg.slogdet(jacobians["the chain"])[1], log_dets["the chain"])
kernel = convolution.kernel(part_params["convolution"])
assert np.allclose(jacobians["convolution"], cr.convolution_matrix(kernel, (4, 4)))
assert sum(np.prod(shape) for shape in flow.latent_shapes) == 64
error = np.abs(flow.decode(params, latents) - images).max()
assert error < 1e-9
print(f"largest error of 100 digits there and back: {error:.1e}")
