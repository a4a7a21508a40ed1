"""The convolution and its exact inverse against the reference loops and against PyTorch.

Our time is that of the public call with its checks, from arrays that lie batch-last in memory, as
throughout a flow, and from ordinary NCHW arrays; "kernel alone" is `kernels.causal.plan.run`.
The operator of `cinc_ref.torch` takes ordinary tensors in inference mode.
PyTorch's forward convolution is F.pad and conv2d in the faster of its two memory orders, and so is
its weight gradient.
"""

import statistics
from collections.abc import Mapping

import numpy as np

import cinc_ref as cr
from cinc_ref._typing import FloatArray, Size
from cinc_ref.bench.machine import SIDE, gemm_share, has_torch, matrix_products
from cinc_ref.bench.rows import Dtype, Row, timed
from cinc_ref.geometry import Geometry
from cinc_ref.kernels.causal.plan import SOLVE, run
from cinc_ref.primitives.causal import causal_conv_weight_grad, plan_for
from cinc_ref.primitives.memory_order import batch_last
from cinc_ref.reference import loops as reference
from cinc_ref.theory.random_kernels import random_kernel
from cinc_ref.timing import Timing, measure_in_turn

__all__ = [
    "OVERHEAD",
    "SHAPES",
    "TURN",
    "case_name",
    "fastest",
    "measure_case",
    "measure_overhead",
    "multiply_adds",
    "problem",
]

K = 3
ANCHOR = (K - 1, K - 1)
GEOMETRY: Geometry = Geometry(anchor=ANCHOR)

SHAPES = ((12, 16), (24, 8), (48, 4), (12, 32), (3, 32))
"""Channels and side of the images: three levels of a flow on 32x32 images, and two larger ones."""

OPERATOR = "cinc_ref.torch.conv_inverse"

OVERHEAD = {mode: f"overhead of {OPERATOR}, {mode}" for mode in ("inference mode", "recording")}
"""Names of the rows of the time that a call of the operator takes beyond `cr.conv_inverse`."""

MICROSECOND = 1e-6

SPECIFIED_BY = {
    "conv_inverse": ["reference inverse"],
    OPERATOR: ["reference inverse"],
    "conv": ["reference conv"],
    "weight gradient": ["reference weight gradient"],
    "VJP of conv_inverse": 2 * ["reference inverse"] + ["reference weight gradient"],
}
"""The reference loops whose work equals that of each operation."""

PRODUCT = "matrix product"

ROUNDS = 21
TURN = 0.02


def problem(channels: int, size: Size, batch: int, dtype: Dtype) -> tuple[FloatArray, FloatArray]:
    """Draw images, and a kernel with a unit triangular corner block and a bounded inverse."""
    rng = np.random.default_rng(0)
    kernel = random_kernel(rng, (channels, channels, K, K), kind="unit")
    images = rng.normal(size=(batch, channels, *size))
    return images.astype(dtype), kernel.astype(dtype)


def multiply_adds(channels: int, size: Size, batch: int) -> int:
    """Count multiply-adds of a convolution with a triangular corner block, or of its inverse.

    A tap u rows and l columns away from the anchor meets (H - u)(W - l) pixels of the image.
    """
    rows, columns = (sum(max(side - away, 0) for away in range(K)) for side in size)
    pixels = size[0] * size[1]
    triangle = channels * (channels + 1) // 2
    return batch * (channels**2 * (rows * columns - pixels) + triangle * pixels)


def case_name(channels: int, size: Size, batch: int) -> str:
    """Return the name of a size."""
    return f"C={channels} {size[0]}x{size[1]} N={batch}"


def measure_case(
    channels: int,
    size: Size,
    batch: int = 100,
    dtype: Dtype = "float32",
    rounds: int = ROUNDS,
    turn: float = TURN,
) -> list[Row]:
    """Measure all operations at one size, in turn.

    Parameters
    ----------
    channels : int
    size : (int, int)
        Height and width.
    batch : int
    dtype : {"float32", "float64"}
    rounds : int
    turn : float
        Seconds of a turn, as in `measure_in_turn`.

    Returns
    -------
    list of Row
    """
    images, kernel = problem(channels, size, batch, dtype)
    functions = _ours(images, kernel) | _reference(images, kernel)
    functions[PRODUCT] = matrix_products(dtype)
    if has_torch():
        functions |= _pytorch(images, kernel) | _operator(images, kernel)
    timings = measure_in_turn(functions, repeat=rounds, turn=turn)
    return _rows(timings, (channels, size, batch), dtype)


def _ours(images, kernel):
    ordered = {"batch-last": batch_last(images), "NCHW": images}
    last = ordered["batch-last"]
    functions = {}
    for order, x in ordered.items():
        functions[f"conv_inverse, {order}"] = lambda x=x: cr.conv_inverse(x, kernel)
        functions[f"conv, {order}"] = lambda x=x: cr.conv(x, kernel)
    return functions | {
        "conv_inverse, kernel alone": lambda: run(
            plan_for(SOLVE, last, kernel.shape, GEOMETRY), last, kernel
        ),
        "VJP of conv_inverse": lambda: cr.conv_inverse_vjp(last, kernel, last),
        "weight gradient": lambda: causal_conv_weight_grad(last, last, kernel.shape, GEOMETRY),
    }


