"""Bugs of fifty kinds in layers, each with a pattern that its diagnosis in words must match.

A case makes (layer, options of `check`) from a seed. Images are oblong, with N = 7, C = 4, H = 3
and W = 5, so that no two factors agree.
"""

import threading
from typing import NamedTuple

import numpy as np

from cinc_ref.bijections import ActNorm, AffineCoupling, Chain, InvertibleConv, Squeeze
from cinc_ref.flows import build

N, C, H, W = 7, 4, 3, 5
PIXELS, ENTRIES = H * W, C * H * W


class LayerBug(NamedTuple):
    """The severity, a regular expression for the diagnosis, and the wrong layer from a seed."""

    severity: str
    pattern: str
    make: object


def images(seed, shape=(C, H, W)):
    return np.random.default_rng(seed).normal(size=(N, *shape))


# ---- right layers, whose pieces are replaced -----------------------------------------------------


def pixels(x):
    return x.shape[2] * x.shape[3]


def actnorm(seed, log_det=None, undo=None, inverse_log_det=None):
    """Make (x + b) s with a scale and a shift of every channel; log_det gets (x, log|s|)."""
    rng = np.random.default_rng([seed, 1])
    s = (rng.uniform(1.3, 2.5, C) * np.array([1, -1, 1, 1]))[:, None, None]
    b = rng.normal(size=(C, 1, 1))
    logs = np.log(np.abs(s)).ravel()
    log_det = log_det or (lambda x, logs: np.full(len(x), pixels(x) * logs.sum()))
    inverse_log_det = inverse_log_det or (lambda y, logs: np.full(len(y), -pixels(y) * logs.sum()))
    undo = undo or (lambda y, s, b: y / s - b)
    return (
        lambda x: ((x + b) * s, log_det(x, logs)),
        lambda y: (undo(y, s, b), inverse_log_det(y, logs)),
    )


