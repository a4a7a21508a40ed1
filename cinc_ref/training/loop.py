"""The training loop: step, average, evaluate, save, and stop for one of four reasons."""

import time

import numpy as np

from cinc_ref._blas import one_blas_thread
from cinc_ref._images import as_images, in_chunks
from cinc_ref.errors import DataError, NonFiniteError, OptionError
from cinc_ref.flows import dequantize
from cinc_ref.flows.dequantize import check_fits
from cinc_ref.training.folder import BEST, Folder
from cinc_ref.training.interrupt import interruptible
from cinc_ref.training.progress import Pace, reporting
from cinc_ref.training.result import TrainingResult
from cinc_ref.training.run import (
    Diverged,
    Run,
    Unusable,
    advance,
    check_inverses,
    start,
    validate,
)
from cinc_ref.training.settings import Settings

CLOCKS = {"wall": time.monotonic, "processor": time.process_time}
"""What a budget of minutes can be counted on, in seconds."""


def train(
    flow,
    train_images,
    validation_images,
    *,
    minutes=None,
    steps=None,
    seed=0,
    batch_size=128,
    optimizer="adam",
    learning_rate=5e-3,
    beta1=0.9,
    beta2=0.999,
    warmup=50,
    schedule="cosine",
    clip=10.0,
    dropout=0.2,
    flip=False,
    polyak=0.998,
    evaluate_every=100,
    patience=20,
    dtype="float32",
    out=None,
    resume=False,
    save_every=30.0,
    progress=False,
    constant_memory=False,
    clock="wall",
):
    """Fit a flow to integer images by maximum likelihood.

    Minimizes the mean bits per dimension of dequantized batches. What is evaluated and returned is
    the exponential (Polyak) average of the parameters. Ctrl-C stops after the step at hand. BLAS
    is held to one thread: on matrices of this size more of them wait for one another.

    With `steps` a run is repeatable bit for bit on one machine, however often it was interrupted
    and resumed; with `minutes` the pace of the machine enters.

    Parameters
    ----------
    flow : Flow
    train_images, validation_images : array_like of integers, shape (N, C, H, W)
        Levels 0 to ``flow.bins - 1``.
    minutes : float, optional
        Budget of time, compilation included.
    steps : int, optional
        Budget of steps. One of the two must be given; with both, the first to be spent ends the
        run.
    seed : int
        Of everything random: initialization, order, noise and dropout.
    batch_size : int
    optimizer : {"adam", "adamax"}
    learning_rate : float
        At its peak.
    beta1, beta2 : float
        Decays of the optimizer's two moments.
    warmup : int
        Steps in which the learning rate rises.
    schedule : {"cosine", "constant"}
        Whether it then falls along half a cosine to zero at the end of the budget, or stays.
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
    out : path, optional
        Folder that receives ``best.npz`` (for `load`), ``last.npz`` (to resume from) and
        ``history.json``.
    resume : bool
        Go on from the state in `out`; all other options must be the same.
    save_every : float
        Seconds between two savings of the state.
    progress : bool or callable
        True shows a bar. A callable receives a dict after every step: "step", "fraction" of the
        budget, "train" (this batch) and "validation" bits per dimension, "images_per_second".
    constant_memory : bool
        Let the memory of a step not grow with the depth of the flow: the backward pass rebuilds
        the input of each flow step by its inverse, to rounding the same gradient, and takes about
        1.6 times as long. It may differ when a run is resumed.
    clock : {"wall", "processor"}
        What `minutes` and the seconds of the result are counted on. The processor's time of this
        process leaves out what a busy machine did for others meanwhile, so that runs that were not
        alone had the same budget.

    Returns
    -------
    TrainingResult

    Raises
    ------
    OptionError, DtypeError
        If an option cannot be, or differs from that of the run to be resumed; `constant_memory`
        cannot be where the inverse of a convolution keeps fewer than three digits, which is looked
        at before the first step and with every evaluation. The message names the layer; the
        attribute ``result`` is the `TrainingResult` so far.
    DataError
        If the images do not fit the flow.
    OutputError
        If the folder cannot be written, or holds another run.
    CheckpointError
        If there is no whole run to resume.
    NonFiniteError
        If the loss or its gradient is not finite; the message names the parameters where this
        begins, and its attribute ``result`` is the `TrainingResult` so far.

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
    if clock not in CLOCKS:
        raise OptionError(f"clock must be one of {', '.join(CLOCKS)}; got {clock!r}")
    now = CLOCKS[clock]
    started = now()
    settings = Settings(
        minutes=minutes,
        steps=steps,
        seed=seed,
        batch_size=batch_size,
        optimizer=optimizer,
        learning_rate=learning_rate,
        beta1=beta1,
        beta2=beta2,
        warmup=warmup,
        schedule=schedule,
        clip=clip,
        dropout=dropout,
        flip=flip,
        polyak=polyak,
        evaluate_every=evaluate_every,
        patience=patience,
        dtype=str(np.dtype(dtype)) if isinstance(dtype, type | np.dtype) else dtype,
    )
    if resume and out is None:
        raise OptionError("resume=True needs out, the folder of the run to go on with; got None")
    train_images = _checked_images(flow, train_images, "train_images")
    validation_images = _checked_images(flow, validation_images, "validation_images")
    if not isinstance(constant_memory, bool):
        raise OptionError(f"constant_memory must be True or False; got {constant_memory!r}")
    run = Run(flow, train_images, validation_images, settings, constant_memory)
    folder = None if out is None else Folder.open(out, resume)
    with interruptible() as interrupt, one_blas_thread():
        if resume:
            layout, state = folder.load_state(flow, run.identity)
        else:
            layout, state = start(run)
        loop = _Loop(run, layout, state, folder, now, started - state.seconds, save_every)
        try:
            with reporting(progress) as report:
                return loop.result(loop.go_on(interrupt, report))
        except Diverged as error:
            raise loop.non_finite_error(error) from error
        except Unusable as error:
            raise loop.unusable_error(error) from error


def _checked_images(flow, images, name):
    images = as_images(images)
    check_fits(images, flow.image_shape, name)
    if not len(images):
        raise DataError(f"{name} must hold at least one image; got shape {images.shape}")
    for part in in_chunks(images):
        extremes = np.array([part.min(), part.max()])
        dequantize(extremes, flow.bins, np.random.default_rng(0))  # refuses what is not in the bins
    return images


class _Loop:
    """A run in motion: the state changes, is evaluated and saved until there is a reason to stop.

    `zero` is when the run's time began, on the clock that `now` reads.
    """

    def __init__(self, run, layout, state, folder, now, zero, save_every):
        self.run, self.layout, self.state, self.folder = run, layout, state, folder
        self.now, self.zero, self.save_every = now, zero, save_every
        self.saved = time.monotonic()

    def go_on(self, interrupt, report):
        """Train until there is a reason to stop, which is returned."""
        run, state = self.run, self.state
        pace = Pace()
        check_inverses(run, self.layout, state)
        if not state.history:
            self._validate()
        elif self.folder:  # a kill may have come between the two files
            self.folder.save_best(run.flow, self.layout, state)
        self._save()
        while not (reason := self._reason_to_stop(interrupt)):
            began = time.monotonic()
            bits = advance(run, self.layout, state)
            pace.add(time.monotonic() - began)
            self._look_at_clock()
            if state.step % run.settings.evaluate_every == 0:
                self._validate()
                check_inverses(run, self.layout, state)
            if time.monotonic() - self.saved >= self.save_every:
                self._save()
            report(self._report(bits, pace))
        # An evaluation out of turn would make a resumed run differ from an uninterrupted one.
        if reason != "interrupted" and state.history[-1]["step"] != state.step:
            self._validate()
        self._save()
        return reason

    def _reason_to_stop(self, interrupt):
        settings, state = self.run.settings, self.state
        if settings.steps is not None and state.step >= settings.steps:
            return "steps"
        if settings.minutes is not None and state.seconds >= 60 * settings.minutes:
            return "minutes"
        if settings.patience is not None and state.stale >= settings.patience:
            return "patience"
        return "interrupted" if interrupt.requested else None

    def _look_at_clock(self):
        self.state.seconds = self.now() - self.zero

    def _validate(self):
        self._look_at_clock()
        validate(self.run, self.layout, self.state)
        self._look_at_clock()
        if self.folder and self.state.best_step == self.state.step:
            self.folder.save_best(self.run.flow, self.layout, self.state)

    def _save(self):
        if self.folder:
            self._look_at_clock()
            self.folder.save_state(self.run.flow, self.layout, self.state, self.run.identity)
        self.saved = time.monotonic()

    def _report(self, bits, pace):
        return {
            "step": self.state.step,
            "fraction": self.run.progress(self.state),
            "train": bits,
            "validation": self.state.history[-1]["validation"],
            "images_per_second": self.run.batch_size / max(pace.seconds, 1e-9),
        }

    def result(self, reason):
        """What `train` returns."""
        state = self.state
        return TrainingResult(
            flow=self.run.flow,
            params=self.layout.params(state.best.copy()),
            history=tuple(state.history),
            reason=reason,
            step=state.step,
            seconds=state.seconds,
            best_bits=state.best_bits,
            best_step=state.best_step,
            out=self.folder and self.folder.path,
        )

    def unusable_error(self, error):
        """The error that says which inverse is unusable and what to do; all is kept."""
        advice = "train without it, with stable=True or in float64"
        if self.folder and self.state.history:
            self._save()
            advice = f"go on without it (resume=True): everything is saved in {self.folder.path}"
        raised = OptionError(f"{error}: {advice}")
        raised.result = self.result("unusable")
        return raised

    def non_finite_error(self, error):
        """The error that says where, what was kept and what to do; keeps the last good state."""
        kept = "the best model so far is the exception's `result`"
        if not self.state.history:
            kept = "there is no model yet"
        elif self.folder:
            if np.isfinite(self.state.parameters).all():
                self._save()
            kept = f"the best model so far is in {self.folder.path / BEST}"
        rate = self.run.settings.learning_rate
        raised = NonFiniteError(
            f"{error}; {kept}: train anew with a learning rate below {rate:g} or a smaller clip"
        )
        raised.result = self.result("diverged")
        return raised
