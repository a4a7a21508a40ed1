"""Sampling, training and memory of a whole flow, against a twin in PyTorch."""

import shutil
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from types import MappingProxyType

import numpy as np

from cinc_ref._trees import named_leaves, rebuild
from cinc_ref._typing import Params
from cinc_ref.bench import convolution
from cinc_ref.bench.convolution import fastest
from cinc_ref.bench.machine import gemm_share, has_torch, matrix_products
from cinc_ref.bench.rows import Row, timed
from cinc_ref.bench.scaling import peak_memory
from cinc_ref.bench.twin import Twin
from cinc_ref.bijections.channels import channel_groups
from cinc_ref.flows import COUPLINGS, Flow, build
from cinc_ref.flows.cost import decoding_seconds
from cinc_ref.timing import measure, measure_in_turn
from cinc_ref.training.presets import PRESETS
from cinc_ref.training.settings import Settings
from cinc_ref.training.trainer import Trainer

__all__ = [
    "layer_seconds",
    "measure_layers",
    "measure_paper",
    "measure_sampling",
    "measure_step_memory",
    "measure_training",
    "measure_wide",
    "model",
    "multiply_adds",
    "training_run",
]

IMAGE = (3, 32, 32)
LEVELS = 3
SAMPLING = {"levels": LEVELS, "depth": 32, "width": 64}
WIDE = SAMPLING | {"width": 512}
DIGIT, DIGITS = (1, 8, 8), {"levels": 2, "depth": 8, "width": 64}
TRAINING = {"levels": LEVELS, "depth": 4, "width": 64}
DEEP = TRAINING | {"depth": 32}
PRODUCTS = 100
"""Number of matrix products that take some seconds, as sampling from a wide flow does."""

SETTINGS: Settings = Settings(
    steps=10**6, batch_size=64, learning_rate=1e-4, warmup=0, clip=None, dropout=0.0, patience=None
)


def model(
    coupling: str = "affine",
    image_shape: tuple[int, int, int] = IMAGE,
    noise: float = 0.002,
    system: str = "cinc",
    **shape: int,
) -> tuple[Flow, Params]:
    """Build a flow, and float32 parameters a little away from their initial values."""
    flow = build(system, coupling, image_shape, **shape)
    rng = np.random.default_rng(0)
    x = rng.uniform(-0.5, 0.5, (4, *image_shape)).astype(np.float32)
    params = flow.init(rng, x)
    moved = (
        leaf + noise * rng.standard_normal(leaf.shape, np.float32)
        for leaf in named_leaves(params).values()
    )
    return flow, rebuild(params, (leaf.astype(np.float32) for leaf in moved))


def case_name(flow: Flow, batch: int) -> str:
    """Return the name of a flow and a number of images."""
    side = "x".join(map(str, flow.image_shape))
    return f"{side} levels={flow.levels} depth={flow.depth} width={flow.width} N={batch}"


def multiply_adds(flow: Flow) -> int:
    """Count multiply-adds of all convolutions for one image, without taps outside it."""
    total, (channels, height, width) = 0, flow.image_shape
    for level in range(flow.levels):
        channels, height, width = 4 * channels, height // 2, width // 2
        pixels = height * width
        near = (3 * height - 2) * (3 * width - 2)  # pairs of pixels that a centred 3x3 tap joins
        step = convolution.multiply_adds(channels, (height, width), 1)
        coupling = COUPLINGS[flow.coupling]
        sizes = [stop - start for start, stop in channel_groups(channels, coupling.blocks)]
        for k in range(len(sizes) - 1):
            ends = sum(sizes[k + 1 :]) + sizes[k] * (1 + coupling.scaled)
            step += flow.width * (ends * near + flow.width * pixels)
        total += flow.depth * step
        if level < flow.levels - 1:
            kept = channels // 2
            total += 2 * kept * (channels - kept) * near
            channels = kept
    return total


def measure_sampling(
    batch: int = 100,
    rounds: int = 7,
    image_shape: tuple[int, int, int] = IMAGE,
    shape: Mapping[str, int] = SAMPLING,
    compiled: bool = False,
) -> list[Row]:
    """Measure sampling, encoding, and the twin's forward pass, with `compiled` by compilers, too.

    Sampling and encoding are those of a `Sampler`, as the command line has them; "unprepared" are
    the methods of the flow.
    """
    flow, params = model(image_shape=image_shape, **shape)
    sampler = flow.sampler(params, batch=batch)
    x = sampler.draw(0, batch, temperature=0.7)
    functions = {
        "sample": lambda: sampler.draw(0, batch),
        "encode": lambda: sampler.encode(x),
        "sample, unprepared": lambda: flow.sample(params, 0, batch),
        "encode, unprepared": lambda: flow.encode(params, x),
    }
    functions |= _twins(flow, params, x, compiled)
    timings = measure_in_turn(functions, repeat=rounds)
    names = [name for name in functions if name.startswith(("sample", "ONNX"))]
    ratios = _over_twin(timings, *names)
    ratios["sample"]["encode"] = timings["sample"].over(timings["encode"])
    work, case = batch * multiply_adds(flow), case_name(flow, batch)
    return [
        timed(what, case, "float32", timing, work, ratios.get(what, {}))
        for what, timing in timings.items()
    ]


