"""Are the layers of a flow library what they say?

Run me with ``python examples/check_a_library.py``; I leave ``check_a_library.png``.
Besides ``pip install ".[plots]"`` I need normflows and PyTorch:
``pip install torch`` and ``pip install --no-deps normflows``.
"""

# %% Three layers of Glow: activation normalization, 1x1 convolution, affine coupling.
import matplotlib.pyplot as plt
import normflows
import torch
from normflows.flows import ActNorm, AffineCouplingBlock, Invertible1x1Conv

from cinc_ref.testing import CheckFailure, check_bijection

torch.manual_seed(0)
x = torch.randn(3, 4, 3, 3, dtype=torch.float64)  # differences are sharper than in float32

network = normflows.nets.ConvNet2d([2, 8, 8, 4], [3, 1, 3], init_zeros=False)
layers = {
    "ActNorm": ActNorm((4, 1, 1)),
    "Invertible1x1Conv, LU": Invertible1x1Conv(4, use_lu=True),
    "Invertible1x1Conv, plain": Invertible1x1Conv(4, use_lu=False),
    "AffineCouplingBlock": AffineCouplingBlock(network),
}
layers = {name: layer.double() for name, layer in layers.items()}

# %% ActNorm takes its scale from the first batch that it sees: show it one, so that it is set. All
# parameters are then moved away from their start, where log-determinants are 0 and signs do not
# show.
layers["ActNorm"](3 * x + 1)
with torch.no_grad():
    for layer in layers.values():
        for parameter in layer.parameters():
            parameter += 0.3 * torch.randn_like(parameter)


# %% A layer of this library returns a single log-determinant where it is the same for all images.
# The checks ask for one an image, shape (N,), and say so. Repeated, it has to be right for each.
def one_an_image(direction):
    def wrapped(images):
        result, log_det = direction(images)
        return result, log_det.expand(len(images))

    return wrapped


def outcome(forward, inverse):
    try:
        check_bijection(forward, inverse, x)
    except CheckFailure as failure:
        return failure.check
    return "passes"


# %% What comes out.
outcomes = {}
for name, layer in layers.items():
    as_it_is = outcome(layer.forward, layer.inverse)
    outcomes[name] = outcome(one_an_image(layer.forward), one_an_image(layer.inverse))
    print(f"normflows {name}: as it is, {as_it_is}; one figure an image, {outcomes[name]}")

# %% The picture: what each layer does to volumes, and that its inverse undoes it.
figure, axis = plt.subplots(figsize=(8, 3.6))
with torch.no_grad():
    for row, layer in enumerate(layers.values()):
        y, log_det = one_an_image(layer.forward)(x)
        _, back = one_an_image(layer.inverse)(y)
        axis.scatter(log_det, [row] * len(x), marker="o", color="C0")
        axis.scatter(-back, [row] * len(x), marker="+", s=150, color="C1")
axis.set_title("Layers of normflows: three images each, forward and back")
axis.set_yticks(range(len(layers)), [f"{name}: {outcomes[name]}" for name in layers])
axis.set_ylabel("layer: outcome of the checks")
axis.set_xlabel("log-determinant, nats")
axis.legend(["of the forward pass", "minus that of the inverse"], loc="upper left")
axis.margins(y=0.2)
figure.savefig("check_a_library.png", bbox_inches="tight", dpi=160)

# %% The check.
assert set(outcomes.values()) == {"passes"}, outcomes
print("wrote check_a_library.png: does a + stand on every dot?")
