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
        for a, b in np.ndindex(kernel.shape[2:]):
            if kernel[:, :, a, b].any():
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


RIGHT = {"ours": ours, "dense": dense, "loops": loops, "pytorch": pytorch}
