"""Training runs, which are initialized or restored, stepped, validated, saved and stopped."""

import time
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

from cinc_ref._images import digest
from cinc_ref._typing import Params, Path
from cinc_ref.errors import NonFiniteError, ParamsError
from cinc_ref.flows import Flow, dequantize
from cinc_ref.flows.conditioning import worst_conditioned
from cinc_ref.primitives.diagnostics import MIN_DIGITS
from cinc_ref.training.batches import INIT, STEP, VALIDATION, Batches, generator
from cinc_ref.training.console import Interrupt, StepTimer
from cinc_ref.training.diagnosis import first_nonfinite_parameter
from cinc_ref.training.errors import InverseTooIllConditioned, NonFiniteStep
from cinc_ref.training.flat_params import FlatParams
from cinc_ref.training.folder import BEST, Folder
from cinc_ref.training.loss import bits_and_gradient, evaluate
from cinc_ref.training.optimizer import OPTIMIZERS, clip, learning_rate, norm, update_average
from cinc_ref.training.settings import CLOCKS, Settings
from cinc_ref.training.state import State, TrainingResult

__all__ = ["Trainer"]

INIT_IMAGES = 256
"""Number of images from which the parameters are initialized, as in the paper's released code."""


class Trainer:
    """A flow in training on integer images, which `train` has checked.

    `initialize` or `restore` starts the run; `run` then trains until there is a reason to stop,
    by means of `step`, `validate` and `save`.

    Parameters
    ----------
    flow : Flow
    train_images, validation_images : ndarray of integers, shape (N, C, H, W)
    settings : Settings
    out : path, optional
        The folder in which the run is saved.
    origin : dict, optional
        JSON values that say where the images come from, which are saved with the run.

    Attributes
    ----------
    flat : FlatParams
        The map between the parameters as a tree and as one vector.
    state : State

    Examples
    --------
    >>> import numpy as np
    >>> from cinc_ref.flows import build
    >>> from cinc_ref.training.settings import Settings
    >>> from cinc_ref.training.trainer import Trainer
    >>> flow = build("cinc", "affine", (1, 4, 4), levels=1, depth=1, width=4, bins=4)
    >>> images = np.random.default_rng(0).binomial(3, 0.5, (40, 1, 4, 4))
    >>> trainer = Trainer(flow, images[:32], images[32:], Settings(steps=10))
    >>> trainer.initialize()
    >>> bits = trainer.step()
    >>> trainer.validate()
    >>> trainer.state.step, len(trainer.state.history)
    (1, 1)
    """

    flow: Flow
    settings: Settings
    train_images: Any
    validation_images: Any
    batches: Batches
    out: Path | None
    folder: Folder | None
    origin: dict[str, Any] | None
    flat: FlatParams
    state: State

    def __init__(
        self,
        flow: Flow,
        train_images: Any,
        validation_images: Any,
        settings: Settings,
        out: Path | None = None,
        origin: dict[str, Any] | None = None,
    ) -> None:
        self._clock = CLOCKS[settings.clock]
        self._start_time = self._clock()
        self.flow, self.settings = flow, settings
        self.train_images, self.validation_images = train_images, validation_images
        self.batches = Batches(train_images, flow.bins, settings)
        self.out, self.folder, self.origin = out, None, origin

    # ---- the beginning of a run --------------------------------------------------------------

    def initialize(self) -> None:
        """Begin a new run: make the folder, and initialize the parameters from images.

        Raises
        ------
        OutputError
            If the folder cannot be written, or holds another run.
        """
        if self.out is not None:
            self.folder = Folder.open(self.out, resume=False)
        rng = generator(self.settings.seed, INIT)
        chosen = rng.permutation(len(self.train_images))[:INIT_IMAGES]
        images = self.train_images[chosen]
        x = dequantize(images, self.flow.bins, rng, self.settings.dtype)
        params = self.flow.init(rng, x)
        self.start_from(params)
        self.state.loss_sum = evaluate(self.flow, params, images, rng)
        self.state.loss_count = 1

    def start_from(self, params: Params) -> None:
        """Set the state before the first step, with these parameters."""
        self.flat = FlatParams.of(params)
        self.state = State.initial(self.flat.vector(params))

    def restore(self) -> None:
        """Continue the run that the folder holds.

        Raises
        ------
        CheckpointError
            If there is no whole run to resume.
        OptionError
            If it had other settings, images or another flow.
        """
        self.folder = Folder.open(self.out, resume=True)
        self.flat, self.state = self.folder.load_state(self.flow, self.fingerprint, self.data)
        self._start_time -= self.state.seconds

    @cached_property
    def fingerprint(self) -> dict[str, Any]:
        """JSON values that must be equal for a run to be resumed, in addition to the flow."""
        return {
            **self.settings.reproducible(),
            "train_images": digest(self.train_images),
            "validation_images": digest(self.validation_images),
        }

    @cached_property
    def data(self) -> dict[str, Any] | None:
        """JSON values that identify the three parts of the images, or None if they are unknown."""
        parts = ("train_images", "validation_images")
        digests = {name: self.fingerprint[name] for name in parts}
        return None if self.origin is None else {**self.origin, **digests}

    # ---- the parts of a run ------------------------------------------------------------------

    def step(self) -> float:
        """Make one step, in place.

        Returns
        -------
        float
            The batch's bits per dimension.

        Raises
        ------
        NonFiniteStep
            If the loss or its gradient is not finite; the state is then as before.
        """
        settings, state = self.settings, self.state
        rng = generator(settings.seed, STEP, state.step)
        x = self.batches.batch(state.step, rng)
        with np.errstate(all="ignore"):  # the result is checked
            bits, gradient = self._finite_gradient(x, rng)
        clip(gradient, norm(gradient), settings.clip)
        rate = self.learning_rate
        state.step += 1
        update = OPTIMIZERS[settings.optimizer]
        betas = settings.beta1, settings.beta2
        update(state.parameters, gradient, state.moments, state.step, rate, *betas)
        update_average(state.average, state.parameters, settings.polyak, state.step)
        state.loss_sum += bits
        state.loss_count += 1
        return bits

    def validate(self) -> None:
        """Evaluate the average on the validation images, and record it in the history.

        Raises
        ------
        NonFiniteStep
            If the loss is not finite; the state is then as before.
        """
        state = self.state
        params = self.flat.params(state.average)
        with np.errstate(all="ignore"):  # the result is checked
            bits = self._validation_bits(params)
        train = state.loss_sum / state.loss_count
        if not np.isfinite(bits + train):
            rng = generator(self.settings.seed, VALIDATION)
            x = dequantize(self.validation_images, self.flow.bins, rng, self.settings.dtype)
            where = first_nonfinite_parameter(self.flow, self.flat, state.average, x, None)
            raise NonFiniteStep(
                f"the validation loss is not finite after step {state.step}, beginning at {where}"
            )
        name, condition, digits = worst_conditioned(self.flow, params)
        state.record_validation(
            {
                "step": state.step,
                "seconds": state.seconds,
                "learning_rate": self.learning_rate,
                "train": train,
                "validation": bits,
                "worst_layer": name,
                "condition_number": condition if np.isfinite(condition) else None,  # for JSON
                "digits": digits,
            }
        )

    def save(self) -> None:
        """Write the state and the history to the folder, if there is one."""
        if self.folder:
            self._update_seconds()
            best = self.flat.params(self.state.best)
            self.folder.save_state(self.flow, best, self.state, self.fingerprint, self.data)

    @property
    def progress(self) -> float:
        """The part of the budget that is spent, from 0 to 1."""
        settings, state = self.settings, self.state
        parts = [0.0]
        if settings.steps is not None:
            parts.append(state.step / settings.steps)
        if settings.minutes is not None:
            parts.append(state.seconds / (60 * settings.minutes))
        return min(1.0, max(parts))

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next step."""
        settings = self.settings
        peak, warmup = settings.learning_rate, settings.warmup
        return learning_rate(peak, self.state.step, warmup, self.progress, settings.schedule)

    # ---- the whole run -----------------------------------------------------------------------

    def run(self, interrupt: Interrupt, report: Callable[[dict[str, Any]], None]) -> TrainingResult:
        """Train until there is a reason to stop.

        Parameters
        ----------
        interrupt : Interrupt
        report : callable
            Receives a dict after every step, as the option `progress` of `train` explains.

        Returns
        -------
        TrainingResult

        Raises
        ------
        NonFiniteStep, InverseTooIllConditioned
            With the attribute ``result``.
        """
        try:
            return self._result(self._train(interrupt, report))
        except NonFiniteStep as error:
            advice = self._advice_on_divergence()
            raise NonFiniteStep(f"{error}; {advice}", self._result("diverged")) from error
        except InverseTooIllConditioned as error:
            advice = self._advice_on_inverse()
            result = self._result("unusable")
            raise InverseTooIllConditioned(f"{error}: {advice}", result) from error

    def _train(self, interrupt, report):
        """Train until there is a reason to stop, which is returned."""
        state, timer, wall = self.state, StepTimer(), CLOCKS["wall"]
        self._check_inverses()
        if not state.history:
            self._timed_validation()
        self.save()  # before the model, with which alone nothing could be resumed
        if self.folder:  # a process may have been killed between writing the two files
            self._save_best()
        saved = time.monotonic()
        while not (reason := self._reason_to_stop(interrupt)):
            began = wall()
            bits = self.step()
            timer.add(wall() - began)
            self._update_seconds()
            if state.step % self.settings.evaluate_every == 0:
                self._validate_and_save()
                self._check_inverses()
            if time.monotonic() - saved >= self.settings.save_every:
                self.save()
                saved = time.monotonic()
            report(self._report(bits, timer))
        # An evaluation out of turn would make a resumed run differ from an uninterrupted one.
        if reason != "interrupted" and state.history[-1]["step"] != state.step:
            self._validate_and_save()
        self.save()
        return reason

    def _reason_to_stop(self, interrupt):
        settings, state = self.settings, self.state
        if settings.steps is not None and state.step >= settings.steps:
            return "steps"
        if settings.minutes is not None and state.seconds >= 60 * settings.minutes:
            return "minutes"
        if settings.patience is not None and state.evaluations_since_best >= settings.patience:
            return "patience"
        return "interrupted" if interrupt.requested else None

    def _update_seconds(self):
        self.state.seconds = self._clock() - self._start_time

    def _validate_and_save(self):
        """Validate, and write the model if it is the best so far."""
        self._timed_validation()
        if self.folder and self.state.best_step == self.state.step:
            self._save_best()

    def _timed_validation(self):
        self._update_seconds()
        self.validate()
        self._update_seconds()

    def _save_best(self):
        self.folder.save_best(self.flow, self.flat.params(self.state.best), self.data)

    def _report(self, bits, timer):
        return {
            "step": self.state.step,
            "fraction": self.progress,
            "train": bits,
            "validation": self.state.history[-1]["validation"],
            "images_per_second": self.batches.size / max(timer.seconds, 1e-9),
        }

    def _result(self, reason):
        state = self.state
        return TrainingResult(
            flow=self.flow,
            params=self.flat.params(state.best.copy()),
            history=tuple(state.history),
            reason=reason,
            step=state.step,
            seconds=state.seconds,
            best_bits=state.best_bits,
            best_step=state.best_step,
            out=self.folder and self.folder.path,
        )

    # ---- failures ----------------------------------------------------------------------------

    def _finite_gradient(self, x, rng):
        settings, parameters = self.settings, self.state.parameters
        gradient = None
        try:
            bits, gradient = bits_and_gradient(
                self.flow, self.flat, parameters, x, settings.dropout, rng, settings.constant_memory
            )
            if np.isfinite(bits) and np.isfinite(norm(gradient)):
                return bits, gradient
            name = "gradient" if np.isfinite(bits) else "loss"
        except (NonFiniteError, ParamsError):  # a layer noticed first
            name = "loss"
        where = first_nonfinite_parameter(self.flow, self.flat, parameters, x, gradient)
        step = self.state.step + 1
        raise NonFiniteStep(f"the {name} is not finite in step {step}, beginning at {where}")

    def _validation_bits(self, params):
        """Return the bits per dimension of the validation images, NaN if a layer refuses."""
        rng = generator(self.settings.seed, VALIDATION)
        try:
            return evaluate(self.flow, params, self.validation_images, rng)
        except (NonFiniteError, ParamsError):
            return np.nan

    def _check_inverses(self):
        """Refuse constant memory where the inverse of a convolution keeps too few digits."""
        if not self.settings.constant_memory:
            return
        params = self.flat.params(self.state.parameters)
        name, condition, digits = worst_conditioned(self.flow, params)
        if digits < MIN_DIGITS:
            raise InverseTooIllConditioned(
                f"constant_memory rebuilds inputs by inverses, but that of {name} keeps about "
                f"{digits:.1f} digits in {self.settings.dtype} after step {self.state.step}, its "
                f"condition number being {condition:.2g}"
            )

    def _advice_on_inverse(self):
        """Save everything, and return what to do when an inverse keeps too few digits."""
        if self.folder and self.state.history:
            self.save()
            return f"continue without it (resume=True): everything is saved in {self.folder.path}"
        return "train without it, with stable=True or in float64"

    def _advice_on_divergence(self):
        """Save the last good state, and return where the best model is and what to do."""
        best = "the best model so far is the exception's `result`"
        if not self.state.history:
            best = "there is no model yet"
        elif self.folder:
            if np.isfinite(self.state.parameters).all():
                self.save()
            best = f"the best model so far is in {self.folder.path / BEST}"
        rate = self.settings.learning_rate
        return f"{best}: train anew with a learning rate below {rate:g} or a smaller clip"
