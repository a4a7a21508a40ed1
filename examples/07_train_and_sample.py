"""
Train, sample, interpolate
==========================

Can a program write digits after looking at 1,437 of them for a quarter of a minute?
And what is a bit per dimension?
"""

# %%
# The images are handwritten digits with grey levels 0 to 16. The model is a chain of actnorms,
# invertible convolutions and couplings, four of each in each of two levels.
import matplotlib.pyplot as plt
import numpy as np

import cinc_ref as cr
from cinc_ref.data import image_set
from cinc_ref.flows import dequantize, quantize

digits = image_set("digits")
flow = cr.flows.build(
    "cinc", "affine", digits.image_shape, levels=2, depth=4, width=64, bins=17, corner_block="plu"
)
print(len(digits.train), "digits to learn from,", len(digits.test), "to be judged by")

# %%
# **Training.** Because the model can be undone, the probability that it gives to an image can be
# computed. Training makes the digits that people wrote more probable, step by step. The validation
# images, which are never learned from, tell when it begins to learn the others by heart: their
# curve turns up again, and the model at its lowest point is the one that is returned.
result = cr.train(
    flow,
    digits.train,
    digits.validation,
    steps=700,
    batch_size=64,
    learning_rate=2e-2,  # large, and no dropout: this training is short
    dropout=0.0,
    evaluate_every=25,
)
params = result.params
test = cr.evaluate(flow, params, digits.test)

# %%
# **Bits per dimension** say how many bits it takes, for each pixel, to write an image down in a
# code that is made by the model: the better the model, the shorter the code. Who knows nothing
# needs :math:`\log_2 17 = 4.09` bits for one of 17 levels. Who counts how often each level occurs
# in each pixel needs about 2.4.
levels = np.arange(17)[:, None, None, None, None]
counts = 1 + (digits.train == levels).sum(axis=1)  # of each level in each pixel; never 0
frequencies = counts / counts.sum(axis=0)
by_counting = -np.log2(np.take_along_axis(frequencies, digits.test, axis=0)).mean()

figure, axes = plt.subplots(figsize=(8, 4.2), layout="constrained")
figure.suptitle("What a pixel costs while the model learns")
steps = [row["step"] for row in result.history]
axes.plot(steps, [row["train"] for row in result.history], ":", color="black", label="training")
axes.plot(steps, [row["validation"] for row in result.history], color="#8c1d40", label="validation")
for bits, words, place in (
    (np.log2(17), "knowing nothing", {"x": 705, "ha": "right", "va": "bottom"}),
    (by_counting, "counting levels in each pixel", {"x": 705, "ha": "right", "va": "bottom"}),
    (test.bits_per_dim, "this model, on digits never seen", {"x": 5, "va": "top"}),
):
    axes.axhline(bits, color="#777777", linewidth=0.8, linestyle="--")
    axes.text(s=f"{words}: {bits:.2f}", y=bits, **place)
axes.set(xlabel="steps of training", ylabel="bits per dimension", ylim=(2, 4.4), xlim=(0, 710))
axes.legend(loc="center right", title="images")
figure.savefig("train_and_sample_bits.png", dpi=160)

# %%
# **Sampling.** Draw noise and send it backwards through the flow. A temperature below 1 keeps the
# noise, and with it the digits, a little closer to the middle.
drawn = flow.sample(params, np.random.default_rng(0), 50, temperature=0.7)


def mosaic(images, columns):
    """Arrange levels (N, 1, 8, 8) in rows of so many columns, with a line between images."""
    padded = np.pad(images[:, 0].astype(float), [(0, 0), (1, 1), (1, 1)], constant_values=4)
    rows = padded.reshape(-1, columns, 10, 10)
    return rows.swapaxes(1, 2).reshape(-1, 10 * columns)


def show(axes, images, columns, title):
    picture = axes.imshow(mosaic(images, columns), cmap="gray_r", vmin=0, vmax=16)
    axes.set(title=title, xticks=[], yticks=[])
    return picture


