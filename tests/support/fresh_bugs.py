"""Bugs that only some shapes, options, values or sequences of calls show, on NumPy code.

The right code is `right_implementations.shifts`, so that nothing compiles. Each bug names the check
that must find it at every seed.
"""

import threading
import time

import numpy as np

from cinc_ref.testing import Implementation
from tests.support.planted_bugs import Bug
from tests.support.right_implementations import OPTIONS, shifts

BASE = shifts()


def planted(bug):
    """Make an `Implementation` of shifted images with the bug in it."""
    names = ("conv", "conv_inverse", "log_abs_det", "conv_vjp", "conv_inverse_vjp")
    functions = {name: getattr(BASE, name) for name in names} | bug.functions
    return Implementation(**functions, options=OPTIONS, name="bug")


def _when(condition, function, spoil=None):
    """Spoil the last row of a result where (x, kernel, options) meet a condition."""
    spoil = spoil or (
        lambda y: y * np.where(np.arange(y.shape[2]) == y.shape[2] - 1, 0.9, 1)[:, None]
    )

    def spoiled(x, kernel, **options):
        y = function(x, kernel, **options)
        return spoil(y).astype(y.dtype) if condition(x, kernel, options) and y.size else y

    return spoiled


def _channels(count):
    return lambda x, kernel, o: len(kernel) == count


def _cached_by(key, function):
    """Keep the kernel of the first call with a key."""
    kernels = {}

    def cached(x, kernel, *others, **options):
        found = kernels.setdefault((key(kernel), kernel.shape, kernel.dtype), kernel.copy())
        return function(x, found, *others, **options)

    return cached


def _makes_triangular(function):
    def changing(y, kernel, **options):
        result = function(y, kernel, **options)
        p, q = options.get("anchor") or (-1, -1)
        kernel[:, :, p, q] = np.tril(kernel[:, :, p, q])
        return result

    return changing


def _poisoned(function):
    """Remember that a call failed, and answer the next one with zeros."""
    failed = [False]

    def poisoned(x, kernel, **options):
        if not np.isfinite(x).all() or not np.isfinite(kernel).all():
            failed[0] = True
            raise ValueError("not finite")
        y = function(x, kernel, **options)
        y, failed[0] = (0 * y if failed[0] else y), False
        return y

    return poisoned


def _shared_workspace(function):
    """Write the kernel into one workspace that all threads use, and compute from there."""
    workspace = {}

    def racing(x, kernel, **options):
        held = workspace.setdefault((kernel.shape, kernel.dtype), kernel.copy())
        held[...] = kernel
        if threading.current_thread() is not threading.main_thread():
            time.sleep(1e-3)
        return function(x, held.copy(), **options)

    return racing


def _by_address(function):
    """Read memory from its lowest address on, whatever the strides are."""

    def misread(x, kernel, **options):
        if x.size and min(x.strides) < 0:
            x = x[tuple(slice(None, None, -1 if s < 0 else 1) for s in x.strides)]
        return function(np.ascontiguousarray(x), np.ascontiguousarray(kernel), **options)

    return misread


def _without_repeats(function):
    """Take an axis of stride 0 for one entry that counts, and zeros."""

    def misread(x, kernel, **options):
        if x.size and 0 in x.strides and x.strides[0] == 0:
            x = np.concatenate([x[:1], 0 * x[1:]])
        return function(x, kernel, **options)

    return misread


def _masked_where_zero(function):
    def masked(x, kernel, g, **options):
        images, gradient = function(x, kernel, g, **options)
        return images, gradient * (kernel != 0)

    return masked


def _huge_where_zero(function):
    def huge(x, kernel, g, **options):
        images, gradient = function(x, kernel, g, **options)
        return images, np.where(kernel == 0, gradient.dtype.type(1e6), gradient)

    return huge


def _clean_kernel(function):
    return lambda x, kernel, **o: function(x, np.nan_to_num(kernel), **o)


def _clipped(function):
    largest = 1e30
    return lambda x, kernel, **o: function(np.clip(x, -largest, largest), kernel, **o)


def _regularized(function):
    """Replace a diagonal entry of 0 by 1."""

    def solved(y, kernel, *others, **options):
        kernel = kernel.copy()
        p, q = options.get("anchor") or (-1, -1)
        diagonal = np.arange(len(kernel))
        entries = kernel[diagonal, diagonal, p, q]
        kernel[diagonal, diagonal, p, q] = np.where(entries == 0, 1, entries)
        return function(y, kernel, *others, **options)

    return solved


def _regularized_log_det(kernel, size, **options):
    return _regularized(lambda s, k, **o: BASE.log_abs_det(k, s, **o))(size, kernel, **options)


def _returns_input(function):
    """Return x itself for an identity kernel."""

    def identity(x, kernel, **options):
        y = function(x, kernel, **options)
        return x if np.array_equal(x, y) else y

    return identity


