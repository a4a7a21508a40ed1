"""Answers that students give to the exercises of `cinc_ref.classroom`: right, typical, unforeseen.

`RIGHT` and `WRONG` have an entry for each exercise. A wrong answer stands with words that its
diagnosis must contain; an unforeseen one, for which no slip is listed, with None.
"""

import math

import numpy as np
import scipy.linalg
from numpy.lib.stride_tricks import sliding_window_view

import cinc_ref as cr

# ---- 1: conv -------------------------------------------------------------------------------------


def conv_loops(x, kernel, flip=False, inside=lambda i, j, h, w: i >= 0 and j >= 0):
    n, c, h, w = x.shape
    kh, kw = kernel.shape[2:]
    y = np.zeros((n, c, h, w))
    for i in range(h):
        for j in range(w):
            for a in range(kh):
                for b in range(kw):
                    row, column = i - (kh - 1 - a), j - (kw - 1 - b)
                    if flip:
                        row, column = i - a, j - b
                    if inside(row, column, h, w):
                        y[:, :, i, j] += x[:, :, row % h, column % w] @ kernel[:, :, a, b].T
    return y


def conv_shifts(x, kernel):
    h, w = x.shape[2:]
    kh, kw = kernel.shape[2:]
    y = np.zeros_like(x)
    for a in range(kh):
        for b in range(kw):
            up, left = kh - 1 - a, kw - 1 - b
            if up < h and left < w:
                y[:, :, up:, left:] += np.einsum(
                    "oc,nchw->nohw", kernel[:, :, a, b], x[:, :, : h - up, : w - left]
                )
    return y


def conv_windows(x, kernel, where=((1, 0), (1, 0)), sums="nchwab,ocab->nohw", **options):
    kh, kw = kernel.shape[2:]
    rows, columns = [(k - 1) * np.array(w) for k, w in zip((kh, kw), where, strict=True)]
    padded = np.pad(x, ((0, 0), (0, 0), rows, columns), **options)
    return np.einsum(sums, sliding_window_view(padded, (kh, kw), axis=(2, 3)), kernel)


def conv_assigns(x, kernel):
    padded = np.pad(x, ((0, 0), (0, 0), (kernel.shape[2] - 1, 0), (kernel.shape[3] - 1, 0)))
    h, w = x.shape[2:]
    y = np.zeros_like(x)
    for o in range(x.shape[1]):
        for c in range(x.shape[1]):
            total = 0
            for a in range(kernel.shape[2]):
                for b in range(kernel.shape[3]):
                    total = total + kernel[o, c, a, b] * padded[:, c, a : a + h, b : b + w]
            y[:, o] = total
    return y


def conv_in_place(x, kernel):
    y = conv_windows(x, kernel)
    x[:] = y
    return x


def conv_recursive(x, kernel):
    """Read pixels that are computed already."""
    y = x.copy()
    h, w = x.shape[2:]
    kh, kw = kernel.shape[2:]
    for i in range(h):
        for j in range(w):
            total = 0
            for a in range(kh):
                for b in range(kw):
                    if i - (kh - 1 - a) >= 0 and j - (kw - 1 - b) >= 0:
                        pixel = y[:, :, i - (kh - 1 - a), j - (kw - 1 - b)]
                        total = total + pixel @ kernel[:, :, a, b].T
            y[:, :, i, j] = total
    return y


def conv_of_integers(x, kernel):
    return conv_windows(x, kernel).astype(int)


def conv_one_channel(x, kernel):
    y = np.zeros_like(x)
    y[:, :1] = conv_windows(x[:, :1], kernel[:1, :1])
    return y


def conv_forgets_h(x, kernel):
    """Loop over the width twice."""
    y, right = np.zeros_like(x), conv_windows(x, kernel)
    for i in range(x.shape[3]):
        for j in range(x.shape[3]):
            y[:, :, i, j] = right[:, :, i, j]
    return y


def conv_channels_last(x, kernel):
    return conv_windows(x, kernel, sums="nchwab,ocab->nhwo")


def conv_strictly_causal(x, kernel):
    kernel = kernel.copy()
    kernel[:, :, -1, -1] = 0
    return conv_windows(x, kernel)


def conv_fft(x, kernel):
    h, w = x.shape[2:]
    spectrum = np.fft.rfft2(x)[:, None] * np.fft.rfft2(kernel[:, :, ::-1, ::-1], (h, w))
    return np.fft.irfft2(spectrum.sum(axis=2), (h, w))


