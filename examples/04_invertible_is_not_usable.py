"""
Calm and wild inverses
======================

Three kernels, all with a corner of 1 and a log-determinant of 0. All three are invertible.
Which of them can be used?
"""

# %%
# The kernels differ in what they read above and on the left.
import warnings

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LogNorm

import cinc_ref as cr
from cinc_ref import theory
from cinc_ref.data import digits

kernels = {
    "calm": [[0.2, -0.3], [-0.3, 1.0]],
    "on the edge": [[1.0, -1.0], [-1.0, 1.0]],
    "wild": [[0.2, -0.9], [-0.9, 1.0]],
}
kernels = {name: np.array(taps)[None, None] for name, taps in kernels.items()}
warnings.simplefilter("ignore", cr.errors.IllConditionedWarning)  # we look at what it warns of

# %%
# The inverse goes from pixel to pixel, and what it computed for one enters the next: it is a
# *recursive filter*. A rounding error in the first pixel travels on through the whole image. It may
# fade on its way, stay, or grow. To see which, disturb the first pixel by 1 and look at what the
# inverse makes of it. In the lower row a digit of 32x32 pixels went through the convolution and
# back, in float32, the usual precision of neural networks.
impulse = np.zeros((1, 1, 32, 32))
impulse[0, 0, 0, 0] = 1
digit = np.kron(digits()[2:3], np.ones((4, 4))).astype(np.float32)


def there_and_back(x, kernel):
    kernel = kernel.astype(x.dtype)
    return cr.conv_inverse(cr.conv(x, kernel), kernel)


responses = {name: np.abs(cr.conv_inverse(impulse, k)[0, 0]) for name, k in kernels.items()}
returned = {name: there_and_back(digit, kernel)[0, 0] for name, kernel in kernels.items()}

figure, axes = plt.subplots(2, 3, figsize=(8, 5.6), sharex=True, sharey=True, layout="constrained")
figure.suptitle("A disturbance of the first pixel, and a digit that went there and back")
for (name, response), (above, below) in zip(responses.items(), axes.T, strict=True):
    faded = np.where(response < 1e-9, 1e-9, response)
    spread = above.imshow(faded, cmap="cividis", norm=LogNorm(1e-9, 1e9))
    above.set_title(f"{name}: the last\npixel changes by {response[-1, -1]:.1g}")
    image = below.imshow(returned[name], cmap="gray_r", vmin=0, vmax=16)
    below.set_xlabel("column, pixels")
for panel in axes[:, 0]:
    panel.set_ylabel("row, pixels")
figure.colorbar(spread, ax=axes[0], label="|response|, a factor", extend="both")
figure.colorbar(image, ax=axes[1], label="grey levels")
figure.savefig("invertible_is_not_usable.png", dpi=160)

# %%
# The digit comes back from the first two. The wild kernel loses its lower right, where black stands
# for as many as ten thousand grey levels. Its determinant is as good as that of the others.
# ``theory.explain`` tells beforehand which is usable, at a size and at all sizes:
for name, kernel in kernels.items():
    print(f"{name}\n{theory.explain(kernel, (32, 32))}\n")

# %%
# How large must an image be? The number of digits that are lost grows with its side. The markers
# are measured: the median error of 20 random images that went there and back. The lines are what
# ``theory.stability`` expects. Where a line crosses 1, nothing is left of the image.
sides = [2, 3, 4, 6, 8, 12, 16, 24, 32]
rng = np.random.default_rng(0)


def observed_error(kernel, side, dtype):
    x = rng.normal(size=(20, 1, side, side)).astype(dtype)
    error = np.abs(there_and_back(x, kernel).astype(float) - x)
    return np.median(error.max(axis=(1, 2, 3)) / np.abs(x).max(axis=(1, 2, 3)))


expected, observed = {}, {}
for name, kernel in kernels.items():
    for dtype in ("float32", "float64"):
        # A float32 kernel is another kernel: each prediction is for the numbers that are used.
        stabilities = [theory.stability(kernel.astype(dtype), (side, side)) for side in sides]
        expected[name, dtype] = np.array([each.expected_error(dtype) for each in stabilities])
        observed[name, dtype] = np.array([observed_error(kernel, side, dtype) for side in sides])

