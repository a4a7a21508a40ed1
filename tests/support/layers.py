"""Right layers and densities, whose arguments replace a piece by a wrong one.

A layer is a triple (forward, inverse, images) of two functions of NumPy arrays and an array, drawn
from a seed. `planted_bugs` builds its wrong layers from these.
"""

import numpy as np

import cinc_ref as cr
from cinc_ref.bijections import Squeeze
from tests.support.registry import perturbed


def _images(seed, channels=4):
    return np.random.default_rng(seed).normal(size=(3, channels, 2, 2))


def _networks(seed, count=4):
    """Make functions of some channels to one channel, the networks t and s of a coupling."""
    rng = np.random.default_rng([seed, 1])
    weights = rng.uniform(0.4, 1, (count, 8)) * rng.choice([-1, 1], (count, 8))

    def network(k, context):
        return np.tanh(np.einsum("c,nchw->nhw", weights[k, : context.shape[1]], context))[:, None]

    return network


def sum_of_entries(log_scale):
    return log_scale.sum(axis=(1, 2, 3))


def affine_coupling(seed, scale=np.exp, undo=None, log_det=None, context=None, sign=-1):
    """Make the layer y1 = x1, y2 = (x2 + t(x1)) s(x1)."""
    network = _networks(seed)
    log_det = log_det or (lambda log_scale: sum_of_entries(log_scale) * 2)

    def pieces(x1, x2):
        read = x1 if context is None else context(x1, x2)
        return network(0, read), network(1, read)

    def forward(x):
        x1, x2 = np.split(x, 2, axis=1)
        t, log_scale = pieces(x1, x2)
        return np.concatenate([x1, (x2 + t) * scale(log_scale)], axis=1), log_det(log_scale)

    def inverse(y):
        y1, y2 = np.split(y, 2, axis=1)
        t, log_scale = pieces(y1, y2)
        x2 = undo(y2, t, log_scale) if undo else y2 / scale(log_scale) - t
        return np.concatenate([y1, x2], axis=1), sign * log_det(log_scale)

    return forward, inverse, _images(seed)


def additive_coupling(seed, undo=np.subtract, log_det=0.0):
    """Make the layer y1 = x1, y2 = x2 + t(x1)."""
    network = _networks(seed)

    def forward(x):
        x1, x2 = np.split(x, 2, axis=1)
        return np.concatenate([x1, x2 + network(0, x1)], axis=1), np.full(len(x), log_det)

    def inverse(y):
        y1, y2 = np.split(y, 2, axis=1)
        return np.concatenate([y1, undo(y2, network(0, y1))], axis=1), np.full(len(y), -log_det)

    return forward, inverse, _images(seed)


def quad_coupling(seed, published=False, sign=-1, last=3):
    """Make a layer of four blocks of channels, each changed by a network of the blocks before it.

    The published reverse pass hands its networks the blocks of y, not the recovered ones of x.
    """
    shift, log_scale = _networks(seed), _networks(seed + 1000)

    def forward(x):
        parts, total = [x[:, :1]], np.zeros(len(x))
        for k in (1, 2, 3):
            t, s = shift(k, x[:, :k]), log_scale(k, x[:, :k])
            parts.append((x[:, k : k + 1] + t) * np.exp(s))
            total = total + (sum_of_entries(s) if k <= last else 0)
        return np.concatenate(parts, axis=1), total

    def inverse(y):
        x, total = y.copy(), np.zeros(len(y))
        for k in (1, 2, 3):
            known = y[:, :k] if published else x[:, :k]
            t, s = shift(k, known), log_scale(k, known)
            x[:, k : k + 1] = y[:, k : k + 1] / np.exp(s) - t
            total = total + sign * (sum_of_entries(s) if k <= last else 0)
        return x, total

    return forward, inverse, _images(seed)


def actnorm(seed, pixels=4, absolute=np.abs, sign=1, data=False, shape=None, start=False):
    """Make the layer (x + b) s with a scale and a shift for every channel."""
    rng = np.random.default_rng([seed, 2])
    scale = rng.uniform(1.5, 3, 4) * np.array([1, -1, 1, 1])
    bias = rng.normal(size=4)
    if start:
        scale, bias = np.ones(4), np.zeros(4)
    scale, bias = scale[:, None, None], bias[:, None, None]

    def log_det(x):
        with np.errstate(invalid="ignore"):
            value = sign * pixels * np.log(absolute(scale)).sum()
        return np.full((len(x),) if shape is None else shape, value)

    def forward(x):
        centre = x.mean(axis=(0, 2, 3), keepdims=True) if data else 0
        return (x - centre + bias) * scale, log_det(x)

    def inverse(y):
        return y / scale - bias, -log_det(y)

    return forward, inverse, _images(seed)


