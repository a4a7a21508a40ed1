"""Bugs of one line each in otherwise right implementations, with the check that must find each.

The first tables replace a function of this package; the others are of layers, for
`check_bijection`, and of densities, for `check_density`.
"""

from typing import NamedTuple

import numpy as np

import cinc_ref as cr
from cinc_ref.testing import Implementation
from tests.support.densities import normal, two_modes
from tests.support.layers import (
    actnorm,
    additive_coupling,
    affine_coupling,
    chain,
    density,
    flow,
    pointwise,
    quad_coupling,
    squeeze,
    sum_of_entries,
)
from tests.support.right_implementations import OPTIONS, ours


class Bug(NamedTuple):
    """A description of the bug, the check that must find it, and the replaced functions."""

    description: str
    check: str
    functions: dict


def planted(bug):
    """Make an `Implementation` of this package with the bug in it."""
    right = ours()
    names = ("conv", "conv_inverse", "log_abs_det", "conv_vjp", "conv_inverse_vjp")
    functions = {name: getattr(right, name) for name in names} | bug.functions
    return Implementation(**functions, options=OPTIONS, name="bug")


# ---- helpers: each is the seed of several bugs ---------------------------------------------------


def _corner(kernel, change):
    """Copy a kernel and change its corner block."""
    kernel = kernel.copy()
    kernel[:, :, -1, -1] = change(kernel[:, :, -1, -1])
    return kernel


def _unit(block):
    block = block.copy()
    np.fill_diagonal(block, 1)
    return block


def _diagonal(block):
    return np.diag(np.diagonal(block))


def _correlate(x, kernel, pads, mode="constant"):
    """Correlate x, padded by ((top, bottom), (left, right)) in a mode of numpy.pad."""
    wide, y = np.pad(x, ((0, 0), (0, 0), *pads), mode=mode), np.zeros_like(x)
    kh, kw = kernel.shape[2:]
    for i, j in np.ndindex(x.shape[2:]):
        y[:, :, i, j] = np.einsum("ncab,ocab->no", wide[:, :, i : i + kh, j : j + kw], kernel)
    return y


def _around(before, after):
    """Make paddings of both axes from functions of the kernel's sides."""
    return lambda kernel: [(before(k), after(k)) for k in kernel.shape[2:]]


def _spoil_last(images, axis, when):
    """Set the last row (axis 2) or column (axis 3) to 0 for some image sizes."""
    images = images.copy()
    if when(*images.shape[2:]):
        images[(slice(None),) * axis + (-1,)] = 0
    return images


def _through_float32(function):
    """Compute in float32 for any dtype."""
    return lambda *arrays, **options: _cast(
        function(*(np.float32(a) if isinstance(a, np.ndarray) else a for a in arrays), **options),
        arrays[0].dtype,
    )


def _cast(result, dtype):
    return (
        tuple(_cast(r, dtype) for r in result)
        if isinstance(result, tuple)
        else result.astype(dtype)
    )


def _without(function, name):
    """Ignore an option."""

    def ignoring(*arrays, **options):
        options.pop(name, None)
        return function(*arrays, **options)

    return ignoring


def _in_place(function):
    """Write the result over the first argument."""

    def overwriting(images, *others, **options):
        images[...] = function(images, *others, **options)
        return images.copy()

    return overwriting


def _cached(function):
    """Return the same buffer for all results of a shape."""
    buffers = {}

    def buffered(images, kernel, **options):
        buffer = buffers.setdefault((images.shape, images.dtype), np.empty_like(images))
        buffer[...] = function(images, kernel, **options)
        return buffer

    return buffered


def _noisy(function):
    generator = np.random.default_rng(0)

    def noisy(*arrays, **options):
        y = function(*arrays, **options)
        return y * (1 + 1e-15 * generator.normal(size=y.shape)).astype(y.dtype)

    return noisy


def _clean(function):
    """Replace NaN by 0 before anything is computed."""
    return lambda x, kernel, **o: function(np.nan_to_num(x), kernel, **o)


def _polluted(function):
    """Add a sum over the batch, times 0."""
    return lambda x, kernel, **o: function(np.nan_to_num(x), kernel, **o) + 0 * x.sum()


def _misread_as_contiguous(function):
    """Read memory in its own order, as a C function does that ignores strides."""

    def misreading(x, kernel, **options):
        if not x.flags.c_contiguous:
            x = x.ravel(order="K").reshape(x.shape)
        return function(x, np.ascontiguousarray(kernel), **options)

    return misreading


def _fills_empty(x, kernel, **options):
    if not len(x):
        return np.zeros((1, *x.shape[1:]), x.dtype)
    return cr.conv(x, kernel, **options)


def _depthwise(x, kernel, **options):
    eye = np.eye(len(kernel), dtype=kernel.dtype)
    return cr.conv(x, kernel * eye[:, :, None, None], **options)


def _negative_indices(x, kernel, **options):
    """Let pixels above the image count from its end, once the kernel is larger than the image."""
    y = cr.conv(x, kernel, **options)
    if kernel.shape[2] > x.shape[2]:
        y[:, :, 0] += np.einsum("ncw,oc->now", x[:, :, -1], kernel[:, :, 0, -1])
    return y