# ---- 2: matrix -----------------------------------------------------------------------------------


def matrix_loops(kernel, size, entry=None, condition=None, swap=False):
    c, (h, w), (kh, kw) = len(kernel), size, kernel.shape[2:]
    entry = entry or (lambda i, j, o: (i * w + j) * c + o)
    condition = condition or (lambda row, column: row >= 0 and column >= 0)
    m = np.zeros((h * w * c, h * w * c))
    for i, j, a, b, o, k in np.ndindex(h, w, kh, kw, c, c):
        row, column = i - (kh - 1 - a), j - (kw - 1 - b)
        if condition(row, column):
            r, s = entry(i, j, o), entry(row, column, k)
            m[(s, r) if swap else (r, s)] += kernel[o, k, a, b]
    return m


def matrix_of_basis(kernel, size):
    c, (h, w) = len(kernel), size
    basis = np.eye(h * w * c).reshape(-1, h, w, c).transpose(0, 3, 1, 2)
    return conv_shifts(basis, kernel).transpose(0, 2, 3, 1).reshape(h * w * c, -1).T


def matrix_kronecker(kernel, size):
    total, taps = 0, kernel.shape[2:]
    for a, b in np.ndindex(*taps):
        shifts = [
            np.eye(side, k=-(count - 1 - place))
            for side, count, place in zip(size, taps, (a, b), strict=True)
        ]
        total = total + np.kron(np.kron(*shifts), kernel[:, :, a, b])
    return total


def matrix_channel_major(kernel, size):
    h, w = size
    return matrix_loops(kernel, size, entry=lambda i, j, o: (o * h + i) * w + j)


def matrix_runs_on(kernel, size):
    w = size[1]
    m = np.zeros((size[0] * w * len(kernel),) * 2)
    c, (kh, kw) = len(kernel), kernel.shape[2:]
    for p in range(size[0] * w):
        for a, b in np.ndindex(kh, kw):
            q = p - (kh - 1 - a) * w - (kw - 1 - b)
            if q >= 0:
                m[p * c : p * c + c, q * c : q * c + c] += kernel[:, :, a, b]
    return m


def matrix_python_index(kernel, size):
    """Forget the border, so that negative places count from the end of the matrix."""
    return matrix_loops(kernel, size, condition=lambda row, column: True)


def matrix_upper_by_mistake(kernel, size):
    """Fill the blocks in transposed."""
    return matrix_loops(kernel.swapaxes(0, 1), size)


def matrix_of_dim(kernel, size):
    return np.zeros(size)


def matrix_mixed_order(kernel, size):
    """Order the rows by pixels and the columns by channels."""
    h, w = size
    right, c = matrix_loops(kernel, size), len(kernel)
    return right[:, np.arange(h * w * c).reshape(h * w, c).T.ravel()]


def matrix_overwrites(kernel, size):
    """Write only the blocks of the first tap in each row, and those of the corner."""
    taps = kernel.copy()
    taps[:, :, :, 1:-1] = 0
    return matrix_loops(taps, size)


def matrix_toeplitz_first_row(kernel, size):
    h, w = size
    return scipy.linalg.toeplitz(np.r_[kernel[0, 0].ravel(), np.zeros(h * w)][: h * w])


# ---- 3: inverse ----------------------------------------------------------------------------------


def inverse_loops(y, kernel, source="x", sign=-1, rows=range, columns=range, divide=None):
    (h, w), (kh, kw) = y.shape[2:], kernel.shape[2:]
    block = kernel[:, :, -1, -1]
    divide = divide or (lambda rest: np.linalg.solve(block, rest.T).T)
    x = np.zeros_like(y)
    for i in rows(h):
        for j in columns(w):
            rest = y[:, :, i, j].copy()
            for a in range(kh):
                for b in range(kw):
                    row, column = i - (kh - 1 - a), j - (kw - 1 - b)
                    if (a, b) != (kh - 1, kw - 1) and row >= 0 and column >= 0:
                        known = {"x": x, "y": y}[source][:, :, row, column]
                        rest += sign * known @ kernel[:, :, a, b].T
            x[:, :, i, j] = divide(rest)
    return x


def inverse_triangular(y, kernel):
    def divide(rest):
        return scipy.linalg.solve_triangular(kernel[:, :, -1, -1], rest.T, lower=True).T

    return inverse_loops(y, kernel, divide=divide)


