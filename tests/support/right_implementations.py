"""Right implementations, each written in its own way: none may fail a check at any seed."""

import numpy as np

import cinc_ref as cr
from cinc_ref.testing import Implementation

OPTIONS = ("corner", "dilation", "anchor")


def ours():
    """Make an `Implementation` of this package."""
    return Implementation(
        conv=cr.conv,
        conv_inverse=cr.conv_inverse,
        log_abs_det=cr.log_abs_det,
        conv_vjp=cr.conv_vjp,
        conv_inverse_vjp=cr.conv_inverse_vjp,
        options=OPTIONS,
        name="ours",
    )


def dense():
    """Make an `Implementation` of the matrix and LAPACK."""

    def matrix(kernel, size, **options):
        return cr.convolution_matrix(kernel, size, **options)

    def rows(images):
        return images.transpose(0, 2, 3, 1).reshape(len(images), int(np.prod(images.shape[1:])))

    def images(rows, shape):
        n, c, h, w = shape
        return np.ascontiguousarray(rows.reshape(n, h, w, c).transpose(0, 3, 1, 2))

    def conv(x, kernel, **options):
        return images(rows(x) @ matrix(kernel, x.shape[2:], **options).T, x.shape)

    def conv_inverse(y, kernel, **options):
        return images(np.linalg.solve(matrix(kernel, y.shape[2:], **options), rows(y).T).T, y.shape)

    def log_abs_det(kernel, size, **options):
        return np.linalg.slogdet(matrix(kernel, size, **options))[1]

    def kernel_gradient(x, g, kernel, **options):
        """Compute <g, x moved by the tap>, tap after tap."""
        gradient = np.zeros_like(kernel)
        p, q = options.get("anchor", (kernel.shape[2] - 1, kernel.shape[3] - 1))
        for a, b in np.ndindex(kernel.shape[2:]):
            if (a, b) <= (p, q):
                tap = np.zeros_like(kernel)
                tap[:, :, a, b] = np.eye(len(kernel))
                gradient[:, :, a, b] = np.einsum("nohw,nchw->oc", g, conv(x, tap, **options))
        return gradient

    def conv_vjp(x, kernel, g, **options):
        x_bar = images(rows(g) @ matrix(kernel, x.shape[2:], **options), x.shape)
        return x_bar, kernel_gradient(x, g, kernel, **options)

    def conv_inverse_vjp(y, kernel, g, **options):
        m = matrix(kernel, y.shape[2:], **options)
        y_bar = images(np.linalg.solve(m.T, rows(g).T).T, y.shape)
        x = conv_inverse(y, kernel, **options)
        return y_bar, -kernel_gradient(x, y_bar, kernel, **options)

    return Implementation(
        conv, conv_inverse, log_abs_det, conv_vjp, conv_inverse_vjp, OPTIONS, name="dense solve"
    )


def loops():
    """Make an `Implementation` of NumPy loops, for lower triangular corner blocks only."""

    def padded(x, kernel):
        _, _, kh, kw = kernel.shape
        return np.pad(x, ((0, 0), (0, 0), (kh - 1, 0), (kw - 1, 0)))

    def conv(x, kernel):
        _, _, kh, kw = kernel.shape
        wide, y = padded(x, kernel), np.zeros_like(x)
        for i, j in np.ndindex(x.shape[2:]):
            y[:, :, i, j] = np.einsum("ncab,ocab->no", wide[:, :, i : i + kh, j : j + kw], kernel)
        return y

    def conv_inverse(y, kernel):
        channels, _, kh, kw = kernel.shape
        block = kernel[:, :, -1, -1]
        if np.triu(block, 1).any():
            raise NotImplementedError("the corner block must be lower triangular")
        wide = padded(np.zeros_like(y), kernel)
        for i, j in np.ndindex(y.shape[2:]):
            window = wide[:, :, i : i + kh, j : j + kw]
            rest = y[:, :, i, j] - np.einsum("ncab,ocab->no", window, kernel)
            for o in range(channels):
                known = window[:, :o, -1, -1] @ block[o, :o]
                window[:, o, -1, -1] = (rest[:, o] - known) / block[o, o]
        return np.ascontiguousarray(wide[:, :, kh - 1 :, kw - 1 :])

    def log_abs_det(kernel, size):
        if np.triu(kernel[:, :, -1, -1], 1).any():
            raise NotImplementedError("the corner block must be lower triangular")
        diagonal = np.diagonal(kernel[:, :, -1, -1])
        return np.full(3, size[0] * size[1] * np.sum(np.log(np.abs(diagonal))))

    return Implementation(conv, conv_inverse, log_abs_det, name="NumPy loops")