def _pairs_of_channels(x, kernel, **options):
    y = cr.conv(x, kernel, **options)
    if x.shape[1] % 2 and x.shape[1] > 3:
        y[:, -1] = 0
    return y


def _squeezing(function, axis, rank):
    def squeezed(x, kernel, **options):
        y = function(x, kernel, **options)
        return y.squeeze(axis) if y.shape[axis] == 1 and y.ndim == rank else y

    return squeezed


def _up_to(count, axis, function):
    """Set what lies beyond a number of images, channels, rows or columns to 0, like a lost tail."""

    def cut(x, kernel, **options):
        y = function(x, kernel, **options).copy()
        np.moveaxis(y, axis, 0)[count:] = 0
        return y

    return cut


def _flushed(function):
    """Replace what is below 1e-10 by 0."""

    def flushing(x, kernel, **options):
        y = function(x, kernel, **options)
        return np.where(np.abs(y) < 1e-10, y.dtype.type(0), y)

    return flushing


def _prepared_once(function):
    """Use the first kernel of a shape for all later ones."""
    kernels = {}

    def stale(x, kernel, *others, **options):
        key = kernel.shape, kernel.dtype, tuple(options.items())
        return function(x, kernels.setdefault(key, kernel.copy()), *others, **options)

    return stale


def _once_a_kernel(function):
    figures = {}
    return lambda kernel, size, **o: figures.setdefault(
        (kernel.tobytes(), kernel.dtype), function(kernel, size, **o)
    )


def _accumulating(function):
    """Add gradients of the kernel to those of earlier calls."""
    sums = {}

    def accumulating(x, kernel, g, **options):
        images, part = function(x, kernel, g, **options)
        key = kernel.shape, kernel.dtype, tuple(options.items())
        sums[key] = sums.get(key, 0) + part
        return images, sums[key].copy()

    return accumulating


def _of_the_first_image(function):
    return lambda x, kernel, g, **o: (
        function(x, kernel, g, **o)[0],
        function(x[:1], kernel, g[:1], **o)[1],
    )


def _wavefront(y, kernel, **options):
    """Substitute along anti-diagonals i + j = t for t < 2 W - 1 instead of H + W - 1."""
    x = cr.conv_inverse(y, kernel, **options)
    i, j = np.indices(y.shape[2:])
    return np.where(i + j < 2 * y.shape[3] - 1, x, 0).astype(y.dtype)


def _neumann(terms):
    """Iterate x = B^-1 (y - (M - B) x) a fixed number of times from 0."""

    def inverse(y, kernel, **options):
        p, q = options.get("anchor", (-1, -1))
        block = kernel[:, :, p, q]
        rest = kernel.copy()
        rest[:, :, p, q] = 0
        x = np.zeros_like(y)
        for _ in range(terms):
            right = y - cr.conv(x, rest, **options)
            x = np.einsum("oc,nchw->nohw", np.linalg.inv(block), right)
        return np.ascontiguousarray(x)

    return inverse


def _misreads_first_pixel(y, kernel, **options):
    y = y.copy()
    y[:, :, :1, :1] *= 1 + y.dtype.type(1e-4)
    return cr.conv_inverse(y, kernel, **options)


def _forgets_last_pixel(y, kernel, **options):
    y = y.copy()
    y[:, :, -1, -1] = 0
    return cr.conv_inverse(y, kernel, **options)


def _triangular_only(y, kernel, **options):
    """Ignore the entries of B above the diagonal."""
    p, q = options.get("anchor", (-1, -1))
    kernel = kernel.copy()
    kernel[:, :, p, q] = np.tril(kernel[:, :, p, q])
    return cr.conv_inverse(y, kernel, **options)


def _wraps_at_row_ends(y, kernel, **options):
    """Use flat pixel offsets at any column, so that the row above is read on the left."""
    images, channels, height, width = y.shape
    kh, kw = kernel.shape[2:]
    x = np.zeros((images, channels, height * width), y.dtype)
    inverse = np.linalg.inv(kernel[:, :, -1, -1])
    for t in range(height * width):
        rest = y.reshape(images, channels, -1)[:, :, t].copy()
        for a, b in np.ndindex(kh, kw):
            source = t - (kh - 1 - a) * width - (kw - 1 - b)
            if (a, b) != (kh - 1, kw - 1) and source >= 0:
                rest -= x[:, :, source] @ kernel[:, :, a, b].T
        x[:, :, t] = rest @ inverse.T
    return x.reshape(y.shape)


def _first_order(y, kernel, **options):
    """Correct each channel by the others of y, not of x."""
    p, q = options.get("anchor", (-1, -1))
    kernel, block = kernel.copy(), kernel[:, :, p, q]
    inverse = np.diag(1 / np.diagonal(block))
    inverse = inverse - inverse @ (block - _diagonal(block)) @ inverse
    kernel[:, :, p, q] = np.linalg.inv(inverse)
    return cr.conv_inverse(y, kernel, **options)