def inverse_by_matrix(y, kernel, change=lambda m: m, solve=np.linalg.solve):
    m = change(matrix_of_basis(kernel, y.shape[2:]))
    n, c, h, w = y.shape
    rows = solve(m, y.transpose(0, 2, 3, 1).reshape(n, -1).T).T
    return rows.reshape(n, h, w, c).transpose(0, 3, 1, 2)


def inverse_series(y, kernel):
    """Sum the Neumann series, which ends because N is nilpotent."""
    block = np.linalg.inv(kernel[:, :, -1, -1])
    scaled = np.einsum("oc,cdab->odab", block, kernel)
    scaled[:, :, -1, -1] = 0
    x = term = np.einsum("oc,nchw->nohw", block, y)
    for _ in range(y[0, 0].size):
        term = -conv_shifts(term, scaled)
        x = x + term
    return x


def inverse_no_check_of_column(y, kernel):
    (h, w), (kh, kw) = y.shape[2:], kernel.shape[2:]
    x = np.zeros_like(y)
    for i in range(h):
        for j in range(w):
            rest = y[:, :, i, j].copy()
            for a in range(kh):
                for b in range(kw):
                    if (a, b) != (kh - 1, kw - 1) and i - (kh - 1 - a) >= 0:
                        rest -= x[:, :, i - (kh - 1 - a), j - (kw - 1 - b)] @ kernel[:, :, a, b].T
            x[:, :, i, j] = np.linalg.solve(kernel[:, :, -1, -1], rest.T).T
    return x


def inverse_padded(y, kernel, crop=lambda x, h, w: x[:, :, -h:, -w:]):
    """Solve in an image that is padded at the top left, then crop it."""
    (h, w), (kh, kw) = y.shape[2:], kernel.shape[2:]
    x = np.zeros((*y.shape[:2], h + kh - 1, w + kw - 1))
    for i in range(h):
        for j in range(w):
            known = np.einsum("ncab,ocab->no", x[:, :, i : i + kh, j : j + kw], kernel)
            rest = y[:, :, i, j] - known
            x[:, :, i + kh - 1, j + kw - 1] = np.linalg.solve(kernel[:, :, -1, -1], rest.T).T
    return crop(x, h, w)


def inverse_first_order(y, kernel):
    """Stop after one correction."""
    block = np.linalg.inv(kernel[:, :, -1, -1])
    others = kernel.copy()
    others[:, :, -1, -1] = 0
    x = np.einsum("oc,nchw->nohw", block, y)
    return np.einsum("oc,nchw->nohw", block, y - conv_shifts(x, others))


def inverse_exchanges_earlier_taps(y, kernel):
    """Exchange the channels everywhere but in the corner block."""
    exchanged = kernel.swapaxes(0, 1).copy()
    exchanged[:, :, -1, -1] = kernel[:, :, -1, -1]
    return inverse_loops(y, exchanged)


def inverse_of_kernel(y, kernel):
    return conv_shifts(y, 1 / kernel)


def inverse_float32(y, kernel):
    return inverse_loops(y.astype(np.float32), kernel.astype(np.float32))


def inverse_least_squares(y, kernel):
    return inverse_by_matrix(y, kernel, solve=lambda m, rows: np.linalg.lstsq(m, rows)[0] * 1.01)


def inverse_in_place(y, kernel):
    y /= 2
    return y


def inverse_channel_by_channel(y, kernel):
    """Solve each channel as if it were alone."""
    x = np.zeros_like(y)
    for c in range(y.shape[1]):
        x[:, c : c + 1] = inverse_loops(y[:, c : c + 1], kernel[c : c + 1, c : c + 1])
    return x


# ---- 4: log-determinant --------------------------------------------------------------------------


def log_det_of_block(kernel, size):
    return size[0] * size[1] * np.linalg.slogdet(kernel[:, :, -1, -1])[1]


def log_det_of_diagonal(kernel, size, count=None, log=math.log):
    total = 0.0
    for c in range(len(kernel)):
        total += log(abs(kernel[c, c, -1, -1]))
    return (size[0] * size[1] if count is None else count(kernel, *size)) * total


def log_det_of_matrix(kernel, size):
    return np.linalg.slogdet(matrix_kronecker(kernel, size))[1]


def log_det_of_product(kernel, size):
    return np.log(abs(np.prod(np.diag(kernel[:, :, -1, -1])) ** (size[0] * size[1])))


def log_det_signed(kernel, size):
    return size[0] * size[1] * np.sum(np.log(np.diag(kernel[:, :, -1, -1])))


def log_det_pair(kernel, size):
    return np.linalg.slogdet(kernel[:, :, -1, -1])


