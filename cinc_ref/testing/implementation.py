"""`Implementation`, the functions that are checked together with what they declare."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from cinc_ref import _validate
from cinc_ref.errors import OptionError

__all__ = ["DTYPES", "OPERATIONS", "OPTIONS", "Implementation"]

OPERATIONS = ("conv", "conv_inverse", "log_abs_det", "conv_vjp", "conv_inverse_vjp")
OPTIONS = ("corner", "dilation", "anchor")
DTYPES = ("float32", "float64")


@dataclass(frozen=True)
class Implementation:
    r"""The functions of a causal convolution :math:`y = M(K)\,x` to be checked, one or more.

    They receive C-contiguous NumPy arrays, images (N, C, H, W) and kernels (C, C, kh, kw) with
    the output channel first, and return anything that `numpy.asarray` takes, or PyTorch tensors.

    Parameters
    ----------
    conv : callable, optional
        ``conv(x, kernel) -> y``: padded at the top and left, then cross-correlated.
    conv_inverse : callable, optional
        ``conv_inverse(y, kernel) -> x``.
    log_abs_det : callable, optional
        ``log_abs_det(kernel, (H, W))``: log|det M| of one image in nats, as a number or as an
        array (N,) that repeats it.
    conv_vjp : callable, optional
        ``conv_vjp(x, kernel, g) -> (x_bar, kernel_bar)``: the gradients of <g, conv(x, kernel)>.
        Layers may mask, with 0, the taps that are not causal and the entries of B above the
        diagonal; every other entry counts, also where the kernel is 0.
    conv_inverse_vjp : callable, optional
        ``conv_inverse_vjp(y, kernel, g) -> (y_bar, kernel_bar)``: the gradients of
        <g, conv_inverse(y, kernel)>.
    options : iterable of {"corner", "dilation", "anchor"}
        The keyword arguments of `cinc_ref.conv` that all functions take (log_abs_det: anchor only).
        No others are passed, and these only where they differ from the default.
    dtypes : iterable of {"float32", "float64"}
        The dtypes in which the functions are tried.
    name : str, optional
        The name in reports; that of the first callable unless given.
    diagonal : {"any", "positive", "unit"}
        The diagonal entries of the corner block that the functions take: of both signs, positive
        as of an exponential, or 1.
    channels : iterable of int, optional
        The numbers of channels that the functions take, any unless given.

    Raises
    ------
    OptionError
        If no function is given, one is not callable, or an option, dtype, diagonal or number of
        channels is unknown.

    Examples
    --------
    >>> import cinc_ref as cr
    >>> ours = cr.testing.Implementation(log_abs_det=cr.log_abs_det, name="ours")
    >>> cr.testing.run_checks(ours).ok
    True
    """

    conv: Callable[..., Any] | None = None
    conv_inverse: Callable[..., Any] | None = None
    log_abs_det: Callable[..., Any] | None = None
    conv_vjp: Callable[..., Any] | None = None
    conv_inverse_vjp: Callable[..., Any] | None = None
    options: Sequence[str] = ()
    dtypes: Sequence[str] = DTYPES
    name: str | None = None
    diagonal: Literal["any", "positive", "unit"] = "any"
    channels: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        functions = [getattr(self, operation) for operation in OPERATIONS]
        given = [function for function in functions if function is not None]
        if not given:
            raise OptionError(
                f"an Implementation needs at least one of {', '.join(OPERATIONS)}; got none"
            )
        for function in given:
            if not callable(function):
                raise OptionError(f"an Implementation is made of callables; got {function!r}")
        _validate.instance("name", self.name, str | None, "a string")
        object.__setattr__(self, "options", _known("options", self.options, OPTIONS))
        object.__setattr__(self, "dtypes", _known("dtypes", self.dtypes, DTYPES))
        if not self.dtypes:
            raise OptionError("dtypes must name float32, float64 or both; got none")
        _validate.one_of("diagonal", self.diagonal, ("any", "positive", "unit"))
        if self.channels is not None:
            given_channels = (self.channels,) if np.ndim(self.channels) == 0 else self.channels
            known = _validate.integers(tuple(given_channels), len(tuple(given_channels)), 1)
            if not known:
                shown = _validate.shown(self.channels)
                raise OptionError(f"channels must be integers >= 1; got {shown}")
            object.__setattr__(self, "channels", known)
        if self.name is None:
            object.__setattr__(self, "name", getattr(given[0], "__name__", "implementation"))


def _known(what, names, table):
    if isinstance(names, str | type):
        names = (names,)
    elif not np.iterable(names):
        raise OptionError(f"{what} must be a sequence of names; got {_validate.shown(names)}")
    names = tuple(getattr(name, "__name__", None) or str(name) for name in names)
    for name in names:
        if name not in table:
            raise OptionError(f"{what} must be among {', '.join(table)}; got {name!r}")
    return names
