"""
The comparison
==============

Which of the invertible convolutions is best: what do they read, what do they learn, and what do
they cost?
"""

# %%
# The paper compares three convolutions with each other and with the 1x1 convolution of Glow, which
# mixes the channels of one pixel only. All are the same operation, with other kernels:
#
# - *Autoregressive*: the pixel and a half-plane before it. The entry that reads the pixel itself is
#   not the last one of its kernel of 2x3, but the one in the middle of its last row.
# - *Emerging*: two kernels of 2x2, one after the other, the second from the opposite corner.
# - *CInC*: one kernel of 3x3, the quadrant above and on the left.
import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import cinc_ref as cr
from cinc_ref.bijections import EmergingConv, InvertibleConv
from cinc_ref.comparison.table import budget

layers = {
    "Autoregressive": InvertibleConv((2, 3), anchor=(1, 1)),
    "Emerging": EmergingConv(3),
    "CInC": InvertibleConv(3),
}
size, channels = (5, 5), 12


def matrix_of(layer):
    """Return the matrix of a layer with one channel whose kernels hold ones.

    Two convolutions are two matrices that are multiplied, the first one on the right.
    """
    product = np.eye(25)
    for convolution in layer.layers if isinstance(layer, EmergingConv) else (layer,):
        params = convolution.init(0, np.zeros((1, 1, *size)))
        kernel = convolution.kernel({**params, "taps": np.ones_like(params["taps"])})
        product = cr.convolution_matrix(kernel, size, **convolution.geometry._asdict()) @ product
    return product


# %%
# The upper pictures show what the middle pixel of 5x5 reads, and in how many ways. The lower ones
# are the matrices. Two are triangular and are undone by one substitution. That of Emerging is the
# product of an upper and a lower triangular matrix, and takes two substitutions. The title gives
# the parameters that each learns for 12 channels.
matrices = {name: matrix_of(layer) for name, layer in layers.items()}
figure, axes = plt.subplots(2, 3, figsize=(8, 6.2), layout="constrained")
figure.suptitle("What three invertible convolutions read, and their matrices")
for (name, matrix), (above, below) in zip(matrices.items(), axes.T, strict=True):
    style = {"cmap": "cividis_r", "vmin": 0, "vmax": 4}
    drawn = above.imshow(np.where(matrix, matrix, np.nan)[12].reshape(size), **style)
    above.add_patch(plt.Rectangle((1.5, 1.5), 1, 1, fill=False, edgecolor="#c8102e", linewidth=3))
    above.set(title=f"{name}:\n{layers[name].count_parameters(channels):,} parameters")
    above.set(xlabel="column, pixels", ylabel="row, pixels")
    below.imshow(np.where(matrix, matrix, np.nan), **style)
    below.plot([-0.5, 24.5], [-0.5, 24.5], color="#c8102e", linewidth=1)
    below.set(xlabel="number of the input pixel", ylabel="number of output pixel")
figure.colorbar(
    drawn,
    ax=axes,
    location="bottom",
    shrink=0.5,
    ticks=range(5),
    label="number of ways to read a pixel (blank: 0)",
)
figure.savefig("the_comparison.png", dpi=160)

# %%
# **What they learn and cost.** ``python -m cinc_ref compare`` trains a flow with each convolution
# and each coupling on the same images, with the same seeds and the same budget, on one core. What
# follows was measured and stored in the folder ``comparison`` of the repository, which also holds
# the command of each. (To run this as a notebook, start it in the folder ``examples``.)
here = Path(__file__).parent if "__file__" in globals() else Path.cwd()
stored = {
    file.parent.name: json.loads(file.read_text("utf-8"))
    for file in sorted((here.parent / "comparison").glob("*/comparison.json"))
}