def pytorch():
    """Make an `Implementation` of PyTorch: conv2d, solves pixel by pixel, and its autograd."""
    import torch
    import torch.nn.functional as F

    torch.set_num_threads(1)

    def flips(corner):
        return [a for a, side in ((2, "bottom"), (3, "right")) if side in corner]

    def forward(x, kernel, corner="top-left", dilation=1, anchor=None):
        kh, kw = kernel.shape[2:]
        p, q = anchor or (kh - 1, kw - 1)
        x = torch.flip(x, flips(corner))
        x = F.pad(x, [d * dilation for d in (q, kw - 1 - q, p, kh - 1 - p)])
        return torch.flip(F.conv2d(x, kernel, dilation=dilation), flips(corner))

    def backward(y, kernel, corner="top-left", dilation=1, anchor=None):
        n, channels, height, width = y.shape
        kh, kw = kernel.shape[2:]
        p, q = anchor or (kh - 1, kw - 1)
        block = kernel[:, :, p, q]
        y = torch.flip(y, flips(corner)).permute(1, 0, 2, 3).reshape(channels, -1)
        y = torch.linalg.solve(block, y).reshape(channels, n, height, width).permute(1, 0, 2, 3)
        taps = torch.linalg.solve(block, kernel.reshape(channels, -1)).reshape(kernel.shape)
        pixels = {}
        for i in range(height):
            for j in range(width):
                rest = y[:, :, i, j]
                for a in range(p + 1):
                    for b in range(kw if a < p else q):
                        source = i - (p - a) * dilation, j - (q - b) * dilation
                        if source in pixels:
                            rest = rest - pixels[source] @ taps[:, :, a, b].T
                pixels[i, j] = rest
        x = torch.stack(list(pixels.values()), -1).reshape(n, channels, height, width)
        return torch.flip(x, flips(corner))

    def log_abs_det(kernel, size, anchor=None):
        p, q = anchor or (-1, -1)
        block = torch.from_numpy(kernel)[:, :, p, q]
        return size[0] * size[1] * torch.linalg.slogdet(block).logabsdet

    def on_arrays(function):
        return lambda x, kernel, **options: function(
            torch.from_numpy(x), torch.from_numpy(kernel), **options
        )

    def vjp_of(function):
        def vjp(x, kernel, g, **options):
            inputs = [torch.from_numpy(a).requires_grad_() for a in (x, kernel)]
            result = function(*inputs, **options)
            return torch.autograd.grad(result, inputs, torch.from_numpy(g))

        return vjp

    return Implementation(
        on_arrays(forward), on_arrays(backward), log_abs_det, vjp_of(forward), vjp_of(backward),
        OPTIONS, name="PyTorch",
    )  # fmt: skip


def _geometry(kernel, corner="top-left", dilation=1, anchor=None):
    """Return the anchor, the dilation and the index that turns images to the top left."""
    kh, kw = kernel.shape[2:]
    p, q = (kh - 1, kw - 1) if anchor is None else anchor
    turn = tuple(slice(None, None, -1 if side in corner else None) for side in ("bottom", "right"))
    return p, q, dilation, (..., *turn)


def _shifted(x, down, right):
    """Move images down and right (left, if negative), filled up with 0."""
    y, (h, w) = np.zeros_like(x), x.shape[2:]
    if down < h and abs(right) < w:
        rows = slice(down, h), slice(0, h - down)
        columns = (
            (slice(right, w), slice(0, w - right)) if right >= 0
            else (slice(0, w + right), slice(-right, w))
        )  # fmt: skip
        y[:, :, rows[0], columns[0]] = x[:, :, rows[1], columns[1]]
    return y


def _taps(kernel, p, q):
    """Yield the causal taps (a, b)."""
    return [(a, b) for a, b in np.ndindex(kernel.shape[2:]) if (a, b) <= (p, q)]


