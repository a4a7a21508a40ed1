"""
A density estimator for scikit-learn
====================================

A flow gives every image a density. Is an image of low density an outlier, and one of high density
like those the flow has learned from?
"""

# %%
# `FlowDensity` is an estimator like scikit-learn's `KernelDensity`: a row of the matrix is an
# image, here of 8x8 pixels with the grey levels 0 to 16. Four fifths of the handwritten digits are
# to learn from, the others to be judged by.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KernelDensity

from cinc_ref.data import image_set
from cinc_ref.sklearn import FlowDensity

digits, test = train_test_split(load_digits().data, test_size=0.2, random_state=0)
flow = FlowDensity(bins=17, steps=300, random_state=0).fit(digits)
print(flow)
print(f"{flow.score(test):.0f} nats for a digit it has not seen, on average")
print(f"{flow.bits_per_dim(test).mean():.2f} bits per pixel; a pixel of 17 levels has 4.09")

# %%
# **A better density than kernels.** `KernelDensity` puts a normal distribution on every digit that
# it has seen. Of all widths, none gives unseen digits the density that the flow gives them.
widths = [1.0, 1.5, 2.0, 2.5, 3.0, 4.0]
kernels = [KernelDensity(bandwidth=width).fit(digits).score(test) / len(test) for width in widths]
print(f"{max(kernels):.0f} nats with the best kernel, {flow.score(test):.0f} with the flow")

# %%
# **Images that are no digits**, all of them real or made of real ones. The photographs are patches
# of scikit-learn's two pictures, in the same grey levels. The faded digits are the test digits
# with a quarter of the ink.
rng = np.random.default_rng(0)
photographs = image_set("patches", size=8).test.mean(axis=1).reshape(-1, 64)
others = {
    "digits, shuffled pixels": rng.permuted(test, axis=1),
    "digits, dark on light": 16 - test,
    "photographs": np.floor(photographs / 256 * 17),
    "digits, faded": np.floor(test / 4),
    "empty paper": np.zeros((1, 64)),
}
known = flow.score_samples(test)
scores = {name: flow.score_samples(images) for name, images in others.items()}
for name, score in scores.items():
    above = np.mean(score > np.median(known))
    print(f"{name:25s} {np.median(score):6.0f} nats, {above:4.0%} above the median digit")

# %%
# **The picture.** What was shuffled or turned to its negative is told apart: its density is
# hundreds of nats lower. But many photographs, and nearly all of the faded digits, have a higher
# density than the usual digit. A density is high where there are few surprises, and a smooth image
# has none, whatever it shows.
names = ["digits", *others]
figure, (boxes, pictures) = plt.subplots(
    1, 2, figsize=(8, 4.2), width_ratios=(3, 1), layout="constrained"
)
figure.suptitle("Log-density of digits and of other images, by a flow that has learned digits")
boxes.boxplot(
    [known, *scores.values()],
    orientation="horizontal",
    whis=(5, 95),
    showfliers=False,
    medianprops={"color": "#8c1d40", "linewidth": 2},
)
boxes.axvline(np.median(known), color="#222222", linewidth=0.8, linestyle=":")
boxes.set_yticks(range(1, len(names) + 1), names)
boxes.set_xlabel("log-density, nats (boxes: quartiles, whiskers: 5 % to 95 %)")
boxes.set_ylim(0.5, len(names) + 0.5)
boxes.set_xscale("symlog", linthresh=100)
boxes.set_xticks([-1000, -500, -200, -100], ["-1000", "-500", "-200", "-100"])
boxes.set_xlim(right=-80)
boxes.minorticks_off()
examples = [test, *others.values()]
sheet = np.concatenate(
    [
        np.concatenate([images[k * len(images) // 3].reshape(8, 8) for k in range(3)], axis=1)
        for images in examples[::-1]
    ]
)
extent = (0, 3, *boxes.get_ylim())  # each row beside its box
pictures.imshow(sheet, cmap="gray_r", vmin=0, vmax=16, extent=extent, aspect="auto")
pictures.set_title("three of each")
pictures.axis("off")
figure.savefig("density_estimator.png", dpi=160)

# %%
# The checks. So a low density is a reason for a closer look, and a high one is no reason to
# trust. What helps is another question than "how probable?": two models, one of digits and one of
# images in general, whose densities are compared.
assert flow.score(test) > max(kernels)
assert np.median(scores["digits, shuffled pixels"]) < np.median(known) - 200
assert np.mean(scores["photographs"] > np.median(known)) > 0.1
assert np.mean(scores["digits, faded"] > np.median(known)) > 0.5
print("a photograph can be more probable than a digit, to a model of digits")