def _without_first_row(function, least):
    """Ignore the first row of large kernels."""

    def ignoring(x, kernel, **options):
        if kernel.shape[2] >= least:
            kernel = kernel.copy()
            kernel[:, :, 0] = 0
        return function(x, kernel, **options)

    return ignoring


def _neumann(terms):
    """Sum a hundred terms of the Neumann series."""

    def inverse(y, kernel, **options):
        p, q = options.get("anchor") or (kernel.shape[2] - 1, kernel.shape[3] - 1)
        block, rest = np.linalg.inv(kernel[:, :, p, q]), kernel.copy()
        rest[:, :, p, q] = 0
        x = np.zeros_like(y)
        for _ in range(terms):
            x = np.einsum("oc,nchw->nohw", block, y - BASE.conv(x, rest, **options))
        return np.ascontiguousarray(x)

    return inverse


def _log_det(change):
    return lambda kernel, size, **o: change(BASE.log_abs_det(kernel, size, **o), kernel, size)


def _sizes(condition):
    return lambda x, kernel, o: condition(*x.shape)


def _one_image_of_one_channel(x, kernel, **options):
    y = BASE.conv(x, kernel, **options)
    return y.squeeze() if y.shape[:2] == (1, 1) else y


def _positive(function):
    """Take |K_nn| for one channel."""

    def absolute(x, kernel, **options):
        p, q = options.get("anchor") or (-1, -1)
        if len(kernel) == 1:
            kernel = kernel.copy()
            kernel[:, :, p, q] = -np.abs(kernel[:, :, p, q])
        return function(x, kernel, **options)

    return absolute


def _limited(low, high):
    """Keep |K_nn| in a range."""

    def limited(kernel):
        kernel, diagonal = kernel.copy(), np.arange(len(kernel))
        entries = kernel[diagonal, diagonal, -1, -1]
        kernel[diagonal, diagonal, -1, -1] = np.sign(entries) * np.clip(np.abs(entries), low, high)
        return kernel

    return lambda x, kernel, **o: BASE.conv(x, limited(kernel), **o)


def _blocked(function, wrong):
    """Ignore the entries of B above the diagonal for some numbers of channels."""

    def solved(y, kernel, **options):
        p, q = options.get("anchor") or (-1, -1)
        if wrong(len(kernel)):
            kernel = kernel.copy()
            kernel[:, :, p, q] = np.tril(kernel[:, :, p, q])
        return function(y, kernel, **options)

    return solved


def _with_two_options(function):
    def ignoring(x, kernel, **options):
        if "corner" in options and len(options) > 1:
            options = {"corner": options["corner"]}
        return function(x, kernel, **options)

    return ignoring


def _with_dilation(function, condition, instead):
    def ignoring(x, kernel, **options):
        if options.get("dilation", 1) > 1 and condition(x, options):
            options = options | {"dilation": instead(options["dilation"])}
        return function(x, kernel, **options)

    return ignoring


def _both(name, make):
    """Plant a bug in conv and in conv_inverse, under the same check."""
    return [
        Bug(f"{operation}: {name[0]}", f"{operation}_{name[1]}", {operation: make(operation)})
        for operation in ("conv", "conv_inverse")
    ]


def _base(operation):
    return getattr(BASE, operation)


DRAWN, OF_OPTIONS, BLOCKS = "drawn_shapes", "drawn_options", "drawn_blocks"

