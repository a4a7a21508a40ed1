"""Four kernels, all with log-determinant 0: invertible. Are all four usable?

Run me with ``python examples/invertible_is_not_usable.py``; I leave
``invertible_is_not_usable.png``.
"""

# %% Three kernels of one channel, K_nn = 1, that differ in their taps left and above.
import warnings

import numpy as np
from matplotlib.figure import Figure

import cinc_ref as cr
from cinc_ref import theory

kernels = {
    "calm": [[0.2, -0.3], [-0.3, 1.0]],
    "on the edge": [[1.0, -1.0], [-1.0, 1.0]],
    "wild": [[0.2, -0.9], [-0.9, 1.0]],
}
kernels = {name: np.array(taps)[None, None] for name, taps in kernels.items()}
sides = [2, 3, 4, 6, 8, 12, 16, 24, 32]

# %% The theory: the inverse of each is a recursive filter, which may or may not decay.
for name, kernel in kernels.items():
    assert cr.log_abs_det(kernel, (32, 32)) == 0
    print(f"{name}\n{theory.explain(kernel, (32, 32))}\n")

# %% The experiment: convolve random images, invert, compare. The median over 20 images of the
# largest error, relative to the largest pixel.
rng = np.random.default_rng(0)


def observed_error(kernel, side, dtype):
    x = rng.normal(size=(20, 1, side, side)).astype(dtype)
    kernel = kernel.astype(dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cr.errors.IllConditionedWarning)
        back = cr.conv_inverse(cr.conv(x, kernel), kernel).astype(np.float64)
    return np.median(np.abs(back - x).max(axis=(1, 2, 3)) / np.abs(x).max(axis=(1, 2, 3)))


expected, observed = {}, {}
for name, kernel in kernels.items():
    for dtype in ("float32", "float64"):
        # float32 kernels are other kernels: each prediction is for the numbers that are used.
        stabilities = [theory.stability(kernel.astype(dtype), (side, side)) for side in sides]
        expected[name, dtype] = np.array([found.expected_error(dtype) for found in stabilities])
        observed[name, dtype] = np.array([observed_error(kernel, side, dtype) for side in sides])

# %% The picture: dots are observed, lines predicted.
styles = dict(zip(kernels, (("#1f6fb4", "o"), ("#d08c00", "s"), ("#8c1d40", "^")), strict=True))
figure = Figure(figsize=(9.5, 4.8), dpi=160, layout="constrained")
figure.suptitle("Three kernels with K_nn = 1, so log det = 0: what inverting them loses")
for axes, dtype in zip(figure.subplots(1, 2, sharey=True), ("float32", "float64"), strict=True):
    for name, (colour, marker) in styles.items():
        axes.plot(sides, expected[name, dtype], color=colour, linewidth=1.2)
        axes.plot(sides, observed[name, dtype], marker, color=colour, markersize=5, label=name)
    axes.axhline(1, color="#222222", linewidth=0.8, linestyle=":")
    axes.text(2, 1.6, "nothing is left of the image", fontsize=8, color="#222222")
    axes.set(xscale="log", yscale="log", title=dtype, xlabel="height and width, pixels")
    axes.set_xticks(sides, sides)
    axes.minorticks_off()
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#eeeeee")
figure.axes[1].legend(title="markers: observed, lines: expected", frameon=False, loc="center left")
figure.axes[0].set_ylabel("error of conv_inverse(conv(x)),\nover the largest pixel (a ratio)")
figure.savefig("invertible_is_not_usable.png")

# %% The fourth kernel is the one that nobody expects: two channels, taps in a half-plane, as in an
# autoregressive convolution. Away from the borders of an image it decays: a wave that runs along
# the rows shrinks from row to row, whatever its length.
edge = np.zeros((2, 2, 2, 3))
edge[:, :, 1, 1] = np.eye(2)
edge[:, :, 0, 1] = np.diag([-2, 2])
edge[0, 1, 0, 0], edge[1, 0, 0, 2] = -2, 2


def rate_of_wave(angle):
    """Return the factor by which the inverse multiplies a wave e^{i angle j} from row to row."""
    from_above = edge[:, :, 0] @ np.exp(1j * angle * np.array([1, 0, -1]))
    return np.abs(np.linalg.eigvals(from_above)).max()


fastest = max(rate_of_wave(angle) for angle in np.linspace(0, 2 * np.pi, 1000))
print(f"the edge state: waves shrink by {fastest:.1g} a row or more")

# Along the left border two taps read outside of the image, and what they would cancel doubles with
# every row: an edge state.
impulse = np.zeros((1, 2, 12, 12))
impulse[0, 0, 0, 0] = 1
column = np.abs(cr.conv_inverse(impulse, edge, anchor=(1, 1))[0, 0, :, 0])
print("its response down the first column:", column)
stability = theory.stability(edge, (12, 12), anchor=(1, 1))
print(f"{stability.verdict}: {stability.reason}\n{stability.proof}")

# %% The checks: every prediction is within a factor of 100 where an error was observed at all, the
# calm kernel is good at any size, and the wild one is useless in float32 long before 32x32.
for key, errors in observed.items():
    seen = errors > 0
    assert (np.abs(np.log10(errors[seen] / expected[key][seen])) < 2).all(), key
assert observed["calm", "float32"][-1] < 1e-5
assert observed["wild", "float32"][-1] > 1
assert theory.stability(kernels["calm"], (32, 32)).verdict == "bounded"
assert theory.stability(kernels["wild"], (32, 32)).verdict == "growing"
assert fastest < 1e-3
assert (column == 2.0 ** np.arange(12)).all()
assert stability.verdict == "growing"
assert theory.check_certificate(edge, stability.proof, anchor=(1, 1))
print("wrote invertible_is_not_usable.png: where does each kernel cross the dotted line?")