def _over_twin(timings, *names):
    """Return the ratios to the fastest twin by name; None without PyTorch."""
    twin = fastest(timings, "PyTorch twin")
    return {name: {"PyTorch": twin and timings[name].over(timings[twin])} for name in names}


def _twins(flow, params, x, compiled):
    """Return the twin's forward pass in every form that is installed, by name."""
    if not has_torch():
        return {}
    functions = {
        f"PyTorch twin forward, {name}": _twin_forward(flow, params, x, channels_last)
        for name, channels_last in (("NCHW", False), ("channels_last", True))
    }
    if compiled and shutil.which("cc"):
        functions["PyTorch twin forward, compiled"] = _twin_forward(flow, params, x, True, True)
    if compiled and all(map(find_spec, ("onnxruntime", "onnxscript"))):
        twin = Twin(flow, params)
        functions["ONNX Runtime, twin forward"] = partial(twin.onnx_session(twin.images(x)), x)
    return functions


def _twin_forward(flow, params, x, channels_last, compiled=False):
    twin = Twin(flow, params, channels_last)
    images = twin.images(x)
    if compiled:
        twin.compile()

    def forward():
        with twin.torch.inference_mode():
            twin.log_prob(images)

    return forward


def measure_wide(
    batch: int = 100,
    rounds: int = 3,
    image_shape: tuple[int, int, int] = IMAGE,
    shape: Mapping[str, int] = WIDE,
    products: int = PRODUCTS,
) -> list[Row]:
    """Measure sampling from a wide flow, whose time is that of its matrix products."""
    flow, params = model(image_shape=image_shape, **shape)
    sampler = flow.sampler(params, batch=batch)
    x = sampler.draw(0, batch, temperature=0.7)
    what = f"sample, width {flow.width}"
    functions = {
        what: lambda: sampler.draw(0, batch),
        "products": matrix_products("float32", products),
    }
    functions |= _twins(flow, params, x, compiled=False)
    timings = measure_in_turn(functions, repeat=rounds, warm_up=0)
    timing, work = timings[what], batch * multiply_adds(flow)
    share = gemm_share(timing, work, timings.pop("products"), products)
    ratios = {what: _over_twin(timings, what)[what] | {"gemm": share}}
    return [
        timed(name, case_name(flow, batch), "float32", timing, work, ratios.get(name, {}))
        for name, timing in timings.items()
    ]


PAPER_SECONDS: dict[tuple[str, str], float] = {
    ("cifar10", "emerging"): 2.45,
    ("cifar10", "cinc"): 1.31,
    ("imagenet32", "emerging"): 4.96,
    ("imagenet32", "cinc"): 2.76,
}
"""Seconds for 100 images that the paper reports, by image set and system: its convolutions on one
core with 8 threads, its networks on a graphics processor."""

SIDES = {"cifar10": 32, "imagenet32": 32, "imagenet64": 64}
"""Height and width in pixels of the paper's image sets; its pictures of galaxies are cut to 32."""


def measure_paper(
    data: str,
    batch: int = 100,
    image_shape: tuple[int, int, int] | None = None,
    shape: Mapping[str, int] = MappingProxyType({}),
) -> list[Row]:
    """Measure sampling from the paper's model for an image set, with both of its convolutions."""
    side, settings = SIDES[data], PRESETS[f"paper-{data}"].model
    sizes = {name: settings[name] for name in SAMPLING} | shape
    rows = []
    for system in ("emerging", "cinc"):
        flow, params = model(
            settings["coupling"], image_shape or (3, side, side), system=system, **sizes
        )
        sampler = flow.sampler(params, batch=batch)
        timing = measure(partial(sampler.draw, 0, batch), repeat=1, warm_up=0)
        paper = PAPER_SECONDS.get((data, system))
        ratios = {"the paper's": paper and timing.median / paper}
        rows.append(
            timed(
                f"paper: {data}, {system}", case_name(flow, batch), "float32", timing, None, ratios
            )
        )
    return rows


