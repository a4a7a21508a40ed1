"""
Where the time goes
===================

Where does the time go when a flow samples on one core, and how far is it from what the core can do?
"""

# %%
# Two numbers limit a core: how many additions and multiplications it does in a second, measured by
# large matrix products, and how many bytes it moves between itself and memory. What follows is
# measured on the machine as it is now, so leave it alone for half a minute.
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import LogLocator, NullFormatter
from threadpoolctl import threadpool_info

import cinc_ref as cr
from cinc_ref.bench import convolution, flows, machine
from cinc_ref.timing import one_core

# On a busy machine a large product never has the core alone, but a small one sometimes has.
peak = max(machine.gemm_peak(n, repeat)["float32"] for n, repeat in ((256, 300), (1024, 3)))
bandwidth = machine.bandwidth(megabytes=64, repeat=3)
print(f"{machine.cpu_name()}: {peak:.0f} GFLOP/s in float32, {bandwidth:.0f} GB/s")

# %%
# **Sampling, layer by layer.** A flow for images of 3x32x32 pixels draws 32 images. The inverse of
# every layer is timed where it is called. One might expect the substitution, pixel after pixel, to
# be what takes long. It is not: the networks in the couplings are.
flow, params = flows.model(levels=3, depth=4, width=64)
flows.layer_seconds(flow, params, 2, rounds=1)  # compiles
with one_core():
    seconds = flows.layer_seconds(flow, params, 32, rounds=2)
whole = sum(seconds.values())
shares = {name: seconds[name] / whole for name in sorted(seconds, key=seconds.get)}

# %%
# **The inverse alone.** Two programs do the same: the loops as one writes them down from the paper,
# and the kernels of this package, which take the pixels in the same order, but hold the sums of
# many images and channels in the registers of the core. If PyTorch is installed, its *forward*
# convolution is timed too: the exact inverse need not cost more.
levels = [(12, 16, 32), (24, 8, 32), (48, 4, 32)]  # channels, height and width, images at once
sides = [(12, side, 32) for side in (4, 8, 16)]
batches = [(12, 8, batch) for batch in (1, 4, 16, 64, 256)]
channels = [(channels, 8, 32) for channels in (3, 6, 12, 24, 48)]


def inverse_seconds(channels, side, batch):
    """Return the seconds of the kernels, of the loops and, if installed, of PyTorch.

    Each is the least of several, which other work on the machine disturbed least.
    """
    rows = convolution.measure_case(channels, (side, side), batch, rounds=3, turn=0.002)
    names = ("conv_inverse, batch-last", "reference inverse", "PyTorch forward")
    return [min((r.minimum for r in rows if r.what.startswith(n)), default=None) for n in names]


measured = {case: inverse_seconds(*case) for case in {*levels, *sides, *batches, *channels}}
speed_up = [measured[case][1] / measured[case][0] for case in levels]

figure, axes = plt.subplots(1, 2, figsize=(8, 3.8), layout="constrained", width_ratios=[1.4, 1])
figure.suptitle("Sampling on one core: the exact inverse is a small part of it")
style = {"color": "#8c1d40", "edgecolor": "black"}
bars = axes[0].barh([*shares], [1000 * seconds[name] for name in shares], **style)
axes[0].bar_label(bars, [f" {share:.1%}" for share in shares.values()])
axes[0].set(title="32 images of 3x32x32, by layer", xlabel="time of all layers of a kind, ms")
axes[0].set_ylabel("kind of layer")
axes[0].margins(x=0.2)
bars = axes[1].bar([f"{c}x{s}x{s}" for c, s, _ in levels], speed_up, **style)
axes[1].bar_label(bars, [f"{ratio:.0f}" for ratio in speed_up])
axes[1].set(title="the inverse, at three levels", xlabel="channels x height x width")
axes[1].set_ylabel("time of the loops / of the kernels")
axes[1].margins(y=0.1)
figure.savefig("one_core.png", dpi=160)