# ---- 5: gradients --------------------------------------------------------------------------------


def gradient_loops(x, kernel, g, mean=False, channels="oc"):
    n, (h, w), (kh, kw) = len(x), x.shape[2:], kernel.shape[2:]
    x_bar, kernel_bar = np.zeros_like(x), np.zeros_like(kernel)
    for i, j, a, b in np.ndindex(h, w, kh, kw):
        row, column = i - (kh - 1 - a), j - (kw - 1 - b)
        if row >= 0 and column >= 0:
            for k in range(n):
                x_bar[k, :, row, column] += g[k, :, i, j] @ kernel[:, :, a, b]
                outer = np.outer(g[k, :, i, j], x[k, :, row, column])
                kernel_bar[:, :, a, b] += outer if channels == "oc" else outer.T
    return x_bar, kernel_bar / n if mean else kernel_bar


def gradient_windows(x, kernel, g):
    turned = kernel.swapaxes(0, 1)[:, :, ::-1, ::-1]
    x_bar = conv_windows(g, turned, where=((0, 1), (0, 1)))
    kh, kw = kernel.shape[2:]
    padded = np.pad(x, ((0, 0), (0, 0), (kh - 1, 0), (kw - 1, 0)))
    windows = sliding_window_view(padded, (kh, kw), axis=(2, 3))
    kernel_bar = np.einsum("nchwab,nohw->ocab", windows, g)
    return x_bar, kernel_bar


def gradient_matrix(x, kernel, g):
    m = matrix_kronecker(kernel, x.shape[2:])
    n, c, h, w = x.shape
    rows = g.transpose(0, 2, 3, 1).reshape(n, -1) @ m
    return rows.reshape(n, h, w, c).transpose(0, 3, 1, 2), gradient_loops(x, kernel, g)[1]


def gradient_autograd(x, kernel, g):
    return cr.conv_vjp(x, kernel, g)


def gradient(x_bar=None, kernel_bar=None):
    """Make an answer of which a part is right unless it is given."""

    def answer(x, kernel, g):
        right = gradient_loops(x, kernel, g)
        return (
            right[0] if x_bar is None else x_bar(x, kernel, g),
            right[1] if kernel_bar is None else kernel_bar(x, kernel, g),
        )

    return answer


# ---- 6: coupling ---------------------------------------------------------------------------------


def forward(x, network):
    half = x.shape[1] // 2
    t, s = network(x[:, half:])
    y = x.copy()
    y[:, :half] = (x[:, :half] + t) * s
    return y, np.log(s).sum(axis=(1, 2, 3))


def inverse(y, network):
    half = y.shape[1] // 2
    t, s = network(y[:, half:])
    x = y.copy()
    x[:, :half] = y[:, :half] / s - t
    return x, -np.log(s).sum(axis=(1, 2, 3))


def forward_concatenates(x, network):
    x1, x2 = np.split(x, 2, axis=1)
    shift, scale = network(x2)
    log_det = np.array([np.log(each).sum() for each in scale])
    return np.concatenate([scale * (x1 + shift), x2], axis=1), log_det


def inverse_loops_images(y, network):
    x, log_det = np.empty_like(y), np.zeros(len(y))
    half = y.shape[1] // 2
    t, s = network(y[:, half:])
    for n in range(len(y)):
        x[n] = np.concatenate([y[n, :half] / s[n] - t[n], y[n, half:]])
        log_det[n] = -math.fsum(np.log(s[n]).ravel())
    return x, log_det


def coupled(
    step=lambda half, t, s: (half + t) * s,
    figure=lambda s: np.log(s).sum(axis=(1, 2, 3)),
    read=lambda x1, x2: x2,
    merge=lambda x1, x2: np.concatenate([x1, x2], axis=1),
):
    """Make a forward pass, or an inverse, from its steps."""

    def answer(x, network):
        x1, x2 = np.split(x, 2, axis=1)
        t, s = network(read(x1, x2))
        return merge(step(x1, t, s), x2), figure(s)

    return answer


def undone(**steps):
    steps = {
        "step": lambda half, t, s: half / s - t,
        "figure": lambda s: -np.log(s).sum(axis=(1, 2, 3)),
    } | steps
    return coupled(**steps)


def forward_in_place(x, network):
    half = x.shape[1] // 2
    t, s = network(x[:, half:])
    x[:, :half] = (x[:, :half] + t) * s
    return x, np.log(s).sum(axis=(1, 2, 3))


# ---- 7: bits per dimension -----------------------------------------------------------------------