figure, axes = plt.subplots(2, 1, figsize=(8, 8.4), layout="constrained")
figure.suptitle("Which of them did a program write?")
picture = show(axes[0], digits.test[:50], 10, "written by people")
show(axes[1], quantize(drawn, 17), 10, "drawn by the model")
figure.colorbar(picture, ax=axes, label="grey level", shrink=0.5)
figure.savefig("train_and_sample.png", dpi=160)

# %%
# **Interpolating.** Between two images lies nothing but a blur. Between their latents lie other
# latents, and each is the latent of some image, for every map in the chain can be undone.
pairs = dequantize(digits.test[[3, 5, 8, 13, 20, 30]], 17, 0, np.float32)
on_the_way = quantize(cr.interpolate(flow, params, pairs[:3], pairs[3:], 9), 17)
blurs = np.linspace(0, 1, 9)[:, None, None, None, None]
blurs = quantize((1 - blurs) * pairs[:3] + blurs * pairs[3:], 17)

figure, axes = plt.subplots(2, 1, figsize=(8, 6.2), layout="constrained")
figure.suptitle("From the digit on the left to the digit on the right")
show(axes[0], on_the_way.swapaxes(0, 1).reshape(-1, 1, 8, 8), 9, "along a line of latents")
picture = show(axes[1], blurs.swapaxes(0, 1).reshape(-1, 1, 8, 8), 9, "along a line of pixels")
figure.colorbar(picture, ax=axes, label="grey level")
figure.savefig("train_and_sample_interpolate.png", dpi=160)

# %%
# **Bits per dimension by hand.** Users of flow libraries get nothing wrong as often as these
# constants, so here is one image, step by step, with D = 64 dimensions and 17 bins.
#
# 1. Each level k becomes a point x = (k + u) / 17 - 1/2, with noise u between 0 and 1.
# 2. The latents z of x have a standard normal density,
#    :math:`\log N(z) = -\frac{1}{2} \sum (z^2 + \log 2\pi)`.
# 3. The flow stretches space by :math:`|\det \partial z / \partial x|`. Here the 64x64 matrix of
#    derivatives is taken by differences, without looking into the flow.
# 4. :math:`\log p(x) = \log N(z) + \log|\det \partial z / \partial x|`, in nats.
# 5. A bin has the volume :math:`17^{-D}`. Its probability is about the density times its volume,
#    and the code for it has :math:`-\log_2` of that many bits: divide by D.


def in_float64(tree):
    if isinstance(tree, dict):
        return {name: in_float64(branch) for name, branch in tree.items()}
    if isinstance(tree, list | tuple):
        return type(tree)(in_float64(branch) for branch in tree)
    return tree.astype(float)


exact = in_float64(params)
x = dequantize(digits.test[:1], 17, 0)


def latent(images):
    return np.concatenate([z.reshape(len(z), -1) for z in flow.encode(exact, images)], axis=1)


h = 1e-6
moves = h * np.eye(64).reshape(64, 1, 8, 8)
derivatives = (latent(x + moves) - latent(x - moves)) / (2 * h)
log_normal = -0.5 * (latent(x) ** 2 + np.log(2 * np.pi)).sum()
log_det = np.linalg.slogdet(derivatives)[1]
log_density = log_normal + log_det
bits = -(log_density - 64 * np.log(17)) / (64 * np.log(2))
print(f"log N(z)               {log_normal:9.3f} nats")
print(f"log|det dz/dx|         {log_det:9.3f} nats")
print(f"log p(x)               {log_density:9.3f} nats, by the library")
print(f"                       {flow.log_prob(exact, x)[0]:9.3f}")
print(f"bits per dimension     {bits:9.3f} bits, by the library")
print(f"                       {flow.bits_per_dim(exact, digits.test[:1], 0)[0]:9.3f}")

# %%
# The checks: the model beats counting, a digit that goes through the flow and back is the same, and
# what was computed by hand is what the library gives.
assert test.bits_per_dim < by_counting < np.log2(17)
assert test.largest_error < 0.01  # grey levels, in float32
assert np.isclose(log_density, flow.log_prob(exact, x)[0], rtol=1e-6)
assert np.isclose(bits, flow.bits_per_dim(exact, digits.test[:1], 0)[0], rtol=1e-6)
print(f"largest error of a digit there and back: {test.largest_error:.1e} grey levels")

# sphinx_gallery_thumbnail_number = 2
