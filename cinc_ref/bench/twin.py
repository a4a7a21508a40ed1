"""A twin in PyTorch of a flow, to compare the cost of its forward and backward passes.

The twin takes the parameters of the flow as tensors, so that both are one model. It implements what
a benchmark needs: the system "cinc" with the triangular corner block, all couplings, and the
direction from image to density. PyTorch is optional and imported where it is used.
"""

import io
import math
from collections.abc import Callable
from contextlib import redirect_stdout
from typing import Any

import numpy as np

from cinc_ref._trees import named_leaves, rebuild
from cinc_ref._typing import FloatArray, Params
from cinc_ref.bijections import AdditiveCoupling
from cinc_ref.bijections.channels import channel_groups
from cinc_ref.flows import COUPLINGS, Flow

__all__ = ["Twin"]


class Twin:
    """A flow's density in PyTorch.

    Parameters
    ----------
    flow : Flow
        A flow of the system "cinc" with triangular corner block.
    params : tree of ndarray
        Its parameters, which are copied.
    channels_last : bool
        The memory order of images and weights; otherwise PyTorch's usual one.
    """

    torch: Any
    flow: Flow
    order: Any
    leaves: list[Any]
    params: Params

    def __init__(self, flow: Flow, params: Params, channels_last: bool = False) -> None:
        import torch

        self.torch, self.flow = torch, flow
        self.order = torch.channels_last if channels_last else torch.contiguous_format
        self.leaves = [self._parameter(leaf) for leaf in named_leaves(params).values()]
        self.params = rebuild(params, iter(self.leaves))

    def _parameter(self, leaf):
        tensor = self.torch.from_numpy(leaf.copy())
        if tensor.dim() == 4:
            tensor = tensor.contiguous(memory_format=self.order)
        return tensor.requires_grad_()

    def images(self, x: FloatArray) -> Any:
        """Convert images to the tensor that the methods take."""
        return self.torch.from_numpy(x).contiguous(memory_format=self.order)

    def compile(self) -> None:
        """Compile the steps by torch.compile, once for all steps of a level."""
        for leaf in self.leaves:
            leaf.requires_grad_(False)
        self._step = self.torch.compile(self._step, dynamic=False)

    def onnx_session(self, x: Any) -> Callable[[FloatArray], FloatArray]:
        """Return `log_prob` of images like x as a function that ONNX Runtime carries out."""
        import onnxruntime

        twin = self

        class Module(self.torch.nn.Module):
            def forward(self, x):
                return twin.log_prob(x)

        for leaf in self.leaves:
            leaf.requires_grad_(False)
        file = io.BytesIO()
        with redirect_stdout(io.StringIO()):
            self.torch.onnx.export(Module(), (x,), dynamo=True, verbose=False).save(file)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(
            file.getvalue(), options, providers=["CPUExecutionProvider"]
        )
        name = session.get_inputs()[0].name
        return lambda x: session.run(None, {name: x})[0]

    def log_prob(self, x: Any) -> Any:
        """Return log p(x) in nats, shape (N,)."""
        total = self.torch.zeros(len(x), dtype=x.dtype)
        for level in range(self.flow.levels):
            _, *steps = self.params["levels"][level]
            x = self.torch.nn.functional.pixel_unshuffle(x, 2)
            for step in steps:
                x, log_det = self._step(step, x)
                total = total + log_det
            if level < self.flow.levels - 1:
                x, log_prob = self._split(self.params["priors"][level], x)
                total = total + log_prob
        top = self.params["top"]
        return total + self._log_normal(x, top["mean"], top["log_std"].expand_as(x))

    def _step(self, params, x):
        total = 0
        for layer, layer_params in zip(
            (self._actnorm, self._conv, self._coupling), params, strict=True
        ):
            x, log_det = layer(layer_params, x)
            total = total + log_det
        return x, total

    def _actnorm(self, params, x):
        y = (x + params["bias"][:, None, None]) * params["log_scale"].exp()[:, None, None]
        return y, x.shape[2] * x.shape[3] * params["log_scale"].sum()

    def _conv(self, params, x):
        functional = self.torch.nn.functional
        log_diagonal, channels = params["log_diagonal"], x.shape[1]
        below = tuple(map(self.torch.from_numpy, np.tril_indices(channels, -1)))
        corner = log_diagonal.exp().diag().index_put(below, params["lower"])
        kernel = self.torch.cat([params["taps"], corner[:, :, None]], 2).view(channels, -1, 3, 3)
        y = functional.conv2d(functional.pad(x, (2, 0, 2, 0)), kernel)
        return y, x.shape[2] * x.shape[3] * log_diagonal.sum()

    def _coupling(self, params, x):
        """Keep the last block and change each other one by a function of those after it."""
        coupling = COUPLINGS[self.flow.coupling]
        groups = channel_groups(x.shape[1], coupling.blocks)
        sizes = [stop - start for start, stop in groups]
        blocks = x.split(sizes, 1)
        changed, log_det = [blocks[-1]], 0
        for k, network in zip(reversed(range(len(blocks) - 1)), params, strict=True):
            h = self._network(network, x[:, sum(sizes[: k + 1]) :])
            if coupling is AdditiveCoupling:
                changed.append(blocks[k] + h)
                continue
            shift, scale = h.chunk(2, 1)
            log_scale = self.torch.nn.functional.logsigmoid(scale + 2)
            changed.append((blocks[k] + shift) * log_scale.exp())
            log_det = log_det + log_scale.sum((1, 2, 3))
        return self.torch.cat(changed[::-1], 1), log_det

    def _network(self, params, x):
        conv = self.torch.nn.functional.conv2d
        first, second, last = params["first"], params["second"], params["last"]
        ones = x.new_ones(1, 1, *x.shape[2:])
        position = conv(ones, first["border"], first["bias"], padding=1)
        h = (conv(x, first["weight"], padding=1) + position).relu_()
        h = conv(h, second["weight"], second["bias"]).relu_()
        return conv(h, last["weight"], last["bias"], padding=1)

    def _split(self, prior, x):
        """Return the channels that stay, and the log-density of those that are factored out."""
        kept, factored_out = x.split([x.shape[1] // 2, x.shape[1] - x.shape[1] // 2], 1)
        h = self.torch.nn.functional.conv2d(kept, prior["weight"], prior["bias"], padding=1)
        return kept, self._log_normal(factored_out, *h.chunk(2, 1))

    def _log_normal(self, x, mean, log_std):
        z = (x - mean) * (-log_std).exp()
        constant = math.log(2 * math.pi) / 2 * z[0].numel()
        return -(z * z).sum((1, 2, 3)) / 2 - log_std.sum((1, 2, 3)) - constant

    def bits(self, x: Any) -> Any:
        """Return the mean bits per dimension, which training minimizes."""
        dimensions = x[0].numel()
        nats = self.log_prob(x).mean() - dimensions * math.log(self.flow.bins)
        return -nats / (dimensions * math.log(2))

    def training_step(self, learning_rate: float = 1e-3) -> Callable[[Any], float]:
        """Return a function that does one step of Adam on images and returns bits per dimension."""
        adam = self.torch.optim.Adam(self.leaves, learning_rate)

        def step(x):
            adam.zero_grad()
            bits = self.bits(x)
            bits.backward()
            adam.step()
            return float(bits.detach())

        return step