def layer_seconds(flow: Flow, params: Params, batch: int, rounds: int = 3) -> dict[str, float]:
    """Measure the seconds of sampling by kind of layer, the least over several rounds.

    Returns
    -------
    dict of str to float
        The name of a class of layers, or "priors and noise" for what lies between the chains.
    """
    rounds_seconds = [_layer_seconds(flow, params, batch) for _ in range(rounds)]
    return min(rounds_seconds, key=lambda seconds: sum(seconds.values()))


def _layer_seconds(flow, params, batch):
    started = time.perf_counter()
    rng = np.random.default_rng(0)
    latents = [rng.standard_normal((batch, *s), np.float32) for s in flow.latent_shapes]
    noise = time.perf_counter() - started
    decoding, layers = decoding_seconds(flow, params, latents)
    seconds = Counter()
    for layer, _, duration in layers:
        seconds[type(layer).__name__] += duration
    seconds["priors and noise"] = noise + decoding - sum(seconds.values())
    return dict(seconds)


def measure_layers(
    batch: int = 100,
    rounds: int = 3,
    image_shape: tuple[int, int, int] = IMAGE,
    shape: Mapping[str, int] = SAMPLING,
) -> list[Row]:
    """Measure the part of the time of sampling that each kind of layer takes."""
    flow, params = model(image_shape=image_shape, **shape)
    seconds = layer_seconds(flow, params, batch, rounds)
    whole, case = sum(seconds.values()), case_name(flow, batch)
    return [
        Row(f"sample: {kind}", case, median=part, minimum=part, ratios={"sample": part / whole})
        for kind, part in sorted(seconds.items(), key=lambda item: -item[1])
    ]


def training_run(
    coupling: str = "affine",
    batch: int = 64,
    image_shape: tuple[int, int, int] = IMAGE,
    constant_memory: bool = False,
    **shape: int,
) -> Trainer:
    """Return a `Trainer` on noise, ready for its steps."""
    images = np.random.default_rng(0).integers(0, 256, (batch, *image_shape))
    flow = build("cinc", coupling, image_shape, **shape)
    settings = replace(SETTINGS, batch_size=batch, constant_memory=constant_memory)
    trainer = Trainer(flow, images, images[:1], settings)
    trainer.initialize()
    return trainer


def measure_training(
    coupling: str,
    batch: int = 64,
    rounds: int = 7,
    image_shape: tuple[int, int, int] = IMAGE,
    shape: Mapping[str, int] = TRAINING,
) -> list[Row]:
    """Measure one training step: as usual, with constant memory, and the twin's.

    The twin neither dequantizes the batch nor averages the parameters.
    """
    stored, rebuilt = f"training step, {coupling}", f"training step, {coupling}, constant memory"
    trainer = training_run(coupling, batch, image_shape, **shape)
    lean = training_run(coupling, batch, image_shape, constant_memory=True, **shape)
    functions = {stored: trainer.step, rebuilt: lean.step}
    if has_torch():
        params = trainer.flat.params(trainer.state.parameters)
        x = trainer.batches.batch(0, np.random.default_rng(0))
        for name, channels_last in (("NCHW", False), ("channels_last", True)):
            twin = Twin(trainer.flow, params, channels_last)
            functions[f"PyTorch twin, {coupling}, {name}"] = partial(
                twin.training_step(), twin.images(x)
            )
    timings = measure_in_turn(functions, repeat=rounds)
    ratios = _over_twin(timings, stored, rebuilt)
    ratios[rebuilt]["stored step"] = timings[rebuilt].over(timings[stored])
    case = case_name(trainer.flow, batch)
    return [
        timed(what, case, "float32", timing, ratios=ratios.get(what, {}))
        for what, timing in timings.items()
    ]


def measure_step_memory(
    batch: int = 64,
    image_shape: tuple[int, int, int] = IMAGE,
    shallow: Mapping[str, int] = TRAINING,
    deep: Mapping[str, int] = DEEP,
) -> list[Row]:
    """Measure the memory of a step at two depths, beyond parameters, gradient and optimizer."""
    rows = []
    for what, constant_memory in (("stored", False), ("constant memory", True)):
        needs = [
            step_memory(batch, image_shape, constant_memory, shape) for shape in (shallow, deep)
        ]
        case = f"depth {deep['depth']}, width {deep['width']}, N={batch}"
        ratios = {f"depth {shallow['depth']}": needs[1] / needs[0]}
        rows.append(Row(f"memory of a step, {what}", case, ratios=ratios))
    return rows


def step_memory(
    batch: int,
    image_shape: tuple[int, int, int],
    constant_memory: bool,
    shape: Mapping[str, int],
) -> int:
    """Return the most bytes that a training step holds beyond its state and the gradient."""
    trainer = training_run("affine", batch, image_shape, constant_memory, **shape)
    trainer.settings = replace(trainer.settings, dropout=0.2)
    return peak_memory(trainer.step) - trainer.state.parameters.nbytes