# %%
# How the time grows with the size of the images, with their number and with the channels. More
# images at once cost less each, up to the number that fills the registers.
figure, axes = plt.subplots(1, 3, figsize=(8, 4), sharey=True, layout="constrained")
figure.suptitle("Time of undoing one image's 3x3 convolution, in float32")
looks = (
    ("kernels, exact inverse", "#8c1d40", "o-"),
    ("loops, exact inverse", "#4c6a92", "s--"),
    ("PyTorch, forward convolution", "#d08c00", "^:"),
)
panels = (
    (sides, [side for _, side, _ in sides], "12 channels,\n32 images", "height and width, pixels"),
    (batches, [n for _, _, n in batches], "12 channels,\n8x8 pixels", "images at once"),
    (channels, [c for c, _, _ in channels], "8x8 pixels,\n32 images", "channels"),
)
for panel, (cases, values, title, label) in zip(axes, panels, strict=True):
    for which, (name, colour, look) in enumerate(looks):
        times = [measured[case][which] for case in cases]
        if None not in times:
            each = [1e6 * t / case[2] for t, case in zip(times, cases, strict=True)]
            panel.plot(values, each, look, color=colour, label=name)
    panel.set(xscale="log", yscale="log", title=title, xlabel=label)
    panel.set_xticks(values, values)
    panel.minorticks_off()
axes[0].set_ylabel("time per image, microseconds")
handles, _ = axes[0].get_legend_handles_labels()
figure.legend(handles=handles, loc="outside lower center", ncols=3)
figure.savefig("one_core_sizes.png", dpi=160)

# %%
# **The roof.** A convolution reads its input and writes its output, and makes many operations of
# each number: the more channels, the more. Where it makes few, memory limits it, and where it makes
# many, arithmetic does: the two limits together look like a roof.
#
# The flat part is drawn where NumPy's matrix products are. Their library chooses its code by the
# name of the processor. Where it does not know the name, it uses only half of the width of the
# registers, and then dots lie above the roof. The architecture that it takes this core for:
architectures = {
    pool.get("architecture", "?") for pool in threadpool_info() if pool["user_api"] == "blas"
}
print("the BLAS computes as on", *architectures)
intensity, speed = {}, {}
for case in measured:
    work = 2 * convolution.multiply_adds(case[0], (case[1], case[1]), case[2])
    moved = 2 * 4 * case[0] * case[1] ** 2 * case[2]  # float32, once in and once out
    intensity[case], speed[case] = work / moved, work / measured[case][0] / 1e9

figure, axes = plt.subplots(figsize=(8, 4.2), layout="constrained")
ridge = np.geomspace(1, 300, 500)
axes.plot(ridge, np.minimum(peak, bandwidth * ridge), color="black", linewidth=1.5)
axes.text(1.05, 0.8 * bandwidth, f"memory: {bandwidth:.0f} GB/s", ha="left", va="top")
axes.text(300, 1.06 * peak, f"matrix products: {peak:.0f} GFLOP/s", ha="right")
for images, marker in ((1, "v"), (32, "o"), (256, "s")):
    cases = [case for case in measured if case[2] == images]
    axes.scatter(
        [intensity[case] for case in cases],
        [speed[case] for case in cases],
        marker=marker,
        color="#8c1d40",
        edgecolor="black",
        label=f"{images} at once",
    )
axes.set(xscale="log", yscale="log", title="How near the exact inverse comes to the core's limit")
axes.set(xlabel="operations per byte moved", ylabel="operations, GFLOP/s")
axes.set_ylim(0.6 * min(bandwidth, *speed.values()), 1.5 * max(peak, *speed.values()))
for axis in (axes.xaxis, axes.yaxis):
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(NullFormatter())
axes.legend(title="images", loc="lower right")
figure.savefig("one_core_roof.png", dpi=160)

# %%
# The checks: what was timed is the exact inverse, all kinds of layers are there, and it pays.
x, kernel = convolution.problem(12, (16, 16), 32, "float32")
error = np.abs(cr.conv_inverse(cr.conv(x, kernel), kernel) - x).max()
assert error < 1e-4
assert {"InvertibleConv", "AffineCoupling", "ActNorm"} < set(seconds)
assert min(speed_up) > 4
print(f"the convolutions take {shares['InvertibleConv']:.0%} of the time of sampling;")
print(f"the inverse is {min(speed_up):.0f} to {max(speed_up):.0f} times as fast as the loops")