styles = {"calm": ("#1f6fb4", "o", "-"), "on the edge": ("#d08c00", "s", "--")}
styles["wild"] = ("#5c0f2b", "^", "-.")
figure, axes = plt.subplots(1, 2, figsize=(8, 4.2), sharey=True, layout="constrained")
figure.suptitle("What an inverse loses grows with the image, or does not")
for panel, dtype in zip(axes, ("float32", "float64"), strict=True):
    for name, (colour, marker, line) in styles.items():
        panel.plot(sides, expected[name, dtype], line, color=colour, linewidth=1.4)
        panel.plot(sides, observed[name, dtype], marker, color=colour, label=name)
    panel.axhline(1, color="black", linewidth=0.8, linestyle=":")
    panel.text(2, 3, "nothing is left of the image")
    panel.set(xscale="log", yscale="log", title=dtype, xlabel="height and width, pixels")
    panel.set_xticks(sides, sides)
    panel.minorticks_off()
axes[0].set_ylabel("largest error / largest pixel, a ratio")
axes[1].legend(title="markers: observed,\nlines: expected", loc="center left")
figure.savefig("invertible_is_not_usable_error.png", dpi=160)

# %%
# **The edge state.** A fourth kernel surprises even those who know recursive filters. It has two
# channels and reads a half-plane, as autoregressive convolutions do. In the middle of an image its
# inverse fades: every wave along a row shrinks from row to row. Yet along the left border it
# doubles with every row, because the entries that would cancel the growth read outside of the
# image. So no test of waves, which is what one finds in textbooks, is enough.
edge = np.zeros((2, 2, 2, 3))
edge[:, :, 1, 1] = np.eye(2)
edge[:, :, 0, 1] = np.diag([-2, 2])
edge[0, 1, 0, 0], edge[1, 0, 0, 2] = -2, 2

places = {"in the middle": 8, "at the left border": 0}
edge_responses = {}
for place, column in places.items():
    impulse = np.zeros((1, 2, 16, 17))
    impulse[0, 0, 0, column] = 1
    response = cr.conv_inverse(impulse, edge, anchor=(1, 1))[0]
    edge_responses[place] = np.abs(response).sum(axis=0)

figure, axes = plt.subplots(1, 2, figsize=(8, 4.4), sharey=True, layout="constrained")
figure.suptitle("The same kernel: it forgets in the middle, it explodes along the border")
for panel, (place, response) in zip(axes, edge_responses.items(), strict=True):
    drawn = panel.imshow(
        np.where(response, response, np.nan), cmap="cividis", norm=LogNorm(1, 2.0**15)
    )
    for row in range(0, 16, 3):
        strongest = response[row].argmax()
        if response[row, strongest]:
            panel.annotate(
                f"{response[row, strongest]:,.0f}",
                (strongest, row),
                xytext=(18, 0),
                textcoords="offset points",
                va="center",
                arrowprops={"arrowstyle": "-"},
            )
    panel.set(title=f"disturbed {place}", xlabel="column, pixels", xticks=range(0, 17, 4))
axes[0].set_ylabel("row, pixels")
figure.colorbar(drawn, ax=axes, label="|response|, a factor (blank: 0)")
figure.savefig("invertible_is_not_usable_edge.png", dpi=160)
stability = theory.stability(edge, (16, 17), anchor=(1, 1))
print(f"{stability.verdict}: {stability.reason}")


# %%
# The checks: predictions within a factor of 100 wherever an error was observed, the verdicts for
# images of any size, the certificate of the edge state, and its waves, which do shrink.
def rate_of_wave(angle):
    """Return the factor by which the inverse multiplies a wave e^{i angle j} from row to row."""
    from_above = edge[:, :, 0] @ np.exp(1j * angle * np.array([1, 0, -1]))
    return np.abs(np.linalg.eigvals(from_above)).max()


for key, errors in observed.items():
    seen = errors > 0
    assert (np.abs(np.log10(errors[seen] / expected[key][seen])) < 2).all(), key
assert returned["wild"].max() > 1e3 and np.abs(returned["calm"] - digit[0, 0]).max() < 1e-4
assert observed["calm", "float32"][-1] < 1e-5
assert observed["wild", "float32"][-1] > 1
assert theory.stability(kernels["calm"], (32, 32)).verdict == "bounded"
assert theory.stability(kernels["wild"], (32, 32)).verdict == "growing"
assert all(cr.log_abs_det(kernel, (32, 32)) == 0 for kernel in kernels.values())
assert max(rate_of_wave(angle) for angle in np.linspace(0, 2 * np.pi, 1000)) < 1e-3
assert (edge_responses["at the left border"][:, 0] == 2.0 ** np.arange(16)).all()
assert stability.verdict == "growing"
assert theory.check_certificate(edge, stability.proof, anchor=(1, 1))
print("calm is bounded, wild and the edge state grow, and the errors are as expected")