def _log_det(change):
    """Make a log-determinant from a function of the image size and the diagonal."""
    return lambda kernel, size, **o: change(
        size, np.diagonal(kernel[:, :, -1, -1]).astype(np.float64)
    )


def _conv_vjp(change):
    return lambda x, kernel, g, **o: change(*cr.conv_vjp(x, kernel, g, **o))


def _inverse_vjp(change):
    return lambda y, kernel, g, **o: change(*cr.conv_inverse_vjp(y, kernel, g, **o))


def _kernel_part_at_y(y, kernel, g, **options):
    y_bar, _ = cr.conv_inverse_vjp(y, kernel, g, **options)
    return y_bar, -cr.conv_vjp(y, kernel, y_bar, **options)[1]


def _kernel_part_from_g(y, kernel, g, **options):
    y_bar, _ = cr.conv_inverse_vjp(y, kernel, g, **options)
    x = cr.conv_inverse(y, kernel, **options)
    return y_bar, -cr.conv_vjp(x, kernel, g, **options)[1]


def _overwrites_g(x, kernel, g, **options):
    result = cr.conv_vjp(x, kernel, g, **options)
    g *= 2
    return result


_FORWARD = {
    "kernel flipped: a convolution, not a correlation": (
        "conv_square", lambda x, k, **o: cr.conv(x, k[:, :, ::-1, ::-1])),
    "kernel transposed in channels": (
        "conv_square", lambda x, k, **o: cr.conv(x, k.transpose(1, 0, 2, 3), **o)),
    "kernel transposed in space": (
        "conv_square", lambda x, k, **o: cr.conv(x, k.transpose(0, 1, 3, 2))),
    "padded at the bottom and right": (
        "conv_reads_earlier_pixels_only",
        lambda x, k, **o: _correlate(x, k, _around(lambda k: 0, lambda k: k - 1)(k))),
    "centred padding": (
        "conv_reads_earlier_pixels_only",
        lambda x, k, **o: _correlate(x, k, _around(lambda k: k // 2, lambda k: (k - 1) // 2)(k))),
    "circular padding": (
        "conv_reads_earlier_pixels_only",
        lambda x, k, **o: _correlate(x, k, _around(lambda k: k - 1, lambda k: 0)(k), "wrap")),
    "replicated border instead of zeros": (
        "conv_square",
        lambda x, k, **o: _correlate(x, k, _around(lambda k: k - 1, lambda k: 0)(k), "edge")),
    "dilation ignored": ("conv_dilation", _without(cr.conv, "dilation")),
    "corner ignored": ("conv_corner_top_right", _without(cr.conv, "corner")),
    "anchor ignored": ("conv_anchor", lambda x, k, **o: cr.conv(x, k, **o | {"anchor": None})),
    "anchor taken to be in the last row": (
        "conv_anchor_inside",
        lambda x, k, **o: cr.conv(x, k, **o | (
            {"anchor": (k.shape[2] - 1, o["anchor"][1])} if "anchor" in o else {}))),
    "left and right exchanged for the bottom corners": (
        "conv_corner_bottom_left",
        lambda x, k, **o: cr.conv(x, k, **o | (
            {"corner": "bottom-right"} if o.get("corner") == "bottom-left" else {}))),
    "float32 inside for float64": (
        "conv_works_in_double_precision", _through_float32(cr.conv)),
    "diagonal taken as 1": (
        "conv_large_diagonal", lambda x, k, **o: cr.conv(x, _corner(k, _unit))),
    "corner block taken as diagonal": (
        "conv_corner_block_only", lambda x, k, **o: cr.conv(x, _corner(k, _diagonal))),
    "a bias is added": (
        "conv_of_zero_is_zero", lambda x, k, **o: cr.conv(x, k, **o) + x.dtype.type(1e-3)),
    "input overwritten": ("conv_keeps_its_inputs", _in_place(cr.conv)),
    "k = 1 returned unchanged": (
        "conv_pointwise_kernel",
        lambda x, k, **o: x.copy() if k.shape[2:] == (1, 1) else cr.conv(x, k, **o)),
    "one buffer for all results": ("conv_returns_new_memory", _cached(cr.conv)),
    "last row lost when H > W": (
        "conv_tall", lambda x, k, **o: _spoil_last(cr.conv(x, k, **o), 2, lambda h, w: h > w)),
    "last column lost when W > H": (
        "conv_wide", lambda x, k, **o: _spoil_last(cr.conv(x, k, **o), 3, lambda h, w: w > h)),
    "batch mean subtracted": (
        "conv_keeps_images_apart", lambda x, k, **o: cr.conv(x - x.mean(axis=0), k, **o)),
    "NaN silenced": ("conv_keeps_nan_to_its_image", _clean(cr.conv)),
    "NaN spreading over the batch": ("conv_keeps_nan_to_its_image", _polluted(cr.conv)),
    "float64 returned for float32": (
        "conv_keeps_dtype", lambda x, k, **o: cr.conv(x, k, **o).astype(np.float64)),
    "an empty batch gives an image": ("conv_no_images", _fills_empty),
    "channels convolved apart": ("conv_square", _depthwise),
    "indices below 0 count from the end when k > H": (
        "conv_kernel_larger_than_image", _negative_indices),
    "the odd channel of five left out": ("conv_five_channels", _pairs_of_channels),
    "the channel axis lost for one channel": ("conv_one_channel", _squeezing(cr.conv, 1, 4)),
    "images beyond the sixteenth lost": ("conv_many_images", _up_to(16, 0, cr.conv)),
    "images beyond the sixty-fourth lost": ("conv_many_images", _up_to(64, 0, cr.conv)),
    "channels beyond the sixteenth lost": ("conv_many_channels", _up_to(16, 1, cr.conv)),
    "rows beyond the sixty-fourth lost": ("conv_long", _up_to(64, 2, cr.conv)),
    "columns beyond the sixteenth lost": ("conv_long", _up_to(16, 3, cr.conv)),
    "small results flushed to 0": ("conv_is_homogeneous", _flushed(cr.conv)),
    "strided memory read as contiguous": (
        "conv_takes_strided_arrays",
        _misread_as_contiguous(lambda x, k, **o: cr.conv(x, k, **o))),
    "other bits at every call": ("conv_is_deterministic", _noisy(cr.conv)),
}  # fmt: skip

_INVERSE = {
    "wavefront of 2 W - 1 diagonals": ("conv_inverse_tall", _wavefront),
    "Neumann series cut after 8 terms": ("conv_inverse_large", _neumann(8)),
    "Neumann series cut after 40 terms": ("conv_inverse_long", _neumann(40)),
    "Neumann series cut after 4 terms": ("inverse_undoes_conv", _neumann(4)),
    "input overwritten": ("conv_inverse_keeps_its_inputs", _in_place(cr.conv_inverse)),
    "first pixel misread by one part in ten thousand": (
        "conv_inverse_residual", _misreads_first_pixel),
    "last pixel not looked at": ("conv_inverse_reads_every_entry", _forgets_last_pixel),
    "diagonal taken as 1": (
        "conv_inverse_large_diagonal",
        lambda y, k, **o: cr.conv_inverse(y, _corner(k, _unit))),
    "corner block taken as diagonal": (
        "conv_inverse_corner_block_only",
        lambda y, k, **o: cr.conv_inverse(y, _corner(k, _diagonal))),
    "divided by |K_nn|": (
        "conv_inverse_square",
        lambda y, k, **o: cr.conv_inverse(y, _corner(
            k, lambda b: b - _diagonal(b) + np.abs(_diagonal(b))))),
    "a constant keeps K_nn away from 0": (
        "conv_inverse_residual",
        lambda y, k, **o: cr.conv_inverse(y, _corner(
            k, lambda b: b + 1e-6 * np.eye(len(b), dtype=b.dtype)))),
    "kernel transposed in channels": (
        "conv_inverse_square",
        lambda y, k, **o: cr.conv_inverse(y, k.transpose(1, 0, 2, 3), **o)),
    "kernel transposed in space": (
        "conv_inverse_square",
        lambda y, k, **o: cr.conv_inverse(y, k.transpose(0, 1, 3, 2))),
    "upper triangular corner block taken as lower": (
        "conv_inverse_upper_corner_block", _triangular_only),
    "dense corner block taken as triangular": (
        "conv_inverse_dense_corner_block", _triangular_only),
    "padded at the bottom right": (
        "inverse_undoes_conv",
        lambda y, k, **o: cr.conv_inverse(y, k, **o | {"corner": "bottom-right"})),
    "the row before read across the border": ("conv_inverse_square", _wraps_at_row_ends),
    "float32 inside for float64": (
        "conv_inverse_works_in_double_precision", _through_float32(cr.conv_inverse)),
    "dilation ignored": ("conv_inverse_dilation", _without(cr.conv_inverse, "dilation")),
    "corner ignored": ("conv_inverse_corner_bottom_left", _without(cr.conv_inverse, "corner")),
    "dilation ignored beside other options": (
        "conv_inverse_all_options",
        lambda y, k, **o: cr.conv_inverse(y, k, **(o | {"dilation": 1} if len(o) > 1 else o))),
    "k = 1 returned unchanged": (
        "conv_inverse_pointwise_kernel",
        lambda y, k, **o: y.copy() if k.shape[2:] == (1, 1) else cr.conv_inverse(y, k, **o)),
    "last column wrong when W > H": (
        "conv_inverse_wide",
        lambda y, k, **o: _spoil_last(cr.conv_inverse(y, k, **o), 3, lambda h, w: w > h)),
    "last row wrong when H > W": (
        "conv_inverse_tall",
        lambda y, k, **o: _spoil_last(cr.conv_inverse(y, k, **o), 2, lambda h, w: h > w)),
    "result clipped": (
        "inverse_undoes_conv", lambda y, k, **o: np.clip(cr.conv_inverse(y, k, **o), -0.5, 0.5)),
    "result clipped far outside": (
        "conv_inverse_is_homogeneous",
        lambda y, k, **o: np.clip(cr.conv_inverse(y, k, **o), -1e3, 1e3)),
    "channels beyond the eighth lost": (
        "conv_inverse_many_channels", _up_to(8, 1, cr.conv_inverse)),
    "kernel prepared once for all of a shape": (
        "conv_inverse_tall", _prepared_once(cr.conv_inverse)),
    "entries of the corner block to first order alone": (
        "conv_inverse_corner_block_only", _first_order),
    "the batch axis lost for one image": (
        "conv_inverse_one_image", _squeezing(cr.conv_inverse, 0, 4)),
    "NaN silenced": ("conv_inverse_keeps_nan_to_its_image", _clean(cr.conv_inverse)),
    "NaN spreading over the batch": (
        "conv_inverse_keeps_nan_to_its_image", _polluted(cr.conv_inverse)),
    "float64 returned for float32": (
        "conv_inverse_keeps_dtype",
        lambda y, k, **o: cr.conv_inverse(y, k, **o).astype(np.float64)),
    "a result that the next call changes": (
        "conv_inverse_returns_new_memory", _cached(cr.conv_inverse)),
}  # fmt: skip

_LOG_DET = {
    "without H W": (
        "log_abs_det_counts_pixels", _log_det(lambda size, d: np.log(np.abs(d)).sum())),
    "computed once a kernel, whatever the size": (
        "log_abs_det_counts_pixels", _once_a_kernel(cr.log_abs_det)),
    "of the padded image": (
        "log_abs_det_counts_pixels",
        lambda k, size, **o: cr.log_abs_det(k, np.add(size, k.shape[2:]) - 1, **o)),
    "limited from below": (
        "log_abs_det_does_not_underflow",
        lambda k, size, **o: np.maximum(cr.log_abs_det(k, size, **o), -100)),
    "H H instead of H W": (
        "log_abs_det_counts_pixels", _log_det(lambda s, d: s[0] ** 2 * np.log(np.abs(d)).sum())),
    "H + W instead of H W": (
        "log_abs_det_counts_pixels", _log_det(lambda s, d: sum(s) * np.log(np.abs(d)).sum())),
    "without the absolute value": (
        "log_abs_det_takes_absolute_values",
        _log_det(lambda s, d: s[0] * s[1] * np.log(np.where(d > 0, d, np.nan)).sum())),
    "sign": ("log_abs_det_sign", lambda k, size, **o: -cr.log_abs_det(k, size, **o)),
    "of the first tap": (
        "log_abs_det_reads_the_corner_block_alone",
        lambda k, size, **o: size[0] * size[1] * np.linalg.slogdet(k[:, :, 0, 0])[1]),
    "summed over a batch of two": (
        "log_abs_det_is_that_of_conv", lambda k, size, **o: 2 * cr.log_abs_det(k, size, **o)),
    "in bits": (
        "log_abs_det_in_nats",
        _log_det(lambda s, d: s[0] * s[1] * np.log2(np.abs(d)).sum())),
    "averaged over the channels": (
        "log_abs_det_in_nats", _log_det(lambda s, d: s[0] * s[1] * np.log(np.abs(d)).mean())),
    "of the diagonal where B is dense": (
        "log_abs_det_dense_corner_block",
        _log_det(lambda s, d: s[0] * s[1] * np.log(np.abs(d)).sum())),
    "a figure for each channel": (
        "log_abs_det_one_figure", _log_det(lambda s, d: s[0] * s[1] * np.log(np.abs(d)))),
    "logarithm of a product that underflows": (
        "log_abs_det_does_not_underflow",
        _log_det(lambda s, d: np.log(np.maximum(np.abs(np.prod(d)) ** (s[0] * s[1]), 1e-300)))),
    "float32 inside for float64": (
        "log_abs_det_works_in_double_precision", _through_float32(cr.log_abs_det)),
    "anchor ignored": (
        "log_abs_det_anchor", lambda k, size, **o: (
            size[0] * size[1] * np.linalg.slogdet(k[:, :, -1, 0])[1])),
    "the inverse's figure": (
        "log_abs_det_is_that_of_conv", lambda k, size, **o: -cr.log_abs_det(k, size, **o)),
}  # fmt: skip

_CONV_VJP = {
    "no transposition: conv applied to g": (
        "conv_vjp_adjoint",
        lambda x, k, g, **o: (cr.conv(g, k, **o), cr.conv_vjp(x, k, g, **o)[1])),
    "kernel's part of the first image alone": (
        "conv_vjp_adjoint", _of_the_first_image(cr.conv_vjp)),
    "kernel's part flipped": (
        "conv_vjp_square", _conv_vjp(lambda x, k: (x, k[:, :, ::-1, ::-1]))),
    "kernel's part averaged over the batch": (
        "conv_vjp_finite_differences", lambda x, k, g, **o: (
            cr.conv_vjp(x, k, g, **o)[0], cr.conv_vjp(x, k, g / k.dtype.type(2), **o)[1])),
    "kernel's part transposed in channels": (
        "conv_vjp_square", _conv_vjp(lambda x, k: (x, k.transpose(1, 0, 2, 3)))),
    "kernel's part 0": ("conv_vjp_adjoint", _conv_vjp(lambda x, k: (x, 0 * k))),
    "kernel's part without the corner block": (
        "conv_vjp_corner_block_only",
        _conv_vjp(lambda x, k: (x, _corner(k, lambda b: 0 * b)))),
    "dilation ignored": ("conv_vjp_dilation", _without(cr.conv_vjp, "dilation")),
    "float64 returned for float32": (
        "conv_vjp_keeps_dtype", _conv_vjp(lambda x, k: (x.astype(float), k.astype(float)))),
    "g overwritten": ("conv_vjp_keeps_its_inputs", _overwrites_g),
    "the kernel's part alone is returned": ("conv_vjp_square", _conv_vjp(lambda x, k: k)),
}  # fmt: skip

_INVERSE_VJP = {
    "kernel's part with the wrong sign": (
        "conv_inverse_vjp_finite_differences", _inverse_vjp(lambda y, k: (y, -k))),
    "images' part with the wrong sign": (
        "conv_inverse_vjp_adjoint", _inverse_vjp(lambda y, k: (-y, k))),
    "no transposition: the inverse applied to g": (
        "conv_inverse_vjp_adjoint",
        lambda y, k, g, **o: (cr.conv_inverse(g, k, **o), cr.conv_inverse_vjp(y, k, g, **o)[1])),
    "kernel's part missing": (
        "conv_inverse_vjp_finite_differences", _inverse_vjp(lambda y, k: (y, 0 * k))),
    "kernel's part at y instead of x": ("conv_inverse_vjp_finite_differences", _kernel_part_at_y),
    "kernel's part added to that of earlier calls": (
        "conv_inverse_vjp_is_deterministic", _accumulating(cr.conv_inverse_vjp)),
    "kernel's part without the entries below the diagonal of the corner block": (
        "conv_inverse_vjp_corner_block_only",
        _inverse_vjp(lambda y, k: (y, _corner(k, _diagonal)))),
    "kernel's part from g instead of y_bar": ("conv_inverse_vjp_square", _kernel_part_from_g),
    "corner ignored": (
        "conv_inverse_vjp_corner_top_right", _without(cr.conv_inverse_vjp, "corner")),
    "diagonal taken as 1": (
        "conv_inverse_vjp_large_diagonal",
        lambda y, k, g, **o: cr.conv_inverse_vjp(y, _corner(k, _unit), g)),
    "float32 inside for float64": (
        "conv_inverse_vjp_works_in_double_precision", _through_float32(cr.conv_inverse_vjp)),
}  # fmt: skip

CONVOLUTION = [
    Bug(f"{operation}: {description}", check, {operation: function})
    for operation, table in (
        ("conv", _FORWARD),
        ("conv_inverse", _INVERSE),
        ("log_abs_det", _LOG_DET),
        ("conv_vjp", _CONV_VJP),
        ("conv_inverse_vjp", _INVERSE_VJP),
    )
    for description, (check, function) in table.items()
]


# ---- layers: (forward, inverse, images) ----------------------------------------------------------


def _changed(layer, forward=None, inverse=None):
    """Wrap the directions of a layer."""
    first, second, x = layer
    return forward(first) if forward else first, inverse(second) if inverse else second, x


def _overwriting(direction):
    def overwriting(x):
        result = direction(x)
        x += 1
        return result

    return overwriting


def _jittered(direction):
    generator = np.random.default_rng(0)
    return lambda x: (direction(x)[0] + 1e-6 * generator.normal(size=x.shape), direction(x)[1])


def _buffered(direction):
    buffers = {}

    def buffered(x):
        result, log_det = direction(x)
        buffer = buffers.setdefault(result.shape, np.empty_like(result))
        buffer[...] = result
        return buffer, log_det

    return buffered


def _remembering(layer, part):
    """Let the inverse return the images (part 0) or log det (part 1) of the last forward pass."""
    forward, inverse, images = layer
    last = [images[:0], np.zeros(0)]

    def remembered(x):
        y, log_det = forward(x)
        last[:] = x.copy(), -log_det
        return y, log_det

    def stale(y):
        results = list(inverse(y))
        if len(last[part]) == len(y):
            results[part] = last[part]
        return tuple(results)

    return remembered, stale, images


LAYERS = {  # description: (the check that must find it, the layer of a seed)
    "quad coupling: the published reverse pass": (
        "inverse_undoes_forward", lambda s: quad_coupling(s, published=True)),
    "quad coupling: log det of the inverse not negated": (
        "log_dets_are_antisymmetric", lambda s: quad_coupling(s, sign=1)),
    "quad coupling: one block's scale missing from the log det": (
        "log_det_is_that_of_the_jacobian", lambda s: quad_coupling(s, last=2)),
    "affine coupling: log det of the scale, not of its logarithm": (
        "log_det_is_that_of_the_jacobian",
        lambda s: affine_coupling(s, log_det=lambda a: 2 * sum_of_entries(np.exp(a)))),
    "affine coupling: log det 0": (
        "log_det_is_that_of_the_jacobian",
        lambda s: affine_coupling(s, log_det=lambda a: 0 * sum_of_entries(a))),
    "affine coupling: log det sign": (
        "log_det_is_that_of_the_jacobian",
        lambda s: affine_coupling(s, log_det=lambda a: -2 * sum_of_entries(a))),
    "affine coupling: log det averaged over the batch": (
        "log_det_is_that_of_the_jacobian",
        lambda s: affine_coupling(
            s, log_det=lambda a: 0 * sum_of_entries(a) + 2 * sum_of_entries(a).mean())),
    "affine coupling: log det averaged over the pixels": (
        "log_det_is_that_of_the_jacobian",
        lambda s: affine_coupling(s, log_det=lambda a: 2 * a.mean(axis=(1, 2, 3)))),
    "affine coupling: a figure for every pixel": (
        "log_det_shape", lambda s: affine_coupling(s, log_det=lambda a: a[:, 0])),
    "affine coupling: shift taken off before the scale": (
        "inverse_undoes_forward",
        lambda s: affine_coupling(s, undo=lambda y, t, a: (y - t) / np.exp(a))),
    "affine coupling: scale multiplied again": (
        "inverse_undoes_forward",
        lambda s: affine_coupling(s, undo=lambda y, t, a: y * np.exp(a) - t)),
    "affine coupling: the network reads the changed half": (
        "inverse_undoes_forward", lambda s: affine_coupling(s, context=lambda a, b: b)),
    "affine coupling: both directions with the same sign of log det": (
        "log_dets_are_antisymmetric", lambda s: affine_coupling(s, sign=1)),
    "additive coupling: shift added again": (
        "inverse_undoes_forward", lambda s: additive_coupling(s, undo=np.add)),
    "additive coupling: log det not 0": (
        "log_det_is_that_of_the_jacobian", lambda s: additive_coupling(s, log_det=0.5)),
    "actnorm: log det without H W": (
        "log_det_is_that_of_the_jacobian", lambda s: actnorm(s, pixels=1)),
    "actnorm: log det without the absolute value": (
        "finite", lambda s: actnorm(s, absolute=lambda scale: scale)),
    "actnorm: log det sign": ("log_det_is_that_of_the_jacobian", lambda s: actnorm(s, sign=-1)),
    "actnorm: centred anew for every batch": (
        "inverse_undoes_forward", lambda s: actnorm(s, data=True)),
    "actnorm: one figure for the batch": ("log_det_shape", lambda s: actnorm(s, shape=())),
    "actnorm: tested at its start, where nothing shows": (
        "not_vacuous", lambda s: actnorm(s, start=True)),
    "squeeze: put back in another order": (
        "inverse_undoes_forward", lambda s: squeeze(s, order=(4, 3, 5, 2))),
    "squeeze: pixels lost": ("inverse_undoes_forward", lambda s: squeeze(s, lossy=True)),
    "squeeze: log det not 0": (
        "log_det_is_that_of_the_jacobian", lambda s: squeeze(s, log_det=1.0)),
    "1x1 convolution: transposed instead of inverted": (
        "inverse_undoes_forward", lambda s: pointwise(s, undo=np.transpose)),
    "1x1 convolution: log det without H W": (
        "log_det_is_that_of_the_jacobian", lambda s: pointwise(s, pixels=1)),
    "1x1 convolution: log det sign": (
        "log_det_is_that_of_the_jacobian", lambda s: pointwise(s, sign=-1)),
    "chain: a layer's log det left out": (
        "log_det_is_that_of_the_jacobian", lambda s: chain(s, skipped=1)),
    "chain: the inverse in the order of the forward pass": (
        "inverse_undoes_forward", lambda s: chain(s, in_order=True)),
    "flow: latents joined in another order": (
        "inverse_undoes_forward", lambda s: flow(s, concatenated="last first")),
    "flow: half of the log det": (
        "log_det_is_that_of_the_jacobian", lambda s: flow(s, whole_log_det=False)),
    "a layer that overwrites its input": (
        "inputs_are_kept", lambda s: _changed(affine_coupling(s), forward=_overwriting)),
    "an inverse that overwrites its input": (
        "inputs_are_kept", lambda s: _changed(affine_coupling(s), inverse=_overwriting)),
    "noise in the forward pass": (
        "calls_repeat", lambda s: _changed(affine_coupling(s), forward=_jittered)),
    "float32 returned for float64": (
        "dtype_is_kept", lambda s: _changed(affine_coupling(s), forward=lambda f: (
            lambda x: tuple(part.astype(np.float32) for part in f(x))))),
    "images turned round within the batch": (
        "images_are_independent", lambda s: _changed(
            affine_coupling(s),
            forward=lambda f: lambda x: f(x + 1e-3 * (x[:1] - x[:1] * (len(x) > 1))),
        )),
    "an inverse that returns what forward last saw": (
        "forward_undoes_inverse", lambda s: _remembering(affine_coupling(s), 0)),
    "an inverse with the log det that forward last had": (
        "log_dets_are_antisymmetric", lambda s: _remembering(affine_coupling(s), 1)),
    "one buffer for all results": (
        "results_are_kept", lambda s: _changed(affine_coupling(s), forward=_buffered)),
    "one buffer for all results of the inverse": (
        "results_are_kept", lambda s: _changed(affine_coupling(s), inverse=_buffered)),
    "log det left out of what is returned": (
        "returns_a_pair", lambda s: _changed(
            affine_coupling(s), forward=lambda f: lambda x: f(x)[0])),
}  # fmt: skip


# ---- densities: (log_prob, sample) ---------------------------------------------------------------


def _sampler(change):
    def changed(seed):
        log_prob, sample = density(seed)
        return log_prob, change(sample)

    return changed


def _log_prob(change):
    def changed(seed):
        log_prob, sample = density(seed)
        return change(log_prob), sample

    return changed


def _seeding_itself(sample):
    """Make a sampler whose every call draws the same numbers."""
    return lambda n: sample(np.random.default_rng(0), n)


def _truncated(limit):
    """Make the sampler of a normal density that draws again what is beyond a limit."""

    def sample(rng, n):
        x = rng.normal(size=(n, 1, 2, 2))
        while (far := np.abs(x) > limit).any():
            x[far] = rng.normal(size=far.sum())
        return x

    return normal((1, 2, 2))[0], sample


def _rounded(bits):
    """Round samples to integers for 3 bits, and to halves of the step for each further bit."""
    step = 2.0 ** (3 - bits)
    return _sampler(lambda f: lambda rng, n: np.round(f(rng, n) / step) * step)


def _clipped(limit):
    return _sampler(lambda f: lambda rng, n: np.clip(f(rng, n), -limit, limit))


DENSITIES = {
    "log det left out": ("density_integrates_to_one", lambda s: density(s, log_det=False)),
    "constant of the normal density left out": (
        "density_integrates_to_one", lambda s: density(s, constant=False)),
    "sampler at another temperature": (
        "samples_follow_the_density", lambda s: density(s, temperature=0.8)),
    "log_prob summed over the batch": ("log_prob_shape", lambda s: density(s, batch=True)),
    "one sample too few": ("sample_shape", _sampler(lambda f: lambda rng, n: f(rng, n - 1))),
    "samples that are not finite": (
        "finite", _sampler(lambda f: lambda rng, n: np.where(np.arange(4).reshape(2, 2) < 3,
                                                             f(rng, n), np.inf))),
    "samples clipped": ("samples_are_distinct", _clipped(1.0)),
    "samples clipped at 2.5": ("samples_are_distinct", _clipped(2.5)),
    "samples clipped at 3.5": ("samples_are_distinct", _clipped(3.5)),
    "samples of 3 bits": ("samples_are_distinct", _rounded(3)),
    "samples of 8 bits": ("samples_are_distinct", _rounded(8)),
    "every sample twice": ("samples_are_distinct", _sampler(
        lambda f: lambda rng, n: np.repeat(f(rng, n), 2, axis=0)[:n])),
    "the first half again": ("samples_are_distinct", _sampler(
        lambda f: lambda rng, n: f(rng, (n + 1) // 2)[np.arange(n) % ((n + 1) // 2)])),
    "a sampler that seeds itself": ("calls_are_independent", _sampler(_seeding_itself)),
    "samples that are integers": ("sample_shape", _sampler(
        lambda f: lambda rng, n: np.round(f(rng, n)).astype(int))),
    "samples in single precision halves": ("samples_are_distinct", _sampler(
        lambda f: lambda rng, n: f(rng, n).astype(np.float16).astype(np.float64))),
}  # fmt: skip

SUBTLE_DENSITIES = {
    "sampler with the published reverse pass": (
        "samples_follow_the_density", lambda s: density(s, published=True)),
    "log_prob off by 0.01": (
        "density_integrates_to_one", _log_prob(lambda f: lambda x: f(x) + 0.01)),
    "log_prob off by -0.01": (
        "density_integrates_to_one", _log_prob(lambda f: lambda x: f(x) - 0.01)),
    "temperature 0.99": ("samples_follow_the_density", lambda s: density(s, temperature=0.99)),
    "temperature 1.01": ("samples_follow_the_density", lambda s: density(s, temperature=1.01)),
    "a far mode absent": ("samples_follow_the_density", lambda s: two_modes(sampled=False)),
    "a mode drawn half as often": (
        "samples_follow_the_density", lambda s: (two_modes(0.04)[0], two_modes(0.02)[1])),
    "samples truncated at 2.5": ("samples_follow_the_density", lambda s: _truncated(2.5)),
    "samples truncated at 3.5": ("samples_follow_the_density", lambda s: _truncated(3.5)),
    "large images at temperature 0.99": ("samples_follow_the_density", lambda s: (
        normal((3, 32, 32))[0], lambda rng, n: 0.99 * rng.normal(size=(n, 3, 32, 32)))),
    "large images, shifted": ("samples_follow_the_density", lambda s: (
        normal((3, 32, 32))[0], lambda rng, n: 0.02 + rng.normal(size=(n, 3, 32, 32)))),
}  # fmt: skip
