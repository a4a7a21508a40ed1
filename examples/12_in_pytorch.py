"""
In PyTorch
==========

How fast does a PyTorch flow sample if its convolutions are inverted by compiled substitution, not
by a loop over pixels?
"""

# %%
# A flow of two invertible convolutions with a pointwise map between them. The layer is a module
# like any other, trained by PyTorch's optimizer. (It needs an extra: ``pip install ".[torch]"``.)
import time

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F

from cinc_ref.data import digits
from cinc_ref.torch import InvertibleConv2d

torch.manual_seed(0)
images = (torch.from_numpy(digits()).float() / 17 - 0.5).clone()
images = F.pixel_unshuffle(images, 2)  # 4 channels, 4x4 pixels
size = images.shape[2:]
layers = torch.nn.ModuleList(
    [
        InvertibleConv2d(4, stable=True),
        InvertibleConv2d(4, corner="bottom-right", stable=True),
    ]
)


def encode(x):
    log_det = 0
    for layer in layers:
        y = layer(x)
        x = torch.asinh(y)
        log_det = log_det + layer.log_abs_det(size) - 0.5 * y.square().log1p().sum((1, 2, 3))
    return x, log_det


def decode(z, inverse):
    for layer in reversed(layers):
        z = inverse(layer, torch.sinh(z))
    return z


# %%
# Maximum likelihood, 150 steps.
optimizer = torch.optim.Adam(layers.parameters(), lr=0.02)
losses = []
for step in range(150):
    batch = images[step % 17 * 100 :][:100]
    batch = batch + torch.rand_like(batch) / 17
    z, log_det = encode(batch)
    loss = (0.5 * z.square().sum((1, 2, 3)) - log_det).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())


# %%
# The loop that one would write for the inverse: pixel after pixel, subtract what the earlier
# pixels gave, and solve with the corner block.
def loop_inverse(layer, y):
    kernel, corner = layer.kernel(), layer.layer.corner
    axes = {"top-left": (), "bottom-right": (2, 3)}[corner]
    y = y.flip(axes)
    block = kernel[:, :, -1, -1]
    x = F.pad(torch.zeros_like(y), (2, 0, 2, 0))
    for i in range(y.shape[2]):
        for j in range(y.shape[3]):
            window = x[:, :, i : i + 3, j : j + 3]
            rest = y[:, :, i, j] - torch.einsum("ncab,ocab->no", window, kernel)
            x[:, :, i + 2, j + 2] = torch.linalg.solve_triangular(block, rest.T, upper=False).T
    return x[:, :, 2:, 2:].flip(axes)


def exact_inverse(layer, y):
    return layer.inverse(y)


# %%
# Sampling from the model, and the time that each of the two takes.
def seconds(function, repeat=20):
    function()
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


with torch.inference_mode():
    latents = torch.randn(100, 4, *size)
    samples = decode(latents, exact_inverse)
    by_loop = decode(latents, loop_inverse)
    exact_time = seconds(lambda: decode(latents, exact_inverse))
    loop_time = seconds(lambda: decode(latents, loop_inverse))
print(f"100 samples: {1e3 * exact_time:.2f} ms, by the loop {1e3 * loop_time:.2f} ms")

# %%
# The picture.
figure, axes = plt.subplots(1, 2, figsize=(8, 3.6), layout="constrained")
axes[0].plot(losses)
axes[0].set(xlabel="step", ylabel="negative log-likelihood + const., nats", title="Training")
bars = axes[1].bar(["loop in PyTorch", "cinc_ref.torch"], [1e3 * loop_time, 1e3 * exact_time])
axes[1].bar_label(bars, fmt="%.2f")
axes[1].set(ylabel="milliseconds for 100 samples", title="Sampling")
axes[1].margins(y=0.1)
figure.savefig("in_pytorch.png", dpi=160)

# %%
# The checks: both inverses agree, decoding undoes encoding, and the loss fell.
with torch.inference_mode():
    error = (decode(encode(images[:100])[0], exact_inverse) - images[:100]).abs().max()
scale = samples.abs().amax()
assert (samples - by_loop).abs().max() < 1e-3 * scale
assert error < 1e-3
assert losses[-1] < losses[0] - 1
print(f"the loop takes {loop_time / exact_time:.0f} times as long")
