"""The parts of a training run: its start, one step, one evaluation."""

import hashlib
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from cinc_ref._images import in_chunks
from cinc_ref.errors import NonFiniteError
from cinc_ref.flows import dequantize
from cinc_ref.flows.conditioning import worst_conditioned
from cinc_ref.primitives.trust import FEW_DIGITS
from cinc_ref.training.diagnosis import first_culprit
from cinc_ref.training.loss import bits_and_gradient, evaluate
from cinc_ref.training.optimizer import OPTIMIZERS, clip, learning_rate, norm, update_average
from cinc_ref.training.settings import Settings
from cinc_ref.training.state import State
from cinc_ref.training.tree import Layout

INIT_IMAGES = 256
"""Images from which the parameters are initialized (Nagar et al., 2021, released settings)."""

INIT, ORDER, STEP, VALIDATION = range(4)
"""Streams of random numbers, each seeded by (seed, stream, number)."""


class Diverged(Exception):
    """A step could not be done; the argument says what is not finite, and where."""


class Unusable(Exception):
    """Inputs cannot be rebuilt; the argument says by which layer's inverse, and why."""


@dataclass(frozen=True)
class Run:
    """What stays the same throughout a run."""

    flow: Any
    train_images: np.ndarray
    validation_images: np.ndarray
    settings: Settings
    constant_memory: bool = False

    def rng(self, stream, number=0):
        """The generator of one use; no generator outlives it, so nothing need be saved."""
        return np.random.default_rng([self.settings.seed, stream, number])

    @cached_property
    def identity(self):
        """What must be equal for a run to be resumed, beside the flow; JSON values."""
        return {
            **self.settings.as_json(),
            "train_images": _fingerprint(self.train_images),
            "validation_images": _fingerprint(self.validation_images),
        }

    @property
    def batch_size(self):
        """Images in a batch: a small set is one batch."""
        return min(self.settings.batch_size, len(self.train_images))

    def dequantized(self, images, rng):
        """Float images of the run's dtype."""
        return dequantize(images, self.flow.bins, rng, self.settings.dtype)

    def batch(self, step, rng):
        """The dequantized images of a step; each epoch has an order of its own."""
        epoch, position = divmod(step, len(self.train_images) // self.batch_size)
        order = _permutation(self.settings.seed, epoch, len(self.train_images))
        chosen = order[position * self.batch_size : (position + 1) * self.batch_size]
        images = self.train_images[chosen]
        if self.settings.flip:
            turned = rng.random(len(images)) < 0.5
            images[turned] = images[turned, :, :, ::-1]
        return self.dequantized(images, rng)

    def progress(self, state):
        """The part of the budget that is spent, from 0 to 1."""
        settings = self.settings
        parts = [0.0]
        if settings.steps is not None:
            parts.append(state.step / settings.steps)
        if settings.minutes is not None:
            parts.append(state.seconds / (60 * settings.minutes))
        return min(1.0, max(parts))

    def learning_rate(self, state):
        """The rate of the next step."""
        settings = self.settings
        peak, warmup = settings.learning_rate, settings.warmup
        return learning_rate(peak, state.step, warmup, self.progress(state), settings.schedule)


@lru_cache(maxsize=1)
def _permutation(seed, epoch, count):
    return np.random.default_rng([seed, ORDER, epoch]).permutation(count)


def _fingerprint(images):
    digest = hashlib.sha256()
    for part in in_chunks(images):
        digest.update(np.ascontiguousarray(part))
    return f"{images.dtype}{list(images.shape)} {digest.hexdigest()[:16]}"


def start(run):
    """Initialize from data: the layout of the parameters, and the state before the first step."""
    rng = run.rng(INIT)
    chosen = rng.permutation(len(run.train_images))[:INIT_IMAGES]
    params = run.flow.init(rng, run.dequantized(run.train_images[chosen], rng))
    layout = Layout.of(params)
    state = State.start(layout.vector(params))
    state.loss_sum = evaluate(run.flow, params, run.train_images[chosen], rng)
    state.loss_count = 1
    return layout, state


def advance(run, layout, state):
    """One step of training, in place; returns the batch's bits per dimension.

    Raises
    ------
    Diverged
        If the loss or its gradient is not finite; the state is then as before.
    """
    settings = run.settings
    rng = run.rng(STEP, state.step)
    x = run.batch(state.step, rng)
    with np.errstate(all="ignore"):  # judged by what comes out
        bits, gradient = _finite_gradient(run, layout, state, x, rng)
    clip(gradient, norm(gradient), settings.clip)
    rate = run.learning_rate(state)
    state.step += 1
    update = OPTIMIZERS[settings.optimizer]
    betas = settings.beta1, settings.beta2
    update(state.parameters, gradient, state.moments, state.step, rate, *betas)
    update_average(state.average, state.parameters, settings.polyak, state.step)
    state.loss_sum += bits
    state.loss_count += 1
    return bits


def _finite_gradient(run, layout, state, x, rng):
    gradient = None
    try:
        bits, gradient = bits_and_gradient(
            run.flow, layout, state.parameters, x, run.settings.dropout, rng, run.constant_memory
        )
        if np.isfinite(bits) and np.isfinite(norm(gradient)):
            return bits, gradient
        what = "gradient" if np.isfinite(bits) else "loss"
    except NonFiniteError:  # a layer noticed first
        what = "loss"
    where = first_culprit(run.flow, layout, state.parameters, x, gradient)
    raise Diverged(f"the {what} is not finite in step {state.step + 1}, beginning at {where}")


def validate(run, layout, state):
    """Evaluate the average on the validation images, and record it in the history.

    Raises
    ------
    Diverged
        If it is not finite; the state is then as before.
    """
    rng = run.rng(VALIDATION)
    params = layout.params(state.average)
    with np.errstate(all="ignore"):
        bits = _bits_or_nan(run, params, rng)
    train = state.loss_sum / state.loss_count
    if not np.isfinite(bits + train):
        x = run.dequantized(run.validation_images, run.rng(VALIDATION))
        where = first_culprit(run.flow, layout, state.average, x, None)
        raise Diverged(
            f"the validation loss is not finite after step {state.step}, beginning at {where}"
        )
    rate = run.learning_rate(state)
    state.record_validation(
        {
            "step": state.step,
            "seconds": state.seconds,
            "learning_rate": rate,
            "train": train,
            "validation": bits,
            **_worst_layer(run, params),
        }
    )


def _worst_layer(run, params):
    """The convolution whose inverse keeps the fewest digits, as columns of the history."""
    name, condition, digits = worst_conditioned(run.flow, params)
    condition = condition if np.isfinite(condition) else None  # JSON has no infinity
    return {"worst_layer": name, "condition_number": condition, "digits": digits}


def check_inverses(run, layout, state):
    """Refuse to rebuild inputs by inverses of which one keeps too few digits.

    Raises
    ------
    Unusable
        If constant memory was asked for, and a convolution keeps fewer than three.
    """
    if not run.constant_memory:
        return
    name, condition, digits = worst_conditioned(run.flow, layout.params(state.parameters))
    if digits < FEW_DIGITS:
        raise Unusable(
            f"constant_memory rebuilds inputs by inverses, but that of {name} keeps about "
            f"{digits:.1f} digits in {run.settings.dtype} after step {state.step}, its condition "
            f"number being {condition:.2g}"
        )


def _bits_or_nan(run, params, rng):
    try:
        return evaluate(run.flow, params, run.validation_images, rng)
    except NonFiniteError:
        return np.nan