FRESH = [
    *(bug for count in (4, 6, 7, 8, 12, 16, 18, 24) for bug in _both(
        (f"wrong for {count} channels", DRAWN),
        lambda op, c=count: _when(_channels(c), _base(op)))),
    *_both(("wrong for 18 channels or more", DRAWN),
           lambda op: _when(lambda x, k, o: len(k) >= 18, _base(op))),
    *(bug for rest in (1, 3, 5, 7) for bug in _both(
        (f"wrong for N = {rest} modulo 8, N > 8", DRAWN),
        lambda op, r=rest: _when(_sizes(lambda n, c, h, w: n % 8 == r and n > 2), _base(op)))),
    *_both(("wrong for N = 4", DRAWN),
           lambda op: _when(_sizes(lambda n, c, h, w: n == 4), _base(op))),
    *_both(("wrong for 4x4 kernels", DRAWN),
           lambda op: _when(lambda x, k, o: k.shape[2] == 4, _base(op))),
    *_both(("wrong for 7x7 kernels", DRAWN),
           lambda op: _when(lambda x, k, o: k.shape[2] == 7, _base(op))),
    *_both(("the first row of 5x5 kernels ignored", DRAWN),
           lambda op: _without_first_row(_base(op), 5)),
    *_both(("the first row of 7x7 kernels ignored", DRAWN),
           lambda op: _without_first_row(_base(op), 7)),
    *_both(("wrong for dilation 4", OF_OPTIONS),
           lambda op: _when(lambda x, k, o: o.get("dilation") == 4, _base(op))),
    *_both(("dilation 4 taken as 3", OF_OPTIONS),
           lambda op: _with_dilation(_base(op), lambda x, o: o["dilation"] == 4, lambda d: 3)),
    *_both(("dilation ignored on low images", OF_OPTIONS), lambda op: _with_dilation(
        _base(op), lambda x, o: x.shape[2] <= 4 and x.shape[3] > 4, lambda d: 1)),
    *_both(("other options ignored together with a corner", OF_OPTIONS),
           lambda op: _with_two_options(_base(op))),
    *_both(("wrong for W = 0 modulo 4, W > 4", DRAWN),
           lambda op: _when(_sizes(lambda n, c, h, w: w % 4 == 0 and w >= 4), _base(op))),
    *_both(("wrong for H = 0 modulo 8", DRAWN),
           lambda op: _when(_sizes(lambda n, c, h, w: h % 8 == 0), _base(op))),
    *_both(("wrong for H >= 10 with several channels", DRAWN),
           lambda op: _when(_sizes(lambda n, c, h, w: h >= 10 and c > 1), _base(op))),
    Bug("conv: the axes of one image of one channel lost", "conv_drawn_shapes",
        {"conv": _one_image_of_one_channel}),
    *_both(("K_nn of one channel taken as negative", DRAWN), lambda op: _positive(_base(op))),
    Bug("conv: |K_nn| kept between 0.4 and 2.5", "conv_drawn_shapes",
        {"conv": _limited(0.4, 2.5)}),
    Bug("conv_inverse: dense blocks as triangles for C >= 4", "conv_inverse_drawn_blocks",
        {"conv_inverse": _blocked(BASE.conv_inverse, lambda c: c >= 4)}),
    Bug("conv_inverse: upper blocks as diagonals for C = 6", "conv_inverse_drawn_blocks",
        {"conv_inverse": _blocked(BASE.conv_inverse, lambda c: c == 6)}),
    *_both(("a cache by the id of the kernel", "follows_the_kernel"),
           lambda op: _cached_by(id, _base(op))),
    *_both(("a cache by the sum of the kernel", "follows_new_kernels"),
           lambda op: _cached_by(lambda k: round(float(k.sum()), 3), _base(op))),
    *_both(("a cache by the shape of the kernel", "follows_the_kernel"),
           lambda op: _cached_by(lambda k: 0, _base(op))),
    *_both(("the caller's kernel made triangular", "keeps_its_inputs"),
           lambda op: _makes_triangular(_base(op))),
    *_both(("a state after an exception", "recovers_from_errors"),
           lambda op: _poisoned(_base(op))),
    *_both(("a workspace that threads share", "works_in_threads"),
           lambda op: _shared_workspace(_base(op))),
    *_both(("negative strides ignored", "takes_strided_arrays"),
           lambda op: _by_address(_base(op))),
    *_both(("stride 0 misread", "takes_strided_arrays"),
           lambda op: _without_repeats(_base(op))),
    *_both(("NaN in the kernel silenced", "shows_nan"), lambda op: _clean_kernel(_base(op))),
    *_both(("infinity silenced", "shows_infinity"), lambda op: _clipped(_base(op))),
    Bug("conv_inverse: a singular kernel answered", "conv_inverse_notices_singular_kernels",
        {"conv_inverse": _regularized(BASE.conv_inverse)}),
    Bug("log_abs_det: a singular kernel answered", "log_abs_det_notices_singular_kernels",
        {"log_abs_det": _regularized_log_det}),
    *_both(("the input returned for an identity kernel", "returns_new_memory"),
           lambda op: _returns_input(_base(op))),
    Bug("log_abs_det: wrong for H W > 200", "log_abs_det_of_large_images",
        {"log_abs_det": _log_det(lambda v, k, s: v * min(1, 200 / (s[0] * s[1])))}),
    Bug("log_abs_det: clamped at 500", "log_abs_det_of_large_images",
        {"log_abs_det": _log_det(lambda v, k, s: np.clip(v, -500, 500))}),
    Bug("log_abs_det: clamped below", "log_abs_det_of_large_images",
        {"log_abs_det": _log_det(lambda v, k, s: np.maximum(v, -300))}),
    Bug("log_abs_det: wrong for C = 8", "log_abs_det_drawn_shapes",
        {"log_abs_det": _log_det(lambda v, k, s: v * (1.1 if len(k) == 8 else 1))}),
    Bug("conv_inverse: a Neumann series of 100 terms", "conv_inverse_longer",
        {"conv_inverse": _neumann(100)}),
    *(Bug(f"{op}: no gradient where the kernel is 0", f"{op}_where_the_kernel_is_zero",
          {op: _masked_where_zero(getattr(BASE, op))}) for op in ("conv_vjp", "conv_inverse_vjp")),
    *(Bug(f"{op}: 1e6 where the kernel is 0", f"{op}_where_the_kernel_is_zero",
          {op: _huge_where_zero(getattr(BASE, op))}) for op in ("conv_vjp", "conv_inverse_vjp")),
]  # fmt: skip
"""The bugs, each with the check that explains it."""