def shifts():
    """Make an `Implementation` of shifted images, and of a substitution pixel after pixel."""

    def conv(x, kernel, **options):
        p, q, d, turn = _geometry(kernel, **options)
        x, y = x[turn], 0
        for a, b in _taps(kernel, p, q):
            moved = _shifted(x, (p - a) * d, (q - b) * d)
            y = y + np.einsum("oc,nchw->nohw", kernel[:, :, a, b], moved)
        return np.ascontiguousarray(y[turn])

    def conv_inverse(y, kernel, **options):
        p, q, d, turn = _geometry(kernel, **options)
        y, x = y[turn], np.zeros(y.shape, y.dtype)
        h, w = y.shape[2:]
        others = [tap for tap in _taps(kernel, p, q) if tap != (p, q)]
        for i, j in np.ndindex(h, w):
            rest = y[:, :, i, j].copy()
            for a, b in others:
                row, column = i - (p - a) * d, j - (q - b) * d
                if row >= 0 and 0 <= column < w:
                    rest -= x[:, :, row, column] @ kernel[:, :, a, b].T
            x[:, :, i, j] = np.linalg.solve(kernel[:, :, p, q], rest.T).T
        return np.ascontiguousarray(x[turn])

    def log_abs_det(kernel, size, anchor=None):
        p, q, _, _ = _geometry(kernel, anchor=anchor)
        return size[0] * size[1] * np.linalg.slogdet(kernel[:, :, p, q])[1]

    def transposed(g, kernel, **options):
        p, q, d, turn = _geometry(kernel, **options)
        flipped, total = g[turn][:, :, ::-1, ::-1], 0
        for a, b in _taps(kernel, p, q):
            moved = _shifted(flipped, (p - a) * d, (q - b) * d)
            total = total + np.einsum("oc,nohw->nchw", kernel[:, :, a, b], moved)
        return np.ascontiguousarray(total[:, :, ::-1, ::-1][turn])

    def by_kernel(x, g, kernel, **options):
        p, q, d, turn = _geometry(kernel, **options)
        gradient = np.zeros_like(kernel)
        for a, b in _taps(kernel, p, q):
            moved = _shifted(x[turn], (p - a) * d, (q - b) * d)
            gradient[:, :, a, b] = np.einsum("nohw,nchw->oc", g[turn], moved)
        return gradient

    def conv_vjp(x, kernel, g, **options):
        return transposed(g, kernel, **options), by_kernel(x, g, kernel, **options)

    def conv_inverse_vjp(y, kernel, g, **options):
        eye = np.eye(len(kernel) * y.shape[2] * y.shape[3]).astype(kernel.dtype)
        units = eye.reshape(-1, len(kernel), *y.shape[2:])
        matrix = conv(units, kernel, **options).reshape(len(eye), -1)  # rows are columns of M
        y_bar = np.linalg.solve(matrix, g.reshape(len(g), -1).T).T.reshape(g.shape)
        x = conv_inverse(y, kernel, **options)
        return np.ascontiguousarray(y_bar), -by_kernel(x, y_bar, kernel, **options)

    return Implementation(
        conv, conv_inverse, log_abs_det, conv_vjp, conv_inverse_vjp, OPTIONS, name="shifts"
    )


def windows():
    """Make an `Implementation` of a convolution by windows and one matrix product (im2col)."""

    def conv(x, kernel):
        _, c, kh, kw = kernel.shape
        wide = np.pad(x, ((0, 0), (0, 0), (kh - 1, 0), (kw - 1, 0)))
        columns = np.lib.stride_tricks.sliding_window_view(wide, (kh, kw), axis=(2, 3))
        n, _, h, w = x.shape
        rows = columns.transpose(0, 2, 3, 1, 4, 5).reshape(n * h * w, c * kh * kw)
        y = rows @ kernel.reshape(len(kernel), -1).T
        return y.reshape(n, h, w, -1).transpose(0, 3, 1, 2)  # channel-last memory

    return Implementation(conv, name="im2col")


def fourier():
    """Make an `Implementation` of fast Fourier transforms, which round globally."""
    from scipy import fft

    def conv(x, kernel):
        shape = [n + k - 1 for n, k in zip(x.shape[2:], kernel.shape[2:], strict=True)]
        transformed = fft.rfft2(x, shape)
        taps = fft.rfft2(kernel[:, :, ::-1, ::-1], shape)
        y = fft.irfft2(np.einsum("nchw,ochw->nohw", transformed, taps), shape)
        return np.ascontiguousarray(y[:, :, : x.shape[2], : x.shape[3]].astype(x.dtype))

    return Implementation(conv, name="FFT")


def filters():
    """Make an `Implementation` of recursive filters for one channel, row after row."""
    from scipy.signal import lfilter

    def conv_inverse(y, kernel):
        taps = kernel[0, 0].astype(np.float64)
        kh = len(taps)
        x = np.zeros(y.shape)
        for i in range(y.shape[2]):
            rest = y[:, 0, i].astype(np.float64)
            for a in range(max(0, kh - 1 - i), kh - 1):
                row = x[:, 0, i - (kh - 1 - a)]
                rest = rest - lfilter(taps[a][::-1], [1.0], row, axis=-1)
            x[:, 0, i] = lfilter([1.0], taps[-1][::-1], rest, axis=-1)
        return x.astype(y.dtype)

    def log_abs_det(kernel, size):
        return size[0] * size[1] * np.log(np.abs(kernel[0, 0, -1, -1]))

    return Implementation(
        conv_inverse=conv_inverse, log_abs_det=log_abs_det, channels=(1,), name="lfilter"
    )


def in_order():
    """Make an `Implementation` that adds up in single precision, term after term, as GPUs may."""

    def conv(x, kernel):
        y = np.zeros_like(x)
        for o, c in np.ndindex(kernel.shape[:2]):
            for a, b in np.ndindex(kernel.shape[2:]):
                down, right = kernel.shape[2] - 1 - a, kernel.shape[3] - 1 - b
                y[:, o] += kernel[o, c, a, b] * _shifted(x[:, c : c + 1], down, right)[:, 0]
        return y

    return Implementation(conv, dtypes=("float32",), name="one term after another")


