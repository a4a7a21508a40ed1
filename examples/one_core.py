"""Where does the time go when a flow samples on one core, and how far from the core's limit is it?

Run me with ``python examples/one_core.py``; I leave ``one_core.png``. What I measure is the machine
as it is now: leave it alone for the half minute that I take.
"""

# %% The machine: the fastest matrix product, and how fast arrays move between core and memory. The
# lower of the two is the roofline. On a busy machine dots may lie above it: then the core was not
# alone while the roof was measured.
import numpy as np
from matplotlib.figure import Figure

import cinc_ref as cr
from cinc_ref.bench import convolution, flows, machine
from cinc_ref.timing import one_core

# On a busy machine a large product never has the core alone, but a small one sometimes has.
peak = max(machine.gemm_peak(n, repeat)["float32"] for n, repeat in ((256, 300), (1024, 3)))
bandwidth = machine.bandwidth(megabytes=64, repeat=3)
print(f"{machine.cpu_name()}: {peak:.0f} GFLOP/s in float32, {bandwidth:.0f} GB/s")

# %% Sampling, layer by layer. The inverse of every layer is timed where it is called.
flow, params = flows.model(levels=3, depth=4, width=64)
flows.layer_seconds(flow, params, 2, rounds=1)  # compiles
with one_core():
    seconds = flows.layer_seconds(flow, params, 32, rounds=2)
whole = sum(seconds.values())
for kind, part in sorted(seconds.items(), key=lambda item: -item[1]):
    print(f"{kind:16s} {1000 * part:6.1f} ms {part / whole:6.1%}")

# %% The exact inverse alone: the loops as the paper writes them, and the kernels that the package
# runs, on the images of three levels and on others: longer sides, fewer and more images.
levels = [(12, 16, 32), (24, 8, 32), (48, 4, 32)]
sides = [(12, side, 32) for side in (4, 8, 16, 32)]
batches = [(12, 8, batch) for batch in (1, 4, 16, 64, 256)]
channels = [(channels, 8, 32) for channels in (3, 6, 12, 24, 48)]


def inverse_seconds(channels, side, batch):
    """Seconds of ours, the reference loops and PyTorch's forward convolution, if installed.

    Each is the least of several, which other work on the machine disturbed least.
    """
    rows = convolution.measure_case(channels, (side, side), batch, rounds=5, turn=0.002)
    names = ("conv_inverse, batch-last", "reference inverse", "PyTorch forward")
    return [min((r.minimum for r in rows if r.what.startswith(n)), default=None) for n in names]


measured = {case: inverse_seconds(*case) for case in {*levels, *sides, *batches, *channels}}
for case in levels:
    ours, reference, _ = measured[case]
    print(f"C={case[0]}, {case[1]}x{case[1]}: {reference / ours:.0f} times as fast as the loops")


# %% The picture.
OURS, LOOPS, TORCH, INK = "#8c1d40", "#7a9cc6", "#d08c00", "#222222"
figure = Figure(figsize=(13, 8), dpi=160, layout="constrained")
figure.suptitle(f"One core of {machine.cpu_name()}, float32", fontsize=14)
axes = figure.subplots(2, 3)


def draw_times(axes, cases, values, title, label):
    """Time per image against one of the numbers of a case."""
    for which, (name, colour, marker) in enumerate(
        [
            ("ours, exact inverse", OURS, "o-"),
            ("reference loops, exact inverse", LOOPS, "s--"),
            ("PyTorch, forward convolution", TORCH, "^:"),
        ]
    ):
        times = [measured[case][which] for case in cases]
        if None not in times:
            each = [1e6 * t / case[2] for t, case in zip(times, cases, strict=True)]
            axes.plot(values, each, marker, color=colour, markersize=5, label=name)
    axes.set(xscale="log", yscale="log", title=title, xlabel=label)
    axes.set_ylabel("time per image, microseconds")
    axes.set_xticks(values, values)
    axes.minorticks_off()


names = sorted(seconds, key=seconds.get)
bars = axes[0, 0].barh(names, [1000 * seconds[name] for name in names], color=OURS)
axes[0, 0].bar_label(bars, [f" {seconds[name] / whole:.1%}" for name in names])
axes[0, 0].set(title="sampling 32 images, by layer", xlabel="time of all layers of a kind, ms")
axes[0, 0].set_ylabel("kind of layer")
axes[0, 0].margins(x=0.2)
draw_times(
    axes[0, 1],
    sides,
    [side for _, side, _ in sides],
    "images of 12 channels, 32 at once",
    "height and width, pixels",
)
draw_times(axes[0, 2], batches, [n for _, _, n in batches], "images of 12x8x8", "images at once")
draw_times(
    axes[1, 0],
    channels,
    [c for c, _, _ in channels],
    "images of 8x8 pixels, 32 at once",
    "channels",
)
handles, _ = axes[0, 1].get_legend_handles_labels()
figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False)

speed_up = [measured[case][1] / measured[case][0] for case in levels]
bars = axes[1, 1].bar([f"{c}x{s}x{s}" for c, s, _ in levels], speed_up, color=OURS)
axes[1, 1].bar_label(bars, [f"{ratio:.0f}" for ratio in speed_up])
axes[1, 1].set(title="three levels of a flow, 32 images")
axes[1, 1].set(xlabel="channels x height x width", ylabel="time of reference loops / ours")

# %% The roofline: a convolution reads its input and writes its output, and makes many operations of
# every number: the more channels, the more. Below the slope memory limits, below the flat part
# arithmetic.
intensity, speed = {}, {}
for case in measured:
    work = 2 * convolution.multiply_adds(case[0], (case[1], case[1]), case[2])
    moved = 2 * 4 * case[0] * case[1] ** 2 * case[2]  # float32, once in and once out
    intensity[case], speed[case] = work / moved, work / measured[case][0] / 1e9
ridge = np.geomspace(1, 300, 500)
axes[1, 2].plot(ridge, np.minimum(peak, bandwidth * ridge), color=INK, linewidth=1)
axes[1, 2].scatter(intensity.values(), speed.values(), color=OURS, s=18, label="ours")
axes[1, 2].legend(frameon=False, loc="lower right")
axes[1, 2].set(
    xscale="log",
    yscale="log",
    xlabel="operations per byte moved",
    ylabel="operations, GFLOP/s",
    title=f"roofline: matrix products {peak:.0f} GFLOP/s,\ncopies {bandwidth:.0f} GB/s",
)
for panel in axes.flat:
    panel.spines[["top", "right"]].set_visible(False)
    panel.grid(color="#eeeeee")
    panel.set_axisbelow(True)
figure.savefig("one_core.png")

# %% The checks: what was timed is the exact inverse, all parts are there, and it pays.
x, kernel = convolution.problem(12, (16, 16), 32, "float32")
error = np.abs(cr.conv_inverse(cr.conv(x, kernel), kernel) - x).max()
print(f"largest error of the inverse: {error:.1e}")
assert error < 1e-4
assert {"InvertibleConv", "AffineCoupling", "ActNorm"} < set(seconds)
assert min(speed_up) > 4
print("wrote one_core.png: where, in the last panel, are the dots below the roof, and why?")