def squeeze(seed, order=(4, 2, 5, 3), log_det=0.0, lossy=False):
    """Make the layer of 2x2 squares to channels, inverted by an order of (n, c, i, j, h, w)."""

    def forward(x):
        y, _ = Squeeze().forward({}, x)
        return (np.repeat(y[:, ::2], 2, axis=1) if lossy else y), np.full(len(x), log_det)

    def inverse(y):
        n, c, h, w = y.shape
        axes = y.reshape(n, c // 4, 2, 2, h, w).transpose(0, 1, *order)
        return axes.reshape(n, c // 4, 2 * h, 2 * w), np.full(len(y), -log_det)

    return forward, inverse, _images(seed)


def pointwise(seed, undo=np.linalg.inv, pixels=4, sign=1):
    """Make a dense 1x1 convolution."""
    weight = np.random.default_rng([seed, 3]).normal(size=(4, 4)) + 2 * np.eye(4)
    log_det = sign * pixels * np.linalg.slogdet(weight)[1]

    def apply(matrix, x):
        return np.einsum("oc,nchw->nohw", matrix, x)

    return (
        lambda x: (apply(weight, x), np.full(len(x), log_det)),
        lambda y: (apply(undo(weight), y), np.full(len(y), -log_det)),
        _images(seed),
    )


def chain(seed, skipped=None, in_order=False):
    """Make a chain of three layers."""
    layers = [actnorm(seed), pointwise(seed), affine_coupling(seed)]

    def forward(x):
        total = 0
        for k, layer in enumerate(layers):
            x, log_det = layer[0](x)
            total = total + (0 if k == skipped else log_det)
        return x, total

    def inverse(y):
        total = 0
        for k, layer in list(enumerate(layers))[:: 1 if in_order else -1]:
            y, log_det = layer[1](y)
            total = total + (0 if k == skipped else log_det)
        return y, total

    return forward, inverse, _images(seed)


def flow(seed, concatenated="first first", whole_log_det=True):
    """Make a multi-scale flow a layer by joining its latents to one vector."""
    model, params, x = small_flow(seed)

    def forward(x):
        latents = model.encode(params, x)
        z = np.concatenate([z.reshape(len(x), -1) for z in latents], axis=1)
        prior = -0.5 * np.sum(z**2, axis=1) - z.shape[1] / 2 * np.log(2 * np.pi)
        return z, (model.log_prob(params, x) - prior) * (1 if whole_log_det else 0.5)

    def inverse(z):
        sizes = [int(np.prod(shape)) for shape in model.latent_shapes]
        if concatenated == "last first":
            parts = np.split(z, np.cumsum(sizes[::-1])[:-1], axis=1)[::-1]
        else:
            parts = np.split(z, np.cumsum(sizes)[:-1], axis=1)
        shaped = zip(parts, model.latent_shapes, strict=True)
        x = model.decode(params, [part.reshape(len(z), *shape) for part, shape in shaped])
        return x, -forward(x)[1]

    return forward, inverse, x


def small_flow(seed, shape=(1, 4, 4), levels=2, dtype=np.float64):
    """Make a flow on tiny images, with parameters away from their initial values."""
    model = cr.flows.build("cinc", "quad", shape, levels, 1, 4, 17)
    x = np.random.default_rng(seed).uniform(-0.5, 0.5, (3, *shape)).astype(dtype)
    return model, perturbed(model.init(np.random.default_rng(seed), x), 0.1, seed), x


def density(seed, log_det=True, constant=True, temperature=1.0, published=False, batch=False):
    """Make the density of a quad coupling before a normal one, and its sampler."""
    forward, _, _ = quad_coupling(seed)
    _, inverse, _ = quad_coupling(seed, published=published)

    def log_prob(x):
        z, log_det_of_x = forward(x.reshape(-1, 4, 1, 1))
        value = -0.5 * np.sum(z**2, axis=(1, 2, 3)) - (2 * np.log(2 * np.pi) if constant else 0)
        value = value + (log_det_of_x if log_det else 0)
        return value.sum() if batch else value

    def sample(rng, n):
        z = temperature * rng.normal(size=(n, 4, 1, 1))
        return inverse(z)[0].reshape(n, 1, 2, 2)

    return log_prob, sample


RIGHT_LAYERS = {
    "affine coupling": affine_coupling,
    "additive coupling": additive_coupling,
    "quad coupling": quad_coupling,
    "actnorm": actnorm,
    "squeeze": squeeze,
    "1x1 convolution": pointwise,
    "chain": chain,
    "flow": flow,
}
VOLUME_PRESERVING = ("squeeze",)
