"""Can a program write digits, after looking at 1,437 of them for a minute?

Run me with ``python examples/train_digits.py``; I leave ``train_digits.png``. With the environment
variable STEPS I train for that many steps instead of a minute.
"""

# %% The images: handwritten digits in three parts, grey levels 0 to 16.
import os

import numpy as np

import cinc_ref as cr
from cinc_ref.data import image_set
from cinc_ref.flows import quantize
from cinc_ref.plots import samples_figure

budget = {"steps": int(os.environ["STEPS"])} if "STEPS" in os.environ else {"minutes": 1}
digits = image_set("digits")
print(f"{len(digits.train)} digits to learn from, {len(digits.test)} to be judged by")

# %% The model: an invertible map from digits to noise, a chain of invertible convolutions and
# couplings. Because it is invertible, it gives every digit a probability that can be computed.
flow = cr.flows.build(
    "cinc", "affine", digits.image_shape, levels=2, depth=4, width=64, bins=17, corner_block="plu"
)

# %% Training: step by step, make the digits that people wrote more probable. The second part tells
# when the model begins to learn the first by heart instead.
result = cr.train(
    flow, digits.train, digits.validation, learning_rate=8e-3, batch_size=64, **budget
)
print(result.message)

# %% What it learned. To a model that knows nothing a pixel costs log2(17) = 4.09 bits; a histogram
# of the grey levels of every pixel brings that to about 2.4.
test = cr.evaluate(flow, result.params, digits.test)
print(f"bits per pixel: {result.history[0]['validation']:.2f} before training")
print(f"bits per pixel: {test.bits_per_dim:.2f} after it, on digits never seen")

# %% What it writes: noise, sent backwards through the flow. A temperature below 1 keeps the noise,
# and with it the digits, a little closer to the middle.
samples = flow.sample(result.params, np.random.default_rng(0), 100, temperature=0.8)
picture = samples_figure(quantize(samples, 17), flow, temperature=0.8, data=digits.name)
picture.savefig("train_digits.png")

# %% The checks: it did learn, and a digit that goes through the flow and back comes back.
print(f"largest error of a digit that went through the flow and back: {test.largest_error:.1e}")
assert test.bits_per_dim < result.history[0]["validation"]
assert test.largest_error < 0.01  # grey levels
print("wrote train_digits.png: which of the hundred would you take for a person's?")