def _reference(images, kernel):
    return {
        "reference conv": lambda: reference.conv(images, kernel, 1, ANCHOR),
        "reference inverse": lambda: reference.solve(images, kernel, 1, ANCHOR),
        "reference weight gradient": lambda: reference.conv_weight_grad(
            images, images, kernel.shape, 1, ANCHOR
        ),
    }


def _pytorch(images, kernel):
    """Return PyTorch's forward convolution and weight gradient, in both memory orders."""
    import torch
    from torch.nn import functional as F

    functions = {}
    weight_gradient = torch.ops.aten.convolution_backward
    settings = ([0], [1, 1], [0, 0], [1, 1], False, [0, 0], 1, (False, True, False))
    orders = {"NCHW": torch.contiguous_format, "channels_last": torch.channels_last}
    for name, order in orders.items():
        x, weight = (torch.from_numpy(a).contiguous(memory_format=order) for a in (images, kernel))

        def padded(x=x):
            return F.pad(x, (K - 1, 0, K - 1, 0))

        def forward(padded=padded, weight=weight):
            with torch.inference_mode():
                F.conv2d(padded(), weight)

        def backward(padded=padded, weight=weight, g=x):
            with torch.inference_mode():
                weight_gradient(g, padded(), weight, *settings)

        functions[f"PyTorch forward, {name}"] = forward
        functions[f"PyTorch weight gradient, {name}"] = backward
        functions[f"PyTorch nn.grad.conv2d_weight, {name}"] = (
            lambda padded=padded, weight=weight, g=x: torch.nn.grad.conv2d_weight(
                padded(), weight.shape, g
            )
        )
    return functions


def _operator(images, kernel):
    """Return the operator of `cinc_ref.torch` on tensors that share the memory of the arrays."""
    import torch

    from cinc_ref.torch import conv_inverse

    y, weight = map(torch.from_numpy, (images, kernel))

    def inverse():
        with torch.inference_mode():
            conv_inverse(y, weight)

    return {f"{OPERATOR}, NCHW": inverse}


def measure_overhead(
    channels: int = 3,
    size: Size = (4, 4),
    batch: int = 1,
    dtype: Dtype = "float32",
    rounds: int = ROUNDS,
    turn: float = TURN,
) -> list[Row]:
    """Measure what a call of the operator for PyTorch takes beyond that for arrays.

    The images are few, so that the times of the loops, which both call, do not hide the difference.

    Parameters
    ----------
    channels, size, batch, dtype, rounds, turn
        As for `measure_case`.

    Returns
    -------
    list of Row
        In inference mode, and while the gradient of the kernel is recorded; none without PyTorch.
    """
    if not has_torch():
        return []
    import torch

    from cinc_ref.torch import conv_inverse

    images, kernel = problem(channels, size, batch, dtype)
    y, weight = map(torch.from_numpy, (images, kernel))
    recorded = weight.clone().requires_grad_()

    def unrecorded():
        with torch.inference_mode():
            conv_inverse(y, weight)

    calls = (unrecorded, lambda: conv_inverse(y, recorded))
    functions = dict(zip(OVERHEAD.values(), calls, strict=True))
    timings = measure_in_turn(
        {"arrays": lambda: cr.conv_inverse(images, kernel), **functions}, repeat=rounds, turn=turn
    )
    arrays = timings.pop("arrays")
    return [
        _overhead_row(name, case_name(channels, size, batch), dtype, timing, arrays)
        for name, timing in timings.items()
    ]


def _overhead_row(name, case, dtype, timing, arrays):
    pairs = zip(timing.turns, arrays.turns, strict=True)
    median = statistics.median(with_operator - alone for with_operator, alone in pairs)
    least = timing.minimum - arrays.minimum
    return Row(name, case, dtype, median, least, ratios={"1 µs": median / MICROSECOND})


def fastest(timings: Mapping[str, Timing], *beginnings: str) -> str | None:
    """Return the name with the least median among those with a beginning; None without any."""
    names = [name for name in timings if name.startswith(beginnings)]
    return min(names, key=lambda name: timings[name].median, default=None)


def _rows(timings, problem, dtype):
    """Make the rows of our operations with their ratios, and of what they are divided by."""
    case, work = case_name(*problem), multiply_adds(*problem)
    forward = fastest(timings, "PyTorch forward")
    gradient = fastest(timings, "PyTorch weight gradient", "PyTorch nn.grad")
    rows = []
    for name, timing in timings.items():
        what = name.partition(",")[0]
        if what not in SPECIFIED_BY:
            continue
        pytorch = gradient if what == "weight gradient" else forward
        specification = sum(timings[loops].over(timing) for loops in SPECIFIED_BY[what])
        done = work * len(SPECIFIED_BY[what])
        ratios = {
            "reference": 1 / specification,
            "PyTorch": pytorch and timing.over(timings[pytorch]),
            "gemm": gemm_share(timing, done, timings[PRODUCT]),
        }
        if what == "VJP of conv_inverse":
            ratios["conv_inverse"] = timing.over(timings["conv_inverse, batch-last"])
        rows.append(timed(name, case, dtype, timing, done, ratios))
    others = ["reference inverse", *(name for name in (forward, gradient) if name)]
    rows += [timed(name, case, dtype, timings[name], work) for name in others]
    return [*rows, timed(PRODUCT, f"{SIDE}x{SIDE}", dtype, timings[PRODUCT], SIDE**3)]
