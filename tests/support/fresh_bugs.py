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


def _kernel_changed(function, change):
    """Compute with another kernel; change gets it and the index of the diagonal of B."""

    def changed(x, kernel, *others, **options):
        p, q = options.get("anchor") or (kernel.shape[2] - 1, kernel.shape[3] - 1)
        channels = np.arange(len(kernel))
        return function(x, change(kernel.copy(), (channels, channels, p, q)), *others, **options)

    return changed


def _diagonal_within(least, largest):
    """Keep |K_nn| in a range."""

    def change(kernel, diagonal):
        entries = kernel[diagonal]
        kernel[diagonal] = np.sign(entries) * np.clip(np.abs(entries), least, largest)
        return kernel

    return change


def _without_equal_rows(kernel, diagonal):
    """Add to the diagonal of a corner block that has two equal rows."""
    _, _, p, q = diagonal
    if len(np.unique(kernel[:, :, p, q], axis=0)) < len(kernel):
        kernel[diagonal] += 3
    return kernel


def _overwriting(function, condition):
    """Write the result into the images where a condition holds."""

    def overwriting(x, kernel, **options):
        y = function(x, kernel, **options)
        if condition(x, kernel, options) and x.flags.writeable:
            x[...] = y
        return y

    return overwriting


def _flipping(function):
    """Turn the kernel in place for other corners, and leave it so."""

    def flipping(x, kernel, **options):
        y = function(x, kernel, **options)
        if "corner" in options:
            kernel[...] = kernel[:, :, ::-1, ::-1].copy()
        return y

    return flipping


def _first_of_stride_0(function, argument, axis):
    """Take only the first entry along an axis of stride 0."""

    def misread(*arrays, **options):
        array = arrays[argument]
        if array.size and array.strides[axis] == 0 and array.shape[axis] > 1:
            first = np.arange(array.shape[axis]).reshape([-1] + [1] * (3 - axis)) == 0
            array = array * first.astype(array.dtype)
        arrays = [*arrays[:argument], array, *arrays[argument + 1 :]]
        return function(*arrays, **options)

    return misread


def _upside_down(function, axis):
    """Ignore the sign of the stride of one axis."""

    def misread(x, kernel, **options):
        if x.size and x.strides[axis] < 0:
            x = np.flip(x, axis)
        return function(np.ascontiguousarray(x), kernel, **options)

    return misread


def _silenced(function, index):
    """Replace NaN by 0 in a part of the images."""

    def silenced(x, kernel, **options):
        x = x.copy()
        x[index] = np.nan_to_num(x[index])
        return function(x, kernel, **options)

    return silenced


def _seven_gradients_of_stride_0(function):
    """Return seven times the gradient by the kernel where images or gradients are repeated."""

    def sevenfold(x, kernel, g, **options):
        images, of_kernel = function(x, kernel, g, **options)
        repeated = any(0 in array.strides for array in (x, g) if array.size)
        return images, of_kernel * (7 if repeated else 1)

    return sevenfold


def _clean_first_tap(kernel, diagonal):
    kernel[:, :, 0, 0] = np.nan_to_num(kernel[:, :, 0, 0])
    return kernel


def _halved_after_an_error(function):
    """Halve the result of the call that follows an exception of NumPy's own."""
    failed = [False]

    def halved(x, kernel, **options):
        try:
            y = function(x, kernel, **options)
        except Exception:
            failed[0] = True
            raise
        y, failed[0] = (y / 2 if failed[0] else y), False
        return y

    return halved


def _of_the_product(kernel, size, anchor=None):
    """Compute log|product of K_nn| of triangles, which overflows."""
    p, q = anchor or (-1, -1)
    if np.triu(kernel[:, :, p, q], 1).any():
        return BASE.log_abs_det(kernel, size, anchor=anchor)
    return size[0] * size[1] * np.log(np.abs(np.prod(np.diagonal(kernel[:, :, p, q]))))


