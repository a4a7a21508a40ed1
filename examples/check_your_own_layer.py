"""Is the layer that I have just written right?

Run me with ``python examples/check_your_own_layer.py``; I leave ``check_your_own_layer.png``.
Besides ``pip install ".[plots]"`` I need PyTorch: ``pip install torch``.
"""

# %% A CInC convolution in PyTorch: pad at the top and left, correlate.
import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F

from cinc_ref.testing import CheckFailure, Implementation, check_bijection, run_checks


def conv(x, kernel):
    kh, kw = kernel.shape[2:]
    return F.conv2d(F.pad(x, (kw - 1, 0, kh - 1, 0)), kernel)


# %% Its inverse, pixel after pixel: subtract what the earlier pixels gave, solve with the corner
# block, which is lower triangular.
def conv_inverse(y, kernel):
    kh, kw = kernel.shape[2:]
    corner = kernel[:, :, -1, -1]
    if torch.triu(corner, 1).any():
        raise NotImplementedError("the corner block must be lower triangular")
    x = F.pad(torch.zeros_like(y), (kw - 1, 0, kh - 1, 0))
    for i in range(y.shape[2]):
        for j in range(y.shape[3]):
            window = x[:, :, i : i + kh, j : j + kw]
            rest = y[:, :, i, j] - torch.einsum("ncab,ocab->no", window, kernel)
            x[:, :, i + kh - 1, j + kw - 1] = torch.linalg.solve_triangular(
                corner, rest.T, upper=False
            ).T
    return x[:, :, kh - 1 :, kw - 1 :]


def log_abs_det(kernel, size):
    corner = kernel[:, :, -1, -1]
    if torch.triu(corner, 1).any():
        raise NotImplementedError("the corner block must be lower triangular")
    return size[0] * size[1] * torch.diagonal(corner).abs().log().sum()


def conv_vjp(x, kernel, g):
    x, kernel = x.requires_grad_(), kernel.requires_grad_()
    return torch.autograd.grad(conv(x, kernel), (x, kernel), g)


# %% The checks call functions of NumPy arrays, so the tensors are wrapped.
def on_arrays(function):
    def wrapped(*arguments):
        return function(
            *(torch.from_numpy(a) if isinstance(a, np.ndarray) else a for a in arguments)
        )

    return wrapped


report = run_checks(
    Implementation(
        conv=on_arrays(conv),
        conv_inverse=on_arrays(conv_inverse),
        log_abs_det=on_arrays(log_abs_det),
        conv_vjp=on_arrays(conv_vjp),
        name="my CInC convolution",
    )
)
print(report)
assert report.ok


# %% A slip: the inverse takes the image for square. The names of the failing checks say when.
def for_square_images(y, kernel):
    x = conv_inverse(y, kernel)
    side = x.shape[3]
    return torch.cat([x[:, :, :side], y[:, :, side:]], dim=2)


slip = run_checks(Implementation(conv_inverse=on_arrays(for_square_images), name="the slip"))
print("\n", *slip.failed)
print(slip.failures["conv_inverse_tall"])
assert "conv_inverse_tall" in slip.failed
assert "conv_inverse_square" in slip.passed and "conv_inverse_wide" in slip.passed


# %% A quad-coupling: four blocks of channels, the first kept, every other shifted and scaled by a
# network that reads the blocks before it. The inverse recovers one block at a time.
class QuadCoupling(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.networks = torch.nn.ModuleList(torch.nn.Conv2d(k, 2, 3, padding=1) for k in (1, 2, 3))

    def shift_and_log_scale(self, k, known):
        shift, h = self.networks[k - 1](known).chunk(2, dim=1)
        return shift, F.logsigmoid(h + 2)

    def forward(self, x):
        y, log_det = [x[:, :1]], 0
        for k in (1, 2, 3):
            shift, log_scale = self.shift_and_log_scale(k, x[:, :k])
            y.append((x[:, k : k + 1] + shift) * log_scale.exp())
            log_det = log_det + log_scale.sum(dim=(1, 2, 3))
        return torch.cat(y, dim=1), log_det

    def inverse(self, y):
        x, log_det = y[:, :1], 0
        for k in (1, 2, 3):
            shift, log_scale = self.shift_and_log_scale(k, x)
            x = torch.cat([x, y[:, k : k + 1] * (-log_scale).exp() - shift], dim=1)
            log_det = log_det - log_scale.sum(dim=(1, 2, 3))
        return x, log_det


# %% `check_bijection` takes tensors as they are. No check is passed at the start of training alone:
# the networks here have random weights.
torch.manual_seed(0)
layer = QuadCoupling().double()
x = torch.randn(3, 4, 3, 3, dtype=torch.float64)
check_bijection(layer, layer.inverse, x)
print("\nthe quad-coupling inverts itself, and its log-determinants are those of its Jacobian")


# %% The slip of the published code: its reverse pass hands the networks a block of y, where the
# forward pass had handed them the block of x.
def published_inverse(y):
    x, log_det = y[:, :1], 0
    for k in (1, 2, 3):
        shift, log_scale = layer.shift_and_log_scale(k, y[:, :k])
        x = torch.cat([x, y[:, k : k + 1] * (-log_scale).exp() - shift], dim=1)
        log_det = log_det - log_scale.sum(dim=(1, 2, 3))
    return x, log_det


try:
    check_bijection(layer, published_inverse, x)
except CheckFailure as failure:
    found = failure
print(found)

# %% The picture: which block of channels each inverse gets wrong. A logarithmic axis has no place
# for 0: a block that comes back bit for bit has no bar, but the words "exactly 0".
figure, axes = plt.subplots(1, 2, figsize=(9, 4), sharey=True, layout="constrained")
figure.suptitle("Error of a round trip through a quad-coupling, three images")
with torch.no_grad():
    for axis, inverse, title in (
        (axes[0], layer.inverse, "the inverse"),
        (axes[1], published_inverse, "the published reverse pass"),
    ):
        error = (inverse(layer(x)[0])[0] - x).abs().amax(dim=(0, 2, 3))
        axis.bar(range(1, 5), error.tolist(), log=True)
        for block, largest in enumerate(error.tolist(), 1):
            text = f"{largest:.0e}" if largest else "exactly 0"
            axis.text(block, 2 * max(largest, 1e-17), text, ha="center", va="bottom")
        axis.set(title=title, xlabel="block of channels", ylim=(1e-17, 100), xticks=range(1, 5))
axes[0].set_ylabel("largest absolute error, units of x")
figure.savefig("check_your_own_layer.png", dpi=160)

# %% The check: the slip has been caught, under the name of what is wrong.
assert found.check == "inverse_undoes_forward"
print("wrote check_your_own_layer.png: from which block on does the published pass go wrong?")