def double_only():
    """Make an `Implementation` for float64 alone, which refuses float32 and empty batches."""
    right = shifts()

    def checked(function):
        def call(x, *others, **options):
            if x.dtype != np.float64 or not len(x):
                raise NotImplementedError("float64 images, at least one")
            return function(x, *others, **options)

        return call

    return Implementation(
        checked(right.conv), checked(right.conv_inverse), right.log_abs_det,
        dtypes=("float64",), options=OPTIONS, name="float64 only",
    )  # fmt: skip


def exponential():
    """Make an `Implementation` of a layer with K_nn = exp(s): it knows no negative diagonals."""
    right = shifts()

    def checked(function):
        def call(x, kernel, *others):
            block = kernel[:, :, -1, -1]
            if (np.diagonal(block) <= 0).any() or np.triu(block, 1).any():
                raise NotImplementedError("a lower triangle with a positive diagonal")
            return function(x, kernel, *others)

        return call

    def log_abs_det(kernel, size):
        checked(lambda x, kernel: None)(None, kernel)
        return size[0] * size[1] * np.log(np.diagonal(kernel[:, :, -1, -1])).sum()

    return Implementation(
        checked(right.conv), checked(right.conv_inverse), log_abs_det, checked(right.conv_vjp),
        diagonal="positive", name="K_nn = exp(s)",
    )  # fmt: skip


def unit():
    """Make an `Implementation` of a layer with K_nn = 1, whose log-determinant is 0."""
    right = shifts()

    def fixed(function):
        def call(x, kernel, *others):
            kernel = kernel.copy()
            block = np.tril(kernel[:, :, -1, -1], -1) + np.eye(len(kernel), dtype=kernel.dtype)
            kernel[:, :, -1, -1] = block
            if not np.isfinite(kernel).all():
                raise ValueError("the kernel must be finite")
            return function(x, kernel, *others)

        return call

    def log_abs_det(kernel, size):
        if not np.isfinite(kernel).all():
            raise ValueError("the kernel must be finite")
        return np.zeros((), kernel.dtype)

    return Implementation(
        fixed(right.conv), fixed(right.conv_inverse), log_abs_det, diagonal="unit", name="K_nn = 1"
    )


def triangular():
    """Make an `Implementation` of one triangular solve with the whole matrix, by LAPACK."""
    from scipy.linalg import solve_triangular

    def conv_inverse(y, kernel):
        if np.triu(kernel[:, :, -1, -1], 1).any():
            raise NotImplementedError("the corner block must be lower triangular")
        matrix = cr.convolution_matrix(kernel, y.shape[2:])
        n, c, h, w = y.shape
        rows = y.transpose(0, 2, 3, 1).reshape(n, h * w * c)
        x = solve_triangular(matrix, rows.T, lower=True).T if n else rows
        return np.ascontiguousarray(x.reshape(n, h, w, c).transpose(0, 3, 1, 2))

    return Implementation(conv_inverse=conv_inverse, name="solve_triangular")


def tensors():
    """Make an `Implementation` that returns float32 tensors, and one figure an image."""
    import torch

    right = shifts()

    def wrapped(function):
        return lambda *arrays: torch.from_numpy(np.array(function(*arrays)))

    def log_abs_det(kernel, size):
        return torch.as_tensor(right.log_abs_det(kernel, size)).repeat(4)

    return Implementation(wrapped(right.conv), wrapped(right.conv_inverse), log_abs_det,
                          dtypes=("float32",), name="tensors")  # fmt: skip


def jax():
    """Make an `Implementation` of JAX with its defaults: float32, arrays that nobody changes."""
    import jax
    import jax.numpy as jnp

    def conv(x, kernel):
        kh, kw = kernel.shape[2:]
        return jax.lax.conv_general_dilated(
            jnp.asarray(x), jnp.asarray(kernel), (1, 1), [(kh - 1, 0), (kw - 1, 0)]
        )

    return Implementation(conv, dtypes=("float32",), name="JAX")


RIGHT = {
    "ours": ours, "dense": dense, "loops": loops, "pytorch": pytorch, "shifts": shifts,
    "im2col": windows, "FFT": fourier, "lfilter": filters, "one term after another": in_order,
    "float64 only": double_only, "K_nn = exp(s)": exponential, "K_nn = 1": unit,
    "solve_triangular": triangular, "tensors": tensors, "jax": jax,
}  # fmt: skip

NEEDS = {"pytorch": "torch", "tensors": "torch", "jax": "jax"}
"""The packages without which an implementation cannot be made."""