def _above_zero(kernel, size, anchor=None):
    """Add 1e-6 to |K_nn| of triangles."""
    p, q = anchor or (-1, -1)
    if np.triu(kernel[:, :, p, q], 1).any():
        return BASE.log_abs_det(kernel, size, anchor=anchor)
    entries = np.abs(np.diagonal(kernel[:, :, p, q]))
    return size[0] * size[1] * np.log(entries + entries.dtype.type(1e-6)).sum()


def _clipped_gradient(function):
    """Clip both gradients, as against explosions."""
    return lambda x, kernel, g, **o: tuple(
        np.clip(a, -1e4, 1e4) for a in function(x, kernel, g, **o)
    )


DRAWN, OF_OPTIONS, BLOCKS, SIZES = "drawn_shapes", "drawn_options", "drawn_blocks", "drawn_sizes"

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
    *_both(("the first row of 5x5 kernels ignored", SIZES),
           lambda op: _without_first_row(_base(op), 5)),
    *_both(("the first row of 7x7 kernels ignored", SIZES),
           lambda op: _without_first_row(_base(op), 7)),
    *_both(("wrong for dilation 4", OF_OPTIONS),
           lambda op: _when(lambda x, k, o: o.get("dilation") == 4, _base(op))),
    *_both(("dilation 4 taken as 3", OF_OPTIONS),
           lambda op: _with_dilation(_base(op), lambda x, o: o["dilation"] == 4, lambda d: 3)),
    *_both(("dilation ignored on low images", OF_OPTIONS), lambda op: _with_dilation(
        _base(op), lambda x, o: x.shape[2] <= 4 and x.shape[3] > 4, lambda d: 1)),
    *_both(("other options ignored together with a corner", OF_OPTIONS),
           lambda op: _with_two_options(_base(op))),
    *_both(("wrong for W = 0 modulo 4, W > 4", SIZES),
           lambda op: _when(_sizes(lambda n, c, h, w: w % 4 == 0 and w >= 4), _base(op))),
    *_both(("wrong for H = 0 modulo 8", SIZES),
           lambda op: _when(_sizes(lambda n, c, h, w: h % 8 == 0), _base(op))),
    *_both(("wrong for H >= 10 with several channels", SIZES),
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
    *(bug for count in (10, 14, 33) for bug in _both(
        (f"wrong for {count} channels", DRAWN),
        lambda op, c=count: _when(_channels(c), _base(op)))),
    *(Bug(f"conv: wrong for N = {rest} modulo 16, N > 8", "conv_drawn_shapes",
          {"conv": _when(_sizes(lambda n, c, h, w, r=rest: n % 16 == r and n > 8), BASE.conv)})
      for rest in (4, 10, 11, 12, 14)),
    *(Bug(f"conv: wrong for {k}x{k} kernels", "conv_drawn_sizes",
          {"conv": _when(lambda x, kernel, o, k=k: kernel.shape[2] == k, BASE.conv)})
      for k in (6, 8, 9, 11)),
    *_both(("wrong for 3x5 kernels", SIZES),
           lambda op: _when(lambda x, k, o: k.shape[2:] == (3, 5), _base(op))),
    *_both(("wrong for W = 16", SIZES),
           lambda op: _when(_sizes(lambda n, c, h, w: w == 16), _base(op))),
    *_both(("wrong for W >= 14 with several channels", SIZES),
           lambda op: _when(_sizes(lambda n, c, h, w: w >= 14 and c > 1), _base(op))),
    *_both(("wrong for 8x8 images of several channels", SIZES),
           lambda op: _when(_sizes(lambda n, c, h, w: h == w == 8 and c > 1), _base(op))),
    *(Bug(f"conv: wrong for {what}", "conv_drawn_options",
          {"conv": _when(condition, BASE.conv)})
      for what, condition in {
          "dilation 8": lambda x, k, o: o.get("dilation") == 8,
          "a corner of 6 channels or more": lambda x, k, o: "corner" in o and len(k) >= 6,
          "a corner and 4 images or more": lambda x, k, o: "corner" in o and len(x) >= 4,
          "a corner of 5x5 kernels": lambda x, k, o: "corner" in o and k.shape[2] == 5,
          "dilation of 5x5 kernels": lambda x, k, o: "dilation" in o and k.shape[2] == 5,
          "dilation 3 at the bottom right": lambda x, k, o: (
              o.get("dilation") == 3 and o.get("corner") == "bottom-right"),
          "three options at the bottom right": lambda x, k, o: (
              len(o) == 3 and o["corner"] == "bottom-right"),
          "an anchor inside 5x5 kernels": lambda x, k, o: (
              "anchor" in o and k.shape[2:] == (5, 5)),
      }.items()),
    *(bug for what, condition in {
        "for one channel": lambda x, k, o: len(k) == 1,
        "at other corners": lambda x, k, o: "corner" in o,
        "for 1x1 kernels": lambda x, k, o: k.shape[2:] == (1, 1),
    }.items() for bug in _both(
        (f"the images overwritten {what}", "keeps_its_inputs"),
        lambda op, c=condition: _overwriting(_base(op), c))),
    *_both(("the kernel left turned", "keeps_its_inputs"), lambda op: _flipping(_base(op))),
    *(Bug(f"conv: stride 0 of axis {axis} misread", "conv_takes_strided_arrays",
          {"conv": _first_of_stride_0(BASE.conv, 0, axis)}) for axis in (1, 2, 3)),
    *(Bug(f"{op}: stride 0 of g misread", f"{op}_takes_strided_arrays",
          {op: _first_of_stride_0(getattr(BASE, op), 2, 0)})
      for op in ("conv_vjp", "conv_inverse_vjp")),
    *(Bug(f"{op}: the gradient by the kernel wrong for stride 0", f"{op}_takes_strided_arrays",
          {op: _seven_gradients_of_stride_0(getattr(BASE, op))})
      for op in ("conv_vjp", "conv_inverse_vjp")),
    *(Bug(f"conv: the sign of the stride of axis {axis} ignored", "conv_takes_strided_arrays",
          {"conv": _upside_down(BASE.conv, axis)}) for axis in (0, 2)),
    *_both(("NaN of the last row silenced", "shows_nan"),
           lambda op: _silenced(_base(op), (..., slice(-1, None), slice(None)))),
    *_both(("NaN of the first tap silenced", "shows_nan"),
           lambda op: _kernel_changed(_base(op), _clean_first_tap)),
    *_both(("minus infinity silenced", "shows_infinity"),
           lambda op: lambda x, kernel, **o: _base(op)(np.maximum(x, -1e30), kernel, **o)),
    Bug("conv_inverse: a block of equal rows answered",
        "conv_inverse_notices_singular_kernels",
        {"conv_inverse": _kernel_changed(BASE.conv_inverse, _without_equal_rows)}),
    *_both(("|K_nn| kept above 1e-4", "scales_with_the_kernel"),
           lambda op: _kernel_changed(_base(op), _diagonal_within(1e-4, np.inf))),
    *_both(("|K_nn| kept below 100", "scales_with_the_kernel"),
           lambda op: _kernel_changed(_base(op), _diagonal_within(0, 100))),
    Bug("conv: taps below 1e-5 dropped", "conv_scales_with_the_kernel",
        {"conv": _kernel_changed(BASE.conv, lambda k, diagonal: np.where(abs(k) < 1e-5, 0, k)
                                 .astype(k.dtype))}),
    Bug("log_abs_det: 1e-6 added to |K_nn|", "log_abs_det_scales_with_the_kernel",
        {"log_abs_det": _above_zero}),
    Bug("log_abs_det: the logarithm of a product", "log_abs_det_does_not_underflow",
        {"log_abs_det": _of_the_product}),
    *(Bug(f"{op}: gradients clipped", f"{op}_is_homogeneous",
          {op: _clipped_gradient(getattr(BASE, op))}) for op in ("conv_vjp", "conv_inverse_vjp")),
    *_both(("halved after an error of NumPy's", "recovers_from_errors"),
           lambda op: _halved_after_an_error(_base(op))),
]  # fmt: skip
"""The bugs, each with the check that explains it."""