def draw_comparison(name, comparison):
    """Draw bits per dimension and the time of sampling for each system and coupling."""
    rows = sorted(comparison["rows"], key=lambda row: -row["test_bits_per_dim"])
    places = np.arange(len(rows))
    figure, (quality, cost) = plt.subplots(
        1, 2, figsize=(8, 1.8 + 0.32 * len(rows)), sharey=True, layout="constrained"
    )
    settings = comparison["settings"]
    figure.suptitle(
        f"{settings['data'].capitalize()}, each trained {budget(settings)}: best at the top"
    )
    for place, row in zip(places, rows, strict=True):
        marker, colour = {"affine": ("o", "#4c6a92"), "quad": ("s", "#8c1d40")}[row["coupling"]]
        bits = [
            run["test_bits_per_dim"]
            for run in comparison["results"]
            if (run["job"]["name"], run["job"]["coupling"]) == (row["system"], row["coupling"])
        ]
        quality.plot(bits, [place] * len(bits), marker, color=colour, markeredgecolor="black")
        quality.annotate(
            f"{row['test_bits_per_dim']:.3f}",
            (max(bits), place),
            xytext=(9, 0),
            textcoords="offset points",
            va="center",
        )
        whole = 1000 * row["sampling_seconds"]
        inside = whole * row["convolution_share"]
        cost.barh(place, whole, color="#dddddd", edgecolor="black")
        cost.barh(place, inside, color=colour, edgecolor="black", hatch="///")
        cost.text(whole, place, f" {whole:.3g} ms", va="center")
    quality.set_yticks(places, [f"{row['system']}, {row['coupling']}" for row in rows])
    quality.set(xlabel="bits per dimension (less is better)", ylabel="system, coupling")
    quality.set_title("test images: a marker a seed; number: mean", size=10)
    quality.margins(x=0.35)
    cost.set(xlabel="time of 100 samples on one core, ms")
    cost.set_title("hatched: time in the convolutions", size=10)
    cost.margins(x=0.25)
    figure.savefig(f"the_comparison_{name}.png", dpi=160)


for name, comparison in stored.items():
    draw_comparison(name, comparison)

# %%
# - **CInC or Glow?** On natural patches CInC is clearly better: neighbouring pixels tell much about
#   a pixel there, and a 1x1 kernel does not see them. On the small digits it is level, if its
#   corner block is as free as that of Glow (``cinc-plu``).
# - **Quad or affine coupling?** In the same minutes affine wins everywhere, because a step with
#   quad takes twice as long.
# - **What does the exact inverse cost?** Little: most of the time goes into the couplings.
#   Emerging, with two substitutions and a 1x1 convolution, takes several times as long in its
#   convolutions as CInC does, which takes one substitution. In the paper, on other machines,
#   Emerging took 1.9 times as long as CInC in all.


def row_of(name, system, coupling):
    """Return the row of a stored comparison for a system and a coupling."""
    pair = (system, coupling)
    (row,) = (r for r in stored[name]["rows"] if (r["system"], r["coupling"]) == pair)
    return row


emerging, cinc = row_of("digits", "emerging", "affine"), row_of("digits", "cinc", "affine")
in_all = emerging["sampling_seconds"] / cinc["sampling_seconds"]
in_convolutions = emerging["convolution_seconds"] / cinc["convolution_seconds"]
print(f"Emerging / CInC, time of sampling: {in_all:.2f}, in the convolutions {in_convolutions:.2f}")
papers = float(emerging["paper_sampling_seconds"]) / float(cinc["paper_sampling_seconds"])
print(f"the same in the paper: {papers:.2f}")

# %%
# The checks: what the drawings show, the numbers of parameters, and what the list above says.
assert [(matrix[12] != 0).sum() for matrix in matrices.values()] == [5, 9, 9]
assert [np.triu(matrix, 1).any() for matrix in matrices.values()] == [False, True, False]
assert all(round(np.linalg.det(matrix)) == 1 for matrix in matrices.values())
assert [layer.count_parameters(channels) for layer in layers.values()] == [654, 1020, 1230]
for coupling in ("affine", "quad"):
    by_system = [
        row_of("patches", name, coupling)["test_bits_per_dim"] for name in ("cinc", "glow")
    ]
    assert by_system[0] < by_system[1] - 0.1
for system in ("glow", "emerging", "cinc", "cinc-plu"):
    by_coupling = [
        row_of("digits", system, name)["test_bits_per_dim"] for name in ("affine", "quad")
    ]
    assert by_coupling[0] < by_coupling[1]
assert in_convolutions > 2 and cinc["convolution_share"] < 0.2
print("the drawings, the counts and the answers are those of the layers and of the stored results")