def coupling(seed, log_det=None, undo=None, inverse_log_det=None):
    """Make y1 = x1, y2 = x2 exp(a) + t with networks of x1; log_det gets a."""
    rng = np.random.default_rng([seed, 2])
    weights = rng.uniform(0.4, 0.9, (2, C // 2, C // 2)) * rng.choice([-1, 1], (2, C // 2, C // 2))

    def networks(x1):
        taken = weights.astype(x1.dtype)
        a, t = (np.tanh(np.einsum("oc,nchw->nohw", w, x1)) for w in taken)
        return a + x1.dtype.type(0.3), t + x1.dtype.type(0.5)

    log_det = log_det or (lambda a: a.sum(axis=(1, 2, 3)))
    inverse_log_det = inverse_log_det or (lambda a: -a.sum(axis=(1, 2, 3)))
    undo = undo or (lambda y2, a, t: (y2 - t) * np.exp(-a))

    def forward(x):
        x1, x2 = np.split(x, 2, axis=1)
        a, t = networks(x1)
        return np.concatenate([x1, x2 * np.exp(a) + t], axis=1), log_det(a)

    def inverse(y):
        y1, y2 = np.split(y, 2, axis=1)
        a, t = networks(y1)
        return np.concatenate([y1, undo(y2, a, t)], axis=1), inverse_log_det(a)

    return forward, inverse


def pointwise(seed, undo=np.linalg.inv, weight=None):
    """Make a dense 1x1 convolution."""
    rng = np.random.default_rng([seed, 3])
    weight = rng.normal(size=(C, C)) + 2 * np.eye(C) if weight is None else weight

    def apply(matrix, x):
        return np.einsum("oc,nchw->nohw", matrix, x)

    def log_det(x, sign):
        return np.full(len(x), sign * pixels(x) * np.linalg.slogdet(weight)[1])

    return (
        lambda x: (apply(weight, x), log_det(x, 1)),
        lambda y: (apply(undo(weight), y), log_det(y, -1)),
    )


def leaky(seed, count=None, threshold=0.0, slopes=(0.4, 1.7)):
    """Make a leaky ReLU with a kink; count gets (x, slope at every entry)."""
    low, high = slopes
    count = count or (lambda x, slope: np.log(slope).sum(axis=(1, 2, 3)))

    def slope(x):
        return np.where(x > threshold, high, low)

    def forward(x):
        return slope(x) * (x - threshold), count(x, slope(x))

    def inverse(y):
        s = np.where(y > 0, high, low)
        return y / s + threshold, -np.log(s).sum(axis=(1, 2, 3))

    return forward, inverse


# ---- changes of whole layers ---------------------------------------------------------------------


def changed(pair, forward=None, inverse=None):
    first, second = pair
    return (forward or (lambda f: f))(first), (inverse or (lambda f: f))(second)


def overwriting(function):
    def f(x):
        y, log_det = function(x.copy())
        x[...] = y
        return y, log_det

    return f


def buffered(function):
    buffers = {}

    def f(x):
        y, log_det = function(x)
        buffer = buffers.setdefault(y.shape, np.empty_like(y))
        buffer[...] = y
        return buffer, log_det

    return f


def counting(function):
    calls = [0]

    def f(x):
        calls[0] += 1
        y, log_det = function(x)
        return y * (1 + 0.01 * calls[0]), log_det

    return f


def memory_order(function):
    def f(x):
        return function(x if x.flags.c_contiguous else x.ravel(order="K").reshape(x.shape))

    return f


def centred(function):
    return lambda x: function(x - 0.1 * x.mean(axis=0, keepdims=True))


def from_batch(least, function):
    def f(x):
        y, log_det = function(x)
        y = y.copy()
        y[least:] *= 1.01
        return y, log_det

    return f


def squeezed(function):
    def f(x):
        y, log_det = function(x)
        return (y[0] if len(x) == 1 else y), log_det

    return f


def silenced(function):
    return lambda x: function(np.nan_to_num(x))


def polluted(function):
    def f(x):
        y, log_det = function(np.nan_to_num(x))
        return y + 0 * x.sum(), log_det

    return f


def remembering(pair, what):
    """Let the inverse return images (0) or minus the log det (1) that forward last saw."""
    forward, inverse = pair
    last = []

    def keeping(x):
        y, log_det = forward(x)
        last[:] = [x.copy(), log_det]
        return y, log_det

    def stale(y):
        x, log_det = inverse(y)
        if len(y) != len(last[0]):
            return x, log_det
        return (last[0].copy(), log_det) if what == 0 else (x, -last[1])

    return keeping, stale


def as_dtype(function, images_dtype, log_det_dtype):
    def f(x):
        y, log_det = function(x)
        return y.astype(images_dtype or y.dtype), log_det.astype(log_det_dtype or y.dtype)

    return f


def through_float32(function):
    def f(x):
        y, log_det = function(x.astype(np.float32).astype(np.float64))
        return y.astype(np.float32).astype(x.dtype), log_det

    return f


def only_below(limit, function):
    """Forget pixels beyond a number in the log-determinant."""

    def f(x):
        y, log_det = function(x)
        return y, log_det * min(1, limit / pixels(x))

    return f


def _sum(a):
    return a.sum(axis=(1, 2, 3))


def first_sizes(function):
    """Count the pixels of the first images for all later ones."""
    first = []

    def f(x):
        y, log_det = function(x)
        first[:] = first or [pixels(x)]
        return y, log_det * (first[0] / pixels(x))

    return f


def of_one_count(count, function):
    """Change the last image of batches of one number of images."""

    def f(x):
        y, log_det = function(x)
        y = y.copy()
        if len(x) == count:
            y[-1] *= 1.01
        return y, log_det

    return f


def without_repeats(function):
    """Take images that a stride of 0 repeats for the first one and zeros."""

    def f(x):
        if x.strides[0] == 0:
            x = np.concatenate([x[:1], 0 * x[1:]])
        return function(x)

    return f


def _case(make, shape=(C, H, W), **options):
    return lambda seed: (make(seed), {"x": images(seed, shape)} | options)


def _log_det(of, shape=(C, H, W)):
    """Make a coupling whose log_det is a function of its logarithmic scales."""
    return _case(lambda s: coupling(s, log_det=of), shape)


LAYER_BUGS = {
    # ---- the factor of a log-determinant
    "H W forgotten": LayerBug("wrong", r"1/15 .*15 = H\*W, the pixels were not counted",
        _log_det(lambda a: _sum(a) / PIXELS)),
    "H W forgotten by a layer whose figure is constant": LayerBug(
        "wrong", r"1/15 .*the pixels were not counted",
        _case(lambda s: actnorm(s, lambda x, logs: np.full(len(x), logs.sum())))),
    "pixels counted twice": LayerBug("wrong", r"15 times .*the pixels were counted twice",
        _log_det(lambda a: _sum(a) * PIXELS)),
    "sign": LayerBug("wrong", r"wrong sign", _log_det(lambda a: -_sum(a))),
    "sign and pixels": LayerBug("wrong", r"1/15 .*and the sign is wrong",
        _log_det(lambda a: -_sum(a) / PIXELS)),
    "mean over channels": LayerBug("wrong", r"1/4 .*4 = C", _log_det(lambda a: _sum(a) / C)),
    "mean over entries": LayerBug("wrong", r"1/60 .*60 = C\*H\*W",
        _log_det(lambda a: _sum(a) / ENTRIES)),
    "in bits": LayerBug("wrong", r"log 2: it is in bits", _log_det(lambda a: _sum(a) / np.log(2))),
    "decimal logarithm": LayerBug("wrong", r"decimal", _log_det(lambda a: _sum(a) / np.log(10))),
    "twice": LayerBug("wrong", r"twice the Jacobian's", _log_det(lambda a: 2 * _sum(a))),
    "half": LayerBug("wrong", r"half of the Jacobian's", _log_det(lambda a: _sum(a) / 2)),
    "zero": LayerBug("wrong", r"log det is 0", _log_det(lambda a: 0 * _sum(a))),
    "H H for H W": LayerBug("wrong", r"H\*H pixels for H\*W: right on square images only",
        _case(lambda s: actnorm(
            s, lambda x, logs: np.full(len(x), x.shape[2] ** 2 * logs.sum())))),
    "H H for H W, seen on square images": LayerBug(
        "wrong", r"H\*H pixels for H\*W: right on square images only",
        _case(lambda s: actnorm(
            s, lambda x, logs: np.full(len(x), x.shape[2] ** 2 * logs.sum())), (C, 4, 4))),
    "W W for H W": LayerBug("wrong", r"W\*W pixels for H\*W",
        _case(lambda s: actnorm(
            s, lambda x, logs: np.full(len(x), x.shape[3] ** 2 * logs.sum())))),
    "H + W for H W": LayerBug("wrong", r"H \+ W pixels for H\*W",
        _case(lambda s: actnorm(
            s, lambda x, logs: np.full(len(x), sum(x.shape[2:]) * logs.sum())))),
    "pixels beyond 200 lost": LayerBug("wrong", r"right up to H\*W = \d+ and wrong for",
        _case(lambda s: changed(pointwise(s, weight=np.eye(C) * 1.5), lambda f: only_below(200, f)),
              (C, H, W))),
    "log 2 added for every entry": LayerBug("wrong", r"log 2 is added for every entry",
        _log_det(lambda a: _sum(a) + ENTRIES * np.log(2))),
    "constant of the normal density": LayerBug("wrong", r"constant of the normal density",
        _log_det(lambda a: _sum(a) - ENTRIES / 2 * np.log(2 * np.pi))),
    "a layer left out": LayerBug("wrong", r"off by the same .* a layer or a constant term",
        _log_det(lambda a: _sum(a) - 3.21)),
    "clamped": LayerBug("wrong", r"at every image.* clamped",
        _log_det(lambda a: np.minimum(_sum(a), -30))),
    # ---- the batch
    "mean over the batch": LayerBug("wrong", r"mean over the batch",
        _log_det(lambda a: np.full(len(a), _sum(a).mean()))),
    "sum over the batch": LayerBug("wrong", r"summed over the batch",
        _log_det(lambda a: np.full(len(a), _sum(a).sum()))),
    "sum over the batch, as a scalar": LayerBug("wrong", r"summed over the batch",
        _log_det(lambda a: np.asarray(_sum(a).sum()))),
    "that of the first image": LayerBug("wrong", r"first image for all",
        _log_det(lambda a: np.full(len(a), _sum(a)[0]))),
    "reversed in the batch": LayerBug("wrong", r"reverse order", _log_det(lambda a: _sum(a)[::-1])),
    # ---- a part, or another function, of the Jacobian
    "one branch": LayerBug("wrong", r"only one branch is counted: entries x > 0",
        _case(lambda s: leaky(s, lambda x, slope: _sum(np.log(slope) * (x > 0))))),
    "a far branch": LayerBug("wrong", r"one branch only",
        _case(lambda s: leaky(
            s, lambda x, slope: _sum(np.log(np.where(x > 4, 1.0, slope))), threshold=4.0,
            slopes=(0.8, 2.5)))),
    "half of the channels": LayerBug("wrong", r"first half of the channels",
        _case(lambda s: actnorm(
            s, lambda x, logs: np.full(len(x), pixels(x) * logs[: C // 2].sum())))),
    "the last channel left out": LayerBug("wrong", r"last channel is not counted",
        _case(lambda s: actnorm(
            s, lambda x, logs: np.full(len(x), pixels(x) * logs[:-1].sum())))),
    "scale, not its logarithm": LayerBug("wrong", r"sum of the scales",
        _log_det(lambda a: _sum(np.exp(a)))),
    "a figure for every pixel": LayerBug("wrong", r"not \(N,\): the sum over the other axes",
        _log_det(lambda a: a.sum(axis=1))),
    "absolute value missing": LayerBug("wrong", r"absolute value is missing",
        _case(lambda s: changed(actnorm(s), lambda f: lambda x: (
            f(x)[0], np.full(len(x), pixels(x) * np.log(-np.ones(1))[0]))))),
    # ---- the inverse
    "transposed": LayerBug("wrong", r"the inverse is the transpose",
        _case(lambda s: pointwise(s, undo=np.transpose))),
    "input returned": LayerBug("wrong", r"returns its input",
        _case(lambda s: pointwise(s, undo=lambda w: np.eye(C)))),
    "forward applied again": LayerBug("wrong", r"applies forward a second time",
        _case(lambda s: pointwise(s, undo=lambda w: w))),
    "scale multiplied again": LayerBug("wrong", r"multiplies by the scale again",
        _case(lambda s: coupling(s, undo=lambda y, a, t: (y - t) * np.exp(a)))),
    "shift in the wrong order": LayerBug("wrong", r"not its shift",
        _case(lambda s: coupling(s, undo=lambda y, a, t: y * np.exp(-a) - t))),
    "shift not undone": LayerBug("wrong", r"a shift is not undone",
        _case(lambda s: actnorm(s, undo=lambda y, scale, b: y / scale))),
    "sign of the inverse's log det": LayerBug("wrong", r"inverse has the sign of forward's",
        _case(lambda s: coupling(s, inverse_log_det=_sum))),
    "pixels of the inverse's log det": LayerBug("wrong", r"inverse: .*1/15 .*pixels",
        _case(lambda s: coupling(s, inverse_log_det=lambda a: -_sum(a) / PIXELS))),
    "no log det of the inverse": LayerBug("wrong", r"the inverse: log det is 0",
        _case(lambda s: coupling(s, inverse_log_det=lambda a: 0 * _sum(a)))),
    "what forward last saw": LayerBug("wrong", r"what forward last saw",
        _case(lambda s: remembering(coupling(s), 0))),
    "the log det that forward last had": LayerBug("wrong", r"log det of the inverse .*it is kept",
        _case(lambda s: remembering(coupling(s), 1))),
    "a last row that is lost": LayerBug("wrong", r"right but in row 2 of 3",
        _case(lambda s: changed(coupling(s), inverse=lambda f: lambda y: (
            f(y)[0] * (np.arange(y.shape[2]) < y.shape[2] - 1)[:, None], f(y)[1])))),
    "approximate": LayerBug("fragile", r"approximate, to .*iterative by design, pass tolerance=",
        _case(lambda s: changed(coupling(s), inverse=lambda f: lambda y: (
            f(y)[0] + 2e-5 * np.sin(50 * y), f(y)[1])))),
    "square images only": LayerBug("wrong", r"inverse is right on square images only",
        _case(lambda s: changed(coupling(s), inverse=lambda f: lambda y: (
            f(y)[0] * (np.arange(y.shape[3]) < y.shape[2]), f(y)[1])), (C, 4, 4))),
    # ---- memory, state, dtypes, edges
    "input of forward overwritten": LayerBug("wrong", r"forward changes the caller's array",
        _case(lambda s: changed(coupling(s), overwriting))),
    "input of the inverse overwritten": LayerBug("wrong", r"inverse changes the caller's array",
        _case(lambda s: changed(coupling(s), inverse=overwriting))),
    "one buffer": LayerBug("wrong", r"one buffer serves all calls",
        _case(lambda s: changed(coupling(s), buffered))),
    "a counter": LayerBug("wrong", r"changes from call to call.*state between calls",
        _case(lambda s: changed(coupling(s), counting))),
    "strides ignored": LayerBug("wrong", r"not contiguous is misread",
        _case(lambda s: changed(coupling(s), memory_order))),
    "batch mean": LayerBug("wrong", r"image alone is not that in a batch",
        _case(lambda s: changed(coupling(s), centred))),
    "wrong in large batches": LayerBug("wrong", r"wrong in a batch of 70: right in smaller",
        _case(lambda s: changed(coupling(s), lambda f: from_batch(64, f)))),
    "the batch axis of one image": LayerBug("wrong", r"image alone",
        _case(lambda s: changed(coupling(s), squeezed))),
    "float32 returned": LayerBug("fragile", r"dtype is lost: images of forward",
        _case(lambda s: changed(coupling(s), lambda f: as_dtype(f, np.float32, None)))),
    "log det in float32": LayerBug("fragile", r"dtype is lost: log_det of forward",
        _case(lambda s: changed(coupling(s), lambda f: as_dtype(f, None, np.float32)))),
    "log det in half precision": LayerBug("wrong", r"half precision",
        _case(lambda s: changed(coupling(s), lambda f: lambda x: (
            f(x)[0], f(x)[1].astype(np.float16).astype(float))))),
    "float32 inside the inverse": LayerBug("fragile", r"as if it were computed in float32",
        _case(lambda s: changed(coupling(s), inverse=through_float32))),
    "NaN silenced": LayerBug("fragile", r"NaN in one image is silenced",
        _case(lambda s: changed(coupling(s), silenced))),
    "NaN spread": LayerBug("fragile", r"NaN in one image spreads",
        _case(lambda s: changed(coupling(s), polluted))),
    "pixels of the first images in the inverse's log det": LayerBug(
        "wrong", r"log det of the inverse is right for \(4, 3, 5\) and wrong for",
        _case(lambda s: changed(actnorm(s), inverse=first_sizes))),
    "wrong in batches of 3": LayerBug("wrong", r"wrong in a batch of 3",
        _case(lambda s: changed(coupling(s), lambda f: of_one_count(3, f)))),
    "wrong in batches of 32": LayerBug("wrong", r"wrong in a batch of 32",
        _case(lambda s: changed(coupling(s), lambda f: of_one_count(32, f)))),
    "stride 0 misread": LayerBug("wrong", r"not contiguous is misread",
        _case(lambda s: changed(coupling(s), without_repeats))),
    "stride 0 misread by the inverse": LayerBug("wrong", r"not contiguous is misread",
        _case(lambda s: changed(coupling(s), inverse=without_repeats))),
    "no bijection": LayerBug("wrong", r"Jacobian is singular",
        _case(lambda s: pointwise(s, undo=np.linalg.pinv, weight=np.ones((C, C))))),
}  # fmt: skip
"""The bugs of layers of NumPy arrays by name."""

RIGHT = {
    "actnorm": _case(actnorm),
    "coupling": _case(coupling),
    "1x1 convolution": _case(pointwise),
    "leaky ReLU": _case(leaky),
    "leaky ReLU with a far kink": _case(lambda s: leaky(s, threshold=4.0, slopes=(1.0, 2.5))),
    "a chain": _case(lambda s: chain(actnorm(s), pointwise(s), coupling(s))),
    "a layer with a lock": _case(lambda s: changed(coupling(s), locked)),
    "a coupling in float32": lambda s: (coupling(s), {"x": images(s).astype(np.float32)}),
}
"""The right layers, of which no finding may be wrong or fragile."""


def causal_chain(normalized=False):
    """Make a chain whose inverse grows exponentially once noise has moved the parameters."""
    norm = [ActNorm()] if normalized else []
    step = [*norm, InvertibleConv(), AffineCoupling(width=16)]
    return Chain([Squeeze(), *step, *step])


def causal_functions(seed):
    """Make the functions of such a chain with parameters that have moved."""
    rng, chain = np.random.default_rng([seed, 3]), causal_chain()
    params = moved(chain.init(np.random.default_rng(0), np.zeros((2, 1, 8, 8))), rng)
    return lambda x: chain.forward(params, x), lambda y: chain.inverse(params, y)


def moved(tree, rng):
    if isinstance(tree, dict):
        return {name: moved(leaf, rng) for name, leaf in tree.items()}
    if isinstance(tree, list | tuple):
        return type(tree)(moved(leaf, rng) for leaf in tree)
    return tree + 0.3 * rng.uniform(-1, 1, tree.shape)


ILL_CONDITIONED = {
    "a chain of causal convolutions": causal_chain,
    "a chain with activation norms": lambda: causal_chain(normalized=True),
    "a chain of a flow": lambda: build(
        "cinc", "affine", (1, 8, 8), levels=1, depth=2, width=16).chains[0],
}  # fmt: skip
"""Right chains whose inverse cannot be tried at every point, for images of one channel."""


def chain(*layers):
    def forward(x):
        total = 0
        for f, _ in layers:
            x, log_det = f(x)
            total = total + log_det
        return x, total

    def inverse(y):
        total = 0
        for _, g in reversed(layers):
            y, log_det = g(y)
            total = total + log_det
        return y, total

    return forward, inverse


def locked(function):
    lock = threading.Lock()

    def f(x):
        with lock:
            return function(x)

    return f
