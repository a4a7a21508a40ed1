"""The public function `train`, which fits a flow to images."""

import warnings
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import DTypeLike

from cinc_ref._blas import one_blas_thread
from cinc_ref._images import as_images, in_chunks
from cinc_ref._typing import IntegerArrayLike, Path
from cinc_ref._validate import boolean, instance, shown
from cinc_ref.errors import DataError, OptionError
from cinc_ref.flows import Flow, dequantize
from cinc_ref.flows.dequantize import check_fits
from cinc_ref.training.console import interruptible, reporting
from cinc_ref.training.folder import Folder, held
from cinc_ref.training.settings import Settings
from cinc_ref.training.state import TrainingResult
from cinc_ref.training.trainer import Trainer

__all__ = ["train"]


def train(
    flow: Flow,
    train_images: IntegerArrayLike,
    validation_images: IntegerArrayLike,
    *,
    minutes: float | None = Settings.minutes,
    steps: int | None = Settings.steps,
    seed: int = Settings.seed,
    batch_size: int = Settings.batch_size,
    optimizer: Literal["adam", "adamax"] = Settings.optimizer,
    learning_rate: float = Settings.learning_rate,
    beta1: float = Settings.beta1,
    beta2: float = Settings.beta2,
    warmup: int = Settings.warmup,
    schedule: Literal["cosine", "constant"] = Settings.schedule,
    clip: float | None = Settings.clip,
    dropout: float = Settings.dropout,
    flip: bool = Settings.flip,
    polyak: float = Settings.polyak,
    evaluate_every: int = Settings.evaluate_every,
    patience: int | None = Settings.patience,
    dtype: DTypeLike = Settings.dtype,
    out: Path | None = None,
    resume: bool = False,
    save_every: float = Settings.save_every,
    progress: bool | Callable[[dict[str, Any]], None] | None = False,
    constant_memory: bool = Settings.constant_memory,
    clock: Literal["wall", "processor"] = Settings.clock,
    origin: dict[str, Any] | None = None,
) -> TrainingResult:
    """Fit a flow to integer images by maximum likelihood.

    The loss is the mean of bits per dimension over dequantized batches. The exponential (Polyak)
    average of the parameters is evaluated and returned. Ctrl-C or SIGTERM stops after the current
    step, a second one at once. BLAS is held to one thread: on matrices of this size several
    threads wait for one another.

    With `steps` a run is repeatable bit for bit on one machine, however often it was interrupted
    and resumed; with `minutes` it depends on the speed of the machine.

    Parameters
    ----------
    flow : Flow
    train_images, validation_images : array_like of integers, shape (N, C, H, W)
        Levels 0 to ``flow.bins - 1``. A `UserWarning` is given if those to train on use at most
        half of them, as for digits and a flow that was built without ``bins=17``.
    minutes : float, optional
        Budget of time in minutes, which stands still while functions are compiled.
    steps : int, optional
        Budget of steps. `minutes` or `steps` must be given; with both, the first to be spent ends
        the run.
    seed : int
        Seed of everything random: initialization, order, noise and dropout.
    batch_size : int
        Images in a step.
    optimizer : {"adam", "adamax"}
    learning_rate : float
        Learning rate at its peak.
    beta1, beta2 : float
        Decays of the optimizer's two moments.
    warmup : int
        Steps in which the learning rate rises.
    schedule : {"cosine", "constant"}
        Whether the learning rate then falls along half a cosine to zero at the end of the budget,
        or stays.
    clip : float, optional
        Largest norm of the gradient of bits per dimension; None for no limit.
    dropout : float
        Probability with which a hidden unit of a coupling network is silenced in a step.
    flip : bool
        Mirror each image left to right with probability 1/2 whenever it is trained on.
    polyak : float
        Decay of the average.
    evaluate_every : int
        Steps between evaluations on the validation images, whose noise is always the same.
    patience : int, optional
        Evaluations without improvement after which training stops; None for never.
    dtype : {"float32", "float64"}
        Dtype of the parameters and of the arithmetic.
    out : path, optional
        Folder that receives ``best.npz`` (for `load`), ``last.npz`` (to resume from) and
        ``history.json``. One run at a time, of any process or thread, holds it.
    resume : bool
        Continue from the state in `out`; the images and all options must be the same, except
        where noted. `minutes` and `steps` may differ, and both count from the start of the run, so
        that they prolong or shorten it; without either they stay as they were. The parameters are
        then those of a run that had the new budget from the start, bit for bit, if the schedule
        is constant (an evaluation at the former end is one more among which the best is chosen).
        With the cosine, the steps that are done had the learning rates of the former budget; the
        next ones have those of the new budget at the same step, so that a finished run that is
        prolonged starts again from a higher rate.
    save_every : float
        Seconds between two savings of the state. It may differ when a run is resumed.
    progress : bool or callable, optional
        True shows a bar. A callable receives a dict after every step: "step", "fraction" of the
        budget, "train" (this batch) and "validation" bits per dimension, "images_per_second".
    constant_memory : bool
        Whether the backward pass rebuilds the input of each flow step by its inverse, so that the
        memory of a step does not grow with the depth of the flow. The gradient is the same up to
        rounding, and a step takes about 1.6 times as long. It may differ when a run is resumed.
    clock : {"wall", "processor"}
        Clock of `minutes` and of the seconds of the result. The processor's time of this process
        excludes what a busy machine did for others meanwhile, so that runs which were not alone
        had the same budget. It may differ when a run is resumed.
    origin : dict, optional
        The result of `ImageSet.origin` for the image set that holds the images. It is saved in the
        folder, so that ``python -m cinc_ref evaluate`` uses the same images.

    Returns
    -------
    TrainingResult

    Raises
    ------
    OptionError, DtypeError
        If the flow is no `Flow`, an option is impossible, or differs from that of the run to be
        resumed. With `constant_memory`, also where the inverse of a convolution keeps fewer than
        three digits, which is checked before the first step and with every evaluation: the message
        then names the layer, and the attribute ``result`` is the `TrainingResult` so far.
    DataError, ShapeError
        If the images do not fit the flow.
    OutputError
        If the folder cannot be written, holds another run, or is in use by another process or
        thread, which the message names.
    CheckpointError
        If there is no whole run to resume.
    NonFiniteError
        If the loss or its gradient is not finite; the message names the parameters where this
        begins, and the attribute ``result`` is the `TrainingResult` so far.
    CincError
        If a BLAS library continues to use several threads.

    Examples
    --------
    >>> import numpy as np
    >>> from cinc_ref.flows import build
    >>> from cinc_ref.training import train
    >>> flow = build("cinc", "affine", (1, 4, 4), levels=1, depth=1, width=4, bins=4)
    >>> images = np.random.default_rng(0).binomial(3, 0.5, (40, 1, 4, 4))
    >>> result = train(flow, images[:32], images[32:], steps=2, batch_size=16)
    >>> result.message
    'Finished 2 steps.'
    >>> [row["step"] for row in result.history]
    [0, 2]
    """
    options = dict(locals())
    if boolean("resume", resume) and out is None:
        raise OptionError("resume=True needs out, the folder of the run to continue; got None")
    if resume and minutes is None and steps is None:
        options |= Folder(out).budget()
    settings = Settings.from_options(options)
    if not callable(progress) and progress is not None:
        progress = boolean("progress", progress)
    instance("flow", flow, Flow, "a Flow, as cinc_ref.flows.build makes it")
    train_images = _checked_images(flow, train_images, "train_images")
    _warn_of_unused_levels(flow, train_images)
    validation_images = _checked_images(flow, validation_images, "validation_images")
    trainer = Trainer(flow, train_images, validation_images, settings, out, _checked_origin(origin))
    with (
        held(out, resume),
        interruptible() as interrupt,
        one_blas_thread(),
        reporting(progress) as report,
    ):
        if resume:
            trainer.restore()
        else:
            trainer.initialize()
        return trainer.run(interrupt, report)


def _checked_origin(origin):
    if origin is not None:
        names = origin.keys() if isinstance(origin, dict) else ()
        if set(names) != {"name", "options", "test_images"}:
            raise OptionError(
                f"origin must be a dict as ImageSet.origin returns it; got {shown(origin)}"
            )
    return origin


def _warn_of_unused_levels(flow, images):
    """Warn of images that use at most half of the flow's levels: digits, if bins was left out."""
    levels = 1 + max(int(part.max()) for part in in_chunks(images))
    if 2 * levels <= flow.bins:
        warnings.warn(
            f"train_images hold levels 0 to {levels - 1} only, where the flow has {flow.bins}: "
            f"build it with bins={levels}, or with the bins of the image set, unless brighter "
            "pixels are possible",
            stacklevel=3,
        )


def _checked_images(flow, images, name):
    images = as_images(images, name)
    check_fits(images, flow.image_shape, name)
    if not len(images):
        raise DataError(f"{name} must hold at least one image; got shape {images.shape}")
    for part in in_chunks(images):
        extremes = np.array([part.min(), part.max()])
        dequantize(extremes, flow.bins, np.random.default_rng(0))  # refuses what is not in the bins
    return images