def bits(log_prob, shape, bins):
    d = shape[0] * shape[1] * shape[2]
    return -(log_prob - d * np.log(bins)) / (d * np.log(2))


def bits_base_two(log_prob, shape, bins):
    return math.log2(bins) - log_prob / math.log(2) / math.prod(shape)


def bits_loop(log_prob, shape, bins):
    return [cr.flows.bits_per_dim(float(each), math.prod(shape), bins) for each in log_prob]


# ---- the tables ----------------------------------------------------------------------------------

RIGHT = {
    1: [conv_loops, conv_shifts, conv_windows, cr.conv],
    2: [matrix_loops, matrix_of_basis, matrix_kronecker, cr.convolution_matrix],
    3: [
        inverse_loops, inverse_triangular, inverse_by_matrix, inverse_series, inverse_padded,
        cr.conv_inverse,
        lambda y, kernel: inverse_loops(y, kernel, columns=range),
    ],
    4: [log_det_of_block, log_det_of_diagonal, log_det_of_matrix, cr.log_abs_det],
    5: [gradient_loops, gradient_windows, gradient_matrix, gradient_autograd],
    6: [(forward, inverse), (forward_concatenates, inverse_loops_images), (coupled(), undone())],
    7: [bits, bits_base_two, bits_loop],
}  # fmt: skip

