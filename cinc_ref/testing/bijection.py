"""`check_bijection`, the test of any invertible layer by its two directions, which raises."""

from collections.abc import Callable
from typing import Any

import numpy as np

from cinc_ref import _validate
from cinc_ref._blas import one_blas_thread, one_torch_thread
from cinc_ref.testing.collect import collect
from cinc_ref.testing.evidence import MAX_ENTRIES, STATEMENTS, Observation
from cinc_ref.testing.failure import CheckFailure, to_numpy
from cinc_ref.testing.frameworks import framework_of
from cinc_ref.testing.layer import Layer

__all__ = ["check_bijection"]


def check_bijection(
    forward: Callable[[Any], Any],
    inverse: Callable[[Any], Any],
    x: Any,
    volume_preserving: bool = False,
    tolerance: float | None = None,
) -> None:
    r"""Fail unless a layer inverts itself and its log-determinants are right.

    Both round trips are tried, and whether the log-determinants have shape (N,), are antisymmetric
    and equal

    .. math::
        \log|\det \partial y / \partial x|

    by central differences at several images (their error is estimated and stated); whether images
    are independent of each other, calls repeat, inputs and earlier results stay as they are, and
    the dtype is that of x. A failure gives the name of the first property that does not hold;
    `check` reports all of them, tries images of other sizes, and takes layers of any library.

    Parameters
    ----------
    forward, inverse : callable
        ``forward(x) -> (y, log_det)`` and ``inverse(y) -> (x, log_det)`` with log_det of shape (N,)
        in nats. They receive NumPy arrays, or PyTorch tensors if x is one, of any number of images.
    x : array_like or tensor, shape (N, ...)
        Images of at most 1024 entries each, in float32 or (sharper) float64. Three or more are
        best; a single one is completed by a second that is 3/4 of it.
    volume_preserving : bool
        Whether the log-determinant is 0 by design. Otherwise a layer that has log-determinant 0
        and only permutes its input is refused, because nothing can be tested at the identity: move
        its parameters away from their initial values first.
    tolerance : float, optional
        The relative error of a round trip that is by design, as of an iterative inverse.

    Raises
    ------
    OptionError
        If `volume_preserving` is no truth value, or `tolerance` no number > 0.
    CincError
        If a BLAS library continues to use several threads.
    CheckFailure
        An AssertionError whose `check` is the name of the property that failed.

    Examples
    --------
    >>> import numpy as np
    >>> from cinc_ref.testing import check_bijection
    >>> x = np.random.default_rng(0).normal(size=(3, 2, 2, 2))
    >>> def forward(x):
    ...     return 3 * x + 1, np.full(len(x), x[0].size * np.log(3))
    >>> def inverse(y):
    ...     return (y - 1) / 3, np.full(len(y), -y[0].size * np.log(3))
    >>> check_bijection(forward, inverse, x)
    """
    volume_preserving = _validate.boolean("volume_preserving", volume_preserving)
    if tolerance is not None:
        tolerance = _validate.number("tolerance", tolerance, above=0)
    images = _usable(x)
    framework = framework_of(x)
    layer = Layer("layer", "pair of functions", framework, _paired(forward), _paired(inverse))
    with one_blas_thread(), one_torch_thread():
        evidence = collect(
            layer, images, volume_preserving=volume_preserving, tolerance=tolerance, edges=False
        )
    observed = [observation for observation in evidence.observations if _is_raised(observation)]
    if observed:
        raise _failure(min(observed, key=_rank), images)


def _rank(observation):
    """Return the place of an observation: images that depend on their batch spoil Jacobians."""
    order = list(STATEMENTS)
    if observation.check == "images_are_independent" and observation.data["what"] == "images":
        return order.index("conclusive") - 0.5
    return order.index(observation.check)


def _usable(x):
    """Return the images as an array of at least two, or raise the failure of `usable_input`."""
    images = to_numpy(x).copy()
    if images.dtype not in (np.float32, np.float64):
        facts = {"expected": "x of float32 or float64", "got": f"{images.dtype}"}
        raise _failure(Observation("usable_input", facts, {}), images)
    if images.ndim < 2 or not len(images):
        facts = {"expected": "images (N, ...), N >= 1", "got": f"shape {images.shape}"}
        raise _failure(Observation("usable_input", facts, {}), images)
    if len(images) == 1:
        images = np.concatenate([images, images * images.dtype.type(0.75)])
    if not 0 < images[0].size <= MAX_ENTRIES:
        expected = f"images of 1 to {MAX_ENTRIES} entries"
        facts = {"expected": expected, "got": f"{images[0].size}"}
        raise _failure(Observation("usable_input", facts, {}), images)
    return images


def _paired(function):
    """Return a function whose result is a pair: what is no pair has no log-determinant."""

    def call(x):
        result = function(x)
        if isinstance(result, tuple | list) and len(result) == 2:
            return tuple(result)
        return result, None

    return call


def _is_raised(observation):
    """Return whether an observation fails the test: functions need not be differentiable."""
    return observation.check != "gradients" or observation.data["kind"] != "detached"


def _failure(observation, images):
    """Make the error of an observation."""
    facts = observation.facts | {"shapes": f"x {images.shape}", "dtype": str(images.dtype)}
    facts["seed"] = "none: everything follows from x"
    snippet = [
        "from cinc_ref.testing import check_bijection",
        "check_bijection(forward, inverse, x)",
    ]
    return CheckFailure(observation.check, STATEMENTS[observation.check], facts, snippet)
