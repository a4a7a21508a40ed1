"""
A layer with three mistakes
===========================

Is the invertible layer that I have just written right, and if not, what is wrong with it?
"""

# %%
# Here is an invertible convolution as somebody might write it, in NumPy: pad at the top and left,
# add up the entries of the kernel; to undo it, go from pixel to pixel. Each direction returns its
# images and the log-determinant of each image.
import matplotlib.pyplot as plt
import numpy as np

from cinc_ref.testing import Implementation, check, run_checks


def conv(x, kernel):
    kh, kw = kernel.shape[2:]
    padded = np.pad(x, [(0, 0), (0, 0), (kh - 1, 0), (kw - 1, 0)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, (kh, kw), axis=(2, 3))
    return np.einsum("ocab,nchwab->nohw", kernel, windows)


def conv_inverse(y, kernel):
    kh, kw = kernel.shape[2:]
    corner = kernel[:, :, -1, -1]
    x = np.pad(np.zeros_like(y), [(0, 0), (0, 0), (kh - 1, 0), (kw - 1, 0)])
    for i, j in np.ndindex(y.shape[2:]):
        window = x[:, :, i : i + kh, j : j + kw]
        rest = y[:, :, i, j] - np.einsum("ocab,ncab->no", kernel, window)
        window[:, :, -1, -1] = np.linalg.solve(corner, rest.T).T
    return x[:, :, kh - 1 :, kw - 1 :]


def log_abs_det(kernel, size):
    return size[0] * size[1] * np.linalg.slogdet(kernel[:, :, -1, -1])[1]


rng = np.random.default_rng(0)
kernel = 0.1 * rng.normal(size=(4, 4, 3, 3))
kernel[:, :, -1, -1] += np.diag([1.5, -0.8, 1.2, 0.9])


def forward(x):
    return conv(x, kernel), np.full(len(x), log_abs_det(kernel, x.shape[2:]))


def inverse(y):
    return conv_inverse(y, kernel), np.full(len(y), -log_abs_det(kernel, y.shape[2:]))


# %%
# One line checks it: that each direction undoes the other, that the log-determinants are those of
# the Jacobian, and a dozen other properties. Images of 4x6 pixels with 4 channels are drawn at
# random. A ``torch.nn.Module`` with ``forward`` and ``inverse``, or a layer of a flow library, is
# handed over in the place of the two functions.
report = check((forward, inverse), shape=(4, 4, 6))
print(report)

# %%
# **Three mistakes.** First, an inverse that takes every image for a square. Secondly, a
# log-determinant that forgets that there is a corner block for each pixel.


def inverse_for_squares(y):
    x, log_det = inverse(y)
    side = y.shape[2]
    return np.concatenate([x[..., :side], np.zeros_like(y[..., side:])], axis=3), log_det


def of_one_pixel(direction):
    def forgetful(images):
        result, log_det = direction(images)
        return result, log_det / (images.shape[2] * images.shape[3])

    return forgetful


# %%
# Thirdly, the mistake of the code that was published with the paper, in its quad-coupling. There
# each of four blocks of channels is shifted and scaled by networks that read the blocks before it.
# To undo it, the networks must read blocks that are undone already; the published code let them
# read the blocks as they came.
weights = rng.normal(size=(4, 4, 2))


def shift_and_scale(block, read):
    """Compute shift and scale of a block from those before it; a network would stand here."""
    shift, h = np.einsum("ks,nkhw->snhw", weights[block, :block], np.tanh(read))
    return shift, 1 / (1 + np.exp(-h - 2))


def quad_coupling(x):
    y, log_det = x.copy(), 0
    for block in (1, 2, 3):
        shift, scale = shift_and_scale(block, x[:, :block])
        y[:, block] = (x[:, block] + shift) * scale
        log_det = log_det + np.log(scale).sum(axis=(1, 2))
    return y, log_det


def quad_coupling_inverse(y, published=False):
    x, log_det = y.copy(), 0
    for block in (1, 2, 3):
        shift, scale = shift_and_scale(block, (y if published else x)[:, :block])
        x[:, block] = y[:, block] / scale - shift
        log_det = log_det - np.log(scale).sum(axis=(1, 2))
    return x, log_det


def published_inverse(y):
    return quad_coupling_inverse(y, published=True)


# %%
# The report names the mistake, not only that there is one.
reports = {
    "squares": check((forward, inverse_for_squares), shape=(4, 4, 6)),
    "pixels": check((of_one_pixel(forward), of_one_pixel(inverse)), shape=(4, 4, 6)),
    "published": check((quad_coupling, published_inverse), shape=(4, 4, 6)),
}
right = check((quad_coupling, quad_coupling_inverse), shape=(4, 4, 6))
for name, wrong in reports.items():
    print(f"{name}: {wrong.findings[0].diagnosis}")
print("\nThe whole report of the first:\n")
print(reports["squares"])

# %%
# On the left is the error of a round trip in every pixel, in
# the middle the two log-determinants, on the right the error in every block of channels.
x = rng.normal(size=(3, 4, 4, 6))
by_pixel = np.abs(inverse_for_squares(forward(x)[0])[0] - x).max(axis=(0, 1))
by_block = np.abs(published_inverse(quad_coupling(x)[0])[0] - x).max(axis=(0, 2, 3))
basis = np.eye(96).reshape(96, 4, 4, 6)  # the map is linear, so this is its Jacobian
jacobian = forward(basis)[0].reshape(96, 96)
log_dets = {
    "Jacobian": np.linalg.slogdet(jacobian)[1],
    "right": forward(x)[1][0],
    "wrong": of_one_pixel(forward)(x)[1][0],
}

figure, (left, middle, right_panel) = plt.subplots(1, 3, figsize=(8, 4), layout="constrained")
figure.suptitle("The three diagnoses, in pictures")
drawn = left.imshow(by_pixel, cmap="cividis_r", vmin=0)
left.set(title='"right but in\ncolumns 4, 5 of 6"', xlabel="column, pixels", ylabel="row, pixels")
left.set(xticks=range(6), yticks=range(4))
figure.colorbar(drawn, ax=left, location="bottom", label="largest error, units of x")
bars = middle.bar([*log_dets], [*log_dets.values()], color="#4c6a92", edgecolor="black")
middle.bar_label(bars, fmt="%.2f")
middle.set(
    title='"1/24 of the Jacobian\'s:\n24 = H*W"', ylabel="log|det|, nats", xlabel="computed by"
)
middle.margins(y=0.1)
bars = right_panel.bar(range(4), by_block, color="#4c6a92", edgecolor="black")
right_panel.bar_label(bars, [f"{error:.2f}" if error > 1e-9 else "none" for error in by_block])
right_panel.set(title='"right but in\nchannels 2, 3 of 4"', xlabel="block of channels")
right_panel.set(ylabel="largest error, units of x", xticks=range(4))
right_panel.margins(y=0.1)
figure.savefig("check_your_own_layer.png", dpi=160)

# %%
# **Functions of a kernel.** Who writes not a layer but the operations can have them checked for all
# kinds of kernels and images: tall, wide, tiny, ill-conditioned, of both precisions.
operations = Implementation(
    conv=conv, conv_inverse=conv_inverse, log_abs_det=log_abs_det, name="my convolution"
)
suite = run_checks(operations)
print(str(suite).splitlines()[0])

# %%
# The checks of the checks: what is right passes, and each mistake is called by its name. In a test
# of your own the line is ``assert check(layer).ok``.
assert report.ok and right.ok and suite.ok
assert "columns 4, 5 of 6" in reports["squares"].findings[0].diagnosis
assert "pixels were not counted" in reports["pixels"].findings[0].diagnosis
assert "channels 2, 3 of 4" in reports["published"].findings[0].diagnosis
print("what is right passes, and three mistakes were called by their names")