WRONG = {
    1: [
        (lambda x, k: conv_loops(x, k, flip=True), "kernel is flipped in both directions"),
        (lambda x, k: conv_windows(x, k, ((0, 1), (0, 1))), "padded at the bottom right"),
        (lambda x, k: conv_windows(x, k, ((1, 0), (0, 1))), "padded at the top right"),
        (lambda x, k: conv_windows(x, k, ((0, 0), (0, 0))), "not padded"),
        (lambda x, k: conv_windows(x, k, ((1, 1), (1, 1))), "larger than the image"),
        (
            lambda x, k: conv_windows(x, k, sums="nchwab,coab->nohw"),
            "channels of the kernel are ex",
        ),
        (lambda x, k: conv_loops(x, k, inside=lambda *s: True), "the opposite side"),
        (lambda x, k: conv_windows(x, k, mode="edge"), "repeat those at the border"),
        (lambda x, k: conv_windows(x, k.swapaxes(2, 3)), "Rows and columns of the kernel"),
        (conv_in_place, "changes its argument x in place"),
        (lambda x, k: conv_windows(x, k)[0], "must have shape (1, 1, 2, 2); got (1, 2, 2)"),
        (lambda x, k: None, "returns None"),
        (lambda x: x, "must take the arguments conv(x, kernel)"),
        (lambda x, k: x[:, :, 99], "raises IndexError"),
        (lambda x, k: conv_windows(x, k[::-1, ::-1].astype(complex)), "real numbers"),
        (conv_assigns, "Only the last input channel"),
        (conv_strictly_causal, "no pixel reads itself"),
        (lambda x, k: cr.conv(x, k, corner="bottom-right"), "is reflected"),
        (lambda x, k: conv_windows(x, k, sums="nohwab,ooab->nohw"), "sum over the input channels"),
        (lambda x, k: conv_windows(x, k).astype(np.float32), "float32"),
        (lambda x, k: conv_windows(x, k) + 1, None),
        (lambda x, k: np.maximum(conv_windows(x, k), 0), None),
        (conv_recursive, None),
        (conv_of_integers, "an array of integers cuts off"),
        (conv_one_channel, "right for one channel and wrong"),
        (conv_forgets_h, "raises IndexError"),
        (conv_channels_last, "must have shape"),
        (conv_fft, None),
    ],
    2: [
        (lambda k, s: matrix_loops(k, s, swap=True), "transpose of the matrix"),
        (matrix_channel_major, "channel-major order"),
        (matrix_runs_on, "run on into each other"),
        (lambda k, s: matrix_loops(k[:, :, ::-1, ::-1], s), "kernel is flipped"),
        (lambda k, s: matrix_loops(k, s[::-1]), "Height and width are exchanged"),
        (lambda k, s: matrix_loops(k[:1, :1], s), "The channels are forgotten"),
        (matrix_upper_by_mistake, "Input and output channels"),
        (lambda k, s: matrix_loops(k, s, condition=lambda r, c: r * c == r and r == 0), None),
        (lambda k, s: cr.convolution_matrix(k, s, corner="bottom-right"), "is reflected"),
        (lambda k, s: matrix_loops(k, s)[::-1, ::-1], None),
        (lambda k, s: (matrix_loops(k, s) != 0) * 1.0, None),
        (lambda k, s: -matrix_loops(k, s), "-1 times the right one"),
        (lambda k, s: matrix_loops(k[:, :, ::-1], s), "upside down"),
        (matrix_of_dim, "must have shape (4, 4); got (2, 2)"),
        (matrix_python_index, None),
        (matrix_mixed_order, "right for one channel and wrong"),
        (matrix_overwrites, None),
        (matrix_toeplitz_first_row, None),
        (lambda k, s: cr.convolution_matrix(k, s).tolist()[0], "must have shape"),
        (lambda k, s: np.linalg.inv(matrix_loops(k, s)), "inverse of the matrix"),
    ],
    3: [
        (lambda y, k: conv_loops(y, k), "applies the convolution to y again"),
        (lambda y, k: inverse_by_matrix(y, k, lambda m: m.T), "inverse of the transpose"),
        (lambda y, k: inverse_by_matrix(y, k, solve=lambda m, r: m.T @ r), "applies the transpose"),
        (lambda y, k: inverse_loops(y, k, source="y"), "computed from y"),
        (
            lambda y, k: inverse_loops(y, k, columns=lambda w: range(y.shape[2])),
            "loop over the columns runs to the height",
        ),
        (
            lambda y, k: inverse_loops(y, k, columns=lambda w: range(min(y.shape[2:]))),
            "loop over the columns runs to the height",
        ),
        (
            lambda y, k: inverse_loops(y, k, rows=lambda h: range(y.shape[3])),
            "loop over the rows runs to the width",
        ),
        (
            lambda y, k: inverse_padded(y, k, lambda x, h, w: x[:, :, :h, :w]),
            "cropped at the wrong corner",
        ),
        (lambda y, k: inverse_loops(y, k, sign=1), "is added"),
        (
            lambda y, k: inverse_loops(y, k, divide=lambda rest: rest),
            "division by the corner block",
        ),
        (
            lambda y, k: inverse_loops(y, k, divide=lambda r: r / np.diag(k[:, :, -1, -1])),
            "Only the diagonal of the corner block",
        ),
        (lambda y, k: inverse_loops(y, k, divide=lambda r: r @ k[:, :, -1, -1].T), "multiplies by"),
        (lambda y, k: inverse_loops(y, k[:, :, ::-1, ::-1]), "kernel flipped"),
        (lambda y, k: inverse_loops(y[..., ::-1, ::-1], k)[..., ::-1, ::-1], "bottom right"),
        (inverse_no_check_of_column, "At the left border"),
        (lambda y, k: inverse_loops(y, k, rows=lambda h: range(h)[::-1]), "not solved yet"),
        (inverse_exchanges_earlier_taps, "exchanged in the taps of earlier pixels"),
        (lambda y, k: inverse_loops(y, -k), "sign of the result"),
        (lambda y, k: inverse_loops(y.swapaxes(2, 3), k).swapaxes(2, 3), "Rows and columns"),
        (lambda y, k: inverse_loops(y, k).round(6), "right to a few digits only"),
        (lambda y, k: y / k[0, 0, -1, -1], "Two mistakes. (1) The taps of earlier pixels are left"),
        (inverse_first_order, None),
        (inverse_of_kernel, None),
        (inverse_float32, "float32"),
        (inverse_least_squares, None),
        (inverse_in_place, "changes its argument y in place"),
        (inverse_channel_by_channel, "right for one channel and wrong"),
    ],
    4: [
        (lambda k, s: log_det_of_diagonal(k, s, lambda k, h, w: 1), "factor H*W = 4 is missing"),
        (lambda k, s: -log_det_of_block(k, s), "sign is wrong"),
        (lambda k, s: log_det_of_diagonal(k, s, log=math.log2), "in bits (log2)"),
        (lambda k, s: log_det_of_diagonal(k, s, lambda k, h, w: h + w), "H + W pixels"),
        (lambda k, s: log_det_of_diagonal(k, s, lambda k, h, w: h * h), "H*H pixels"),
        (lambda k, s: log_det_of_diagonal(k, s, lambda k, h, w: len(k) * h * w), "too large by C"),
        (log_det_signed, "absolute value is missing"),
        (lambda k, s: log_det_of_block(k[:, :, ::-1, ::-1], s), "first tap"),
        (lambda k, s: log_det_of_block(k[:1, :1], s), "Only the first channel"),
        (lambda k, s: np.exp(log_det_of_block(k, s)), "logarithm is missing"),
        (log_det_of_product, "overflows or becomes 0"),
        (lambda k, s: log_det_of_block(k, s) * s[0] * s[1], "pixels are counted twice"),
        (lambda k, s: -log_det_of_block(k, s) / s[1], "Two mistakes. (1) This counts H = 2"),
        (lambda k, s: 2 * log_det_of_block(k, s), "2 times the right one"),
        (lambda k, s: s[0] * s[1] * math.log(np.linalg.det(k[:, :, -1, -1])), "raises ValueError"),
        (lambda k, s: log_det_of_block(k, s) * np.ones(5), "must have shape (); got (5,)"),
        (log_det_pair, "returns 2 values, where log_det is expected"),
        (lambda k, s: np.linalg.det(matrix_kronecker(k, s)), "logarithm is missing"),
        (
            lambda k, s: np.log(np.abs(np.linalg.det(matrix_kronecker(k, s)))),
            "overflows or becomes",
        ),
        (lambda k, s: log_det_of_block(k, s) + 0.01, None),
        (lambda k, s: math.log(k[0, 0, -1, -1]), "raises ValueError: math domain"),
        (lambda k, s: log_det_of_block(k[:, :, :1, :1], s), "first tap"),
        (lambda k, s: s[0] * s[1] * np.log(np.linalg.norm(k[:, :, -1, -1])), "one channel"),
        (lambda k, s: log_det_of_diagonal(k, s) / len(k), "averaged"),
        (lambda k, s: np.abs(log_det_of_block(k, s)), None),
    ],
    5: [
        (lambda x, k, g: gradient_loops(x, k, g, mean=True), "averaged over the images"),
        (lambda x, k, g: gradient_loops(x, k, g, channels="co"), "channels are exchanged: o of g"),
        (gradient(x_bar=lambda x, k, g: conv_loops(g, k)), "conv(g, K) = M g"),
        (
            gradient(x_bar=lambda x, k, g: conv_windows(g, k[:, :, ::-1, ::-1], ((0, 1), (0, 1)))),
            "input and output channels of K are not exchanged",
        ),
        (
            gradient(x_bar=lambda x, k, g: conv_windows(g, k.swapaxes(0, 1), ((0, 1), (0, 1)))),
            "direction of the taps is wrong",
        ),
        (lambda x, k, g: gradient_loops(x, k, g)[::-1], "wrong order"),
        (gradient(kernel_bar=lambda x, k, g: gradient_loops(x[:1], k, g[:1])[1]), "first image"),
        (
            gradient(kernel_bar=lambda x, k, g: gradient_loops(x, k, g)[1][:, :, ::-1, ::-1]),
            "taps are flipped",
        ),
        (lambda x, k, g: gradient_loops(x, k, g)[0], "returns one value"),
        (gradient(x_bar=lambda x, k, g: inverse_loops(g, k)), "M^-1 g"),
        (
            gradient(lambda x, k, g: conv_loops(g, k), lambda x, k, g: -gradient_loops(x, k, g)[1]),
            "Two mistakes. (1) x_bar: this is conv(g, K)",
        ),
        (gradient(kernel_bar=lambda x, k, g: gradient_loops(g, k, x)[1]), "exchanged roles"),
        (gradient(x_bar=lambda x, k, g: conv_loops(g, k, flip=True)), "K is flipped, but g"),
        (gradient(x_bar=lambda x, k, g: np.zeros_like(x)), "x_bar is 0 in all cases"),
        (gradient(kernel_bar=lambda x, k, g: gradient_loops(x, k, 0 * g + 1)[1]), None),
        (gradient(lambda x, k, g: gradient_loops(x, k, g)[0].sum(0)[None]), "right for one image"),
        (gradient(kernel_bar=lambda x, k, g: k), None),
        (gradient(kernel_bar=lambda x, k, g: gradient_loops(x, k, g)[1].sum(0)), "must have shape"),
        (gradient(kernel_bar=lambda x, k, g: 2 * gradient_loops(x, k, g)[1]), None),
        (gradient(x_bar=lambda x, k, g: 2 * gradient_loops(x, k, g)[0]), None),
    ],
    6: [
        ((coupled(read=lambda a, b: a), undone(read=lambda a, b: a)), "reads the half that is ch"),
        ((forward, undone(read=lambda a, b: a)), "read y1"),
        ((coupled(lambda half, t, s: half * s + t), inverse), "Forward scales first"),
        ((forward, undone(step=lambda half, t, s: (half - t) / s)), "steps in the wrong order"),
        ((forward, undone(step=lambda half, t, s: half * s - t)), "multiplies by the scale again"),
        ((forward, undone(step=lambda half, t, s: half / s + t)), "adds the shift again"),
        ((forward, coupled()), "Two mistakes"),
        (
            (
                coupled(figure=lambda s: s.sum((1, 2, 3))),
                undone(figure=lambda s: -s.sum((1, 2, 3))),
            ),
            "adds up the scales s themselves",
        ),
        ((forward, undone(figure=lambda s: np.log(s).sum((1, 2, 3)))), "sign of forward's"),
        (
            (coupled(figure=lambda s: np.log(s).sum()), undone(figure=lambda s: -np.log(s).sum())),
            "one sum over all images",
        ),
        ((inverse, forward), "Forward and inverse are exchanged"),
        (
            (
                coupled(lambda half, t, s: half + t * s),
                undone(step=lambda half, t, s: half - t * s),
            ),
            "scales the shift only",
        ),
        (
            (
                lambda x, network: forward(x, network)[::-1],
                lambda y, network: inverse(y, network)[::-1],
            ),
            "wrong order: the images come first",
        ),
        (
            (lambda x, network: (forward(x, network)[0], 2 * forward(x, network)[1]), inverse),
            "2 times the right one",
        ),
        ((coupled(read=lambda a, b: np.concatenate([a, b], 1)), inverse), None),
        ((forward_in_place, inverse), "changes its argument x in place"),
        ((coupled(merge=lambda a, b: a), undone(merge=lambda a, b: a)), "Only the changed half"),
        (
            (
                coupled(lambda half, t, s: half * s - t),
                undone(step=lambda half, t, s: (half + t) / s),
            ),
            "another bijection",
        ),
        ((coupled(lambda half, t, s: half * s**2), inverse), "As a layer, checked by"),
        ((lambda x, network: x, inverse), "returns one value"),
        ((lambda x, network: (x, 0), lambda y, network: (y, 0)), "must have shape"),
        ((lambda x, network: forward(x, lambda z: network(x)), inverse), None),
        ((forward, lambda y, network: (y, -forward(y, network)[1])), None),
        ((lambda x, network: (forward(x, network)[0], np.zeros(len(x))), inverse), None),
    ],
    7: [
        (lambda p, s, b: -p / (np.prod(s) * np.log(2)), "log(bins) is missing"),
        (lambda p, s, b: bits(p, s, b) * np.log(2), "nats per dimension"),
        (lambda p, s, b: bits(p, s, b) * np.prod(s), "bits of a whole image"),
        (lambda p, s, b: bits(p, s, b) * s[0], "number of pixels H*W"),
        (lambda p, s, b: bits(p, s, b) * np.prod(s) / len(p), "images, not of dimensions"),
        (lambda p, s, b: -bits(p, s, b), "sign is wrong"),
        (lambda p, s, b: bits(p, s, b).mean(), "mean over the images"),
        (lambda p, s, b: bits(p, s, 256), "always 256"),
        (lambda p, s, b: -(p + np.prod(s) * np.log(b)) / (np.prod(s) * np.log(2)), "log(bins) has"),
        (lambda p, s, b: -(p - np.log(b)) / (np.prod(s) * np.log(2)), "counts once for the image"),
        (
            lambda p, s, b: -(p - np.prod(s) * np.log2(b)) / (np.prod(s) * np.log(2)),
            "log2(bins) in",
        ),
        (lambda p, s, b: p / np.prod(s) / np.log(2) + np.log2(b), "log_prob has the wrong sign"),
        (lambda p, s, b: -p / np.prod(s) / np.log(2) + np.log(b), "in nats as well"),
        (lambda p, s, b: bits(p, s, b) / len(p), "number of images as well"),
        (lambda p, s, b: bits(p, s, b) / np.log(2), "1.4427 times the right one"),
        (lambda p, s, b: bits(p, s, b).mean() * np.ones(len(p)), "right for one image and wrong"),
        (lambda p, s, b: np.log2(np.exp(-bits(p, s, b))), None),
        (lambda p, s, b: bits(p, s, b) - 1, None),
        (lambda p, s, b: bits(p, s, b)[:, None], "must have shape (1,); got (1, 1)"),
        (lambda p, s, b: bits(p, s, b) / s[1], None),
        (lambda p, s, b: np.maximum(bits(p, s, b), 0), None),
        (lambda p, s, b: p / b, None),
    ],
}
