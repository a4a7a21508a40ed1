"""What every layer promises, tried on the whole registry with parameters away from their start."""

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad, jacobian
from autograd.test_util import check_grads

from cinc_ref.bijections import (
    ActNorm,
    AffineCoupling,
    Chain,
    InvertibleConv,
    QuadCoupling,
    Squeeze,
)
from cinc_ref.bijections.network import apply_network, init_network
from cinc_ref.errors import CincError, DtypeError, OptionError, ParamsError, ShapeError
from tests.support.registry import LAYERS, layer_case

pytestmark = pytest.mark.filterwarnings("ignore:Output seems independent of input")


@pytest.fixture(params=LAYERS)
def name(request):
    return request.param


def _as_vector(y, log_det):
    return anp.concatenate([anp.ravel(y), log_det])


def test_round_trip_both_ways(name):
    layer, params, x = layer_case(name)
    y, log_det = layer.forward(params, x)
    back, inverse_log_det = layer.inverse(params, y)
    np.testing.assert_allclose(back, x, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(inverse_log_det, -log_det, rtol=1e-9, atol=1e-9)
    again, _ = layer.forward(params, layer.inverse(params, y + 0.1)[0])
    np.testing.assert_allclose(again, y + 0.1, rtol=1e-9, atol=1e-9)


def test_log_det_is_slogdet_of_the_jacobian(name):
    layer, params, x = layer_case(name)
    _, log_det = layer.forward(params, x)
    assert log_det.shape == (len(x),)
    for image, expected in zip(x, log_det, strict=True):

        def flat(v, shape=image.shape):
            return anp.ravel(layer.forward(params, anp.reshape(v, (1, *shape)))[0])

        matrix = jacobian(flat)(image.ravel())
        np.testing.assert_allclose(np.linalg.slogdet(matrix)[1], expected, rtol=1e-9, atol=1e-9)


def test_derivatives_to_second_order_in_both_modes(name):
    layer, params, x = layer_case(name, images=1)
    y, _ = layer.forward(params, x)
    for function, images in ((layer.forward, x), (layer.inverse, y)):
        arguments = (params, images) if params else (images,)

        def vector(*arguments, function=function):
            return _as_vector(*function(arguments[0] if params else {}, arguments[-1]))

        every = tuple(range(len(arguments)))  # not the first alone
        check_grads(vector, every, modes=["fwd", "rev"], order=2)(*arguments)


def test_float32_stays_float32(name):
    layer, params, x = layer_case(name, dtype=np.float32)
    y, log_det = layer.forward(params, x)
    back, inverse_log_det = layer.inverse(params, y)
    assert {a.dtype for a in (y, log_det, back, inverse_log_det)} == {np.dtype(np.float32)}
    np.testing.assert_allclose(back, x, rtol=1e-3, atol=1e-4)
    gradient = grad(lambda x: anp.sum(_as_vector(*layer.forward(params, x))))(x)
    assert gradient.dtype == np.float32
    if params:
        gradient = grad(lambda p: anp.sum(_as_vector(*layer.forward(p, x)) ** 2))(params)
        assert {leaf.dtype for leaf in _leaves(gradient)} == {np.dtype(np.float32)}


def test_images_do_not_see_each_other(name):
    layer, params, x = layer_case(name, images=3)
    y, log_det = layer.forward(params, x)
    for k in range(3):
        alone, alone_log_det = layer.forward(params, x[k : k + 1])
        np.testing.assert_allclose(alone[0], y[k], rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(alone_log_det[0], log_det[k], rtol=1e-12, atol=1e-12)


def test_empty_batch_and_unchanged_input(name):
    layer, params, x = layer_case(name)
    before = x.copy()
    y, _ = layer.forward(params, x)
    layer.inverse(params, y)
    assert np.array_equal(x, before) and not np.shares_memory(x, y)
    y, log_det = layer.forward(params, x[:0])
    assert len(y) == 0 and log_det.shape == (0,)
    assert layer.inverse(params, y)[0].shape == (0, *x.shape[1:])


def test_actnorm_starts_from_the_data():
    rng = np.random.default_rng(0)
    x = rng.normal([[[[3.0]], [[-1.0]]]], [[[[5.0]], [[0.1]]]], (50, 2, 4, 4))
    y, _ = ActNorm().forward(ActNorm().init(rng, x), x)
    np.testing.assert_allclose(y.mean(axis=(0, 2, 3)), 0, atol=1e-12)
    np.testing.assert_allclose(y.std(axis=(0, 2, 3)), 1, rtol=1e-12)
    constant = ActNorm().init(rng, np.full((4, 1, 2, 2), 7.0))
    assert constant["log_scale"] == [0] and constant["bias"] == [-7]


def test_squeeze_is_pixel_unshuffle():
    x = np.arange(2 * 4 * 6.0).reshape(1, 2, 4, 6)
    y, _ = Squeeze().forward({}, x)
    for c, i, j in np.ndindex(2, 2, 2):
        assert np.array_equal(y[0, 4 * c + 2 * i + j], x[0, c, i::2, j::2])


def test_couplings_leave_one_block_and_read_only_what_comes_before():
    """Which outputs move when a channel of the input moves says which blocks a network reads."""
    for unchanged, lower in (("last", False), ("first", True)):
        layer = QuadCoupling(8, unchanged=unchanged)
        rng = np.random.default_rng(0)
        x = rng.normal(size=(1, 4, 3, 3))
        params = [_moved(network, rng) for network in layer.init(rng, x)]
        y, _ = layer.forward(params, x)
        moved = np.zeros((4, 4), bool)
        for channel in range(4):
            other = x.copy()
            other[0, channel] += 1
            moved[:, channel] = np.any(layer.forward(params, other)[0] != y, axis=(0, 2, 3))
        triangle = np.tril if lower else np.triu
        assert np.array_equal(moved, triangle(np.ones((4, 4), bool)))


def _moved(network, rng):
    return {
        layer: {name: a + rng.normal(size=a.shape) for name, a in leaves.items()}
        for layer, leaves in network.items()
    }


@pytest.mark.parametrize(
    "corner_block, count", [("triangular", 1230), ("unit", 1218), ("plu", 1296), ("dense", 1296)]
)
def test_parameter_counts_are_what_is_stored(corner_block, count):
    layer = InvertibleConv(corner_block=corner_block)
    params = layer.init(np.random.default_rng(0), np.ones((1, 12, 3, 3)))
    assert layer.count_parameters(12) == sum(a.size for a in params.values()) == count


@pytest.mark.parametrize("size, anchor", [((2, 3), None), ((3, 2), (2, 0)), ((2, 3), (1, 0))])
def test_taps_before_the_anchor_are_learned_and_start_small(size, anchor):
    layer = InvertibleConv(size, anchor=anchor)
    params = layer.init(np.random.default_rng(0), np.ones((1, 20, 2, 2)))
    kernel = layer.kernel(params)
    p, q = layer.anchor
    taps = np.arange(size[0] * size[1]).reshape(size) < p * size[1] + q
    assert np.array_equal(np.all(kernel != 0, axis=(0, 1)), taps)
    count = np.count_nonzero(taps)
    assert layer.count_parameters(20) == count * 400 + 210
    expected = 0.1 / np.sqrt(20 * (count + 1))
    np.testing.assert_allclose(kernel[:, :, taps].std(), expected, rtol=0.1)
    p_block = kernel[:, :, p, q]
    np.testing.assert_allclose(p_block[np.tril_indices(20, -1)].std(), expected, rtol=0.3)


def test_network_reads_the_border_beside_the_images():
    """The formula written out: the border's weights act on an image of ones, zero-padded."""
    rng = np.random.default_rng(0)
    params = init_network(rng, 2, 3, 4, np.float64)
    params["last"]["weight"] = rng.normal(size=(4, 3, 3, 3))
    for layer in params.values():
        layer["bias"] = rng.normal(size=layer["bias"].shape)
    params["first"]["border"] = rng.normal(size=(3, 1, 3, 3))
    x = rng.normal(size=(2, 2, 3, 4))

    def same(x, weight):
        k = weight.shape[2] // 2
        wide, y = np.pad(x, ((0, 0), (0, 0), (k, k), (k, k))), []
        for i, j in np.ndindex(x.shape[2:]):
            window = wide[:, :, i : i + 2 * k + 1, j : j + 2 * k + 1]
            y.append(np.einsum("ncab,ocab->no", window, weight))
        return np.stack(y, axis=-1).reshape(len(x), len(weight), *x.shape[2:])

    h = np.concatenate([x, np.ones((2, 1, 3, 4))], axis=1)
    first = np.concatenate([params["first"]["weight"], params["first"]["border"]], axis=1)
    for weight, layer in ((first, "first"), (params["second"]["weight"], "second")):
        h = np.maximum(same(h, weight) + params[layer]["bias"][:, None, None], 0)
    expected = same(h, params["last"]["weight"]) + params["last"]["bias"][:, None, None]
    np.testing.assert_allclose(apply_network(params, x), expected, rtol=1e-10, atol=1e-10)


def test_networks_start_with_the_variance_that_a_relu_keeps():
    """He et al. 2015: weights of variance 2 / inputs, the nine taps of a 3x3 counted."""
    params = init_network(np.random.default_rng(0), 64, 128, 4, np.float64)
    for layer, inputs in (("first", 64 * 9), ("second", 128)):
        np.testing.assert_allclose(params[layer]["weight"].std(), np.sqrt(2 / inputs), rtol=0.03)


@pytest.mark.parametrize("layer", [Chain([ActNorm(), ActNorm(), ActNorm()]), QuadCoupling(4)])
def test_parameters_of_a_part_too_many_are_refused(layer):
    x = np.random.default_rng(0).normal(size=(2, 4, 2, 2))
    params = layer.init(np.random.default_rng(0), x)
    for direction in (layer.forward, layer.inverse):
        with pytest.raises(ParamsError, match=r": 3/.* is unknown"):
            direction([*params, params[-1]], x)


def test_kernel_has_the_promised_corner_block():
    for corner_block in ("unit", "triangular", "plu"):
        layer, params, _ = layer_case(
            "InvertibleConv" + ("" if corner_block == "triangular" else f" {corner_block}")
        )
        block = layer.kernel(params)[:, :, -1, -1]
        if corner_block != "plu":
            expected = np.diag(np.exp(params.get("log_diagonal", np.zeros(3))))
            expected[np.tril_indices(3, -1)] = params["lower"]
            np.testing.assert_allclose(block, expected, rtol=1e-15)
        if corner_block == "unit":
            assert np.array_equal(np.diagonal(block), np.ones(3))
        expected = np.sum(params.get("log_diagonal", 0.0))
        np.testing.assert_allclose(np.linalg.slogdet(block)[1], expected, atol=1e-12)


def test_plu_starts_at_a_rotation():
    layer = InvertibleConv(corner_block="plu", seed=5)
    block = layer.kernel(layer.init(np.random.default_rng(0), np.ones((1, 6, 2, 2))))[:, :, 2, 2]
    np.testing.assert_allclose(block @ block.T, np.eye(6), atol=1e-12)
    assert np.abs(block - np.eye(6)).max() > 0.5


WRONG = [
    (ActNorm(), np.ones((3, 4, 4)), ShapeError, r"\(N, C, H, W\).*\(3, 4, 4\)"),
    (ActNorm(), np.ones((1, 0, 4, 4)), ShapeError, r"C, H, W >= 1; got \(1, 0, 4, 4\)"),
    (ActNorm(), np.ones((1, 3, 4, 4), int), DtypeError, "int64"),
    (Squeeze(), np.ones((1, 3, 4, 5)), ShapeError, r"even height and width; got.*\(3, 4, 5\)"),
    (QuadCoupling(), np.ones((1, 3, 4, 4)), ShapeError, "at least 4 channels"),
    (AffineCoupling(), np.ones((1, 1, 4, 4)), ShapeError, "at least 2 channels"),
    (Chain([Squeeze(), Squeeze()]), np.ones((1, 1, 6, 6)), ShapeError, "even height"),
]


@pytest.mark.parametrize("layer, x, error, message", WRONG)
def test_images_that_do_not_fit(layer, x, error, message):
    with pytest.raises(error, match=message):
        layer.init(np.random.default_rng(0), x)


@pytest.mark.parametrize(
    "name", [n for n in LAYERS if n.split()[0] not in ("Squeeze", "Chain", "Inverse")]
)
def test_parameters_of_other_channels(name):
    layer, params, x = layer_case(name)
    wider = np.concatenate([x, x], axis=1)
    for function in (layer.forward, layer.inverse):
        with pytest.raises(CincError, match=rf"for {x.shape[1]} channels; got.*{wider.shape[1]}"):
            function(params, wider)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: InvertibleConv(corner_block="lower"), "unit, triangular, plu, dense"),
        (lambda: InvertibleConv(0), "kernel_size"),
        (lambda: InvertibleConv(2.5), "kernel_size"),
        (lambda: InvertibleConv(corner="left"), "corner must be one of"),
        (lambda: InvertibleConv(anchor=(3, 0)), "anchor"),
        (lambda: QuadCoupling(unchanged="middle"), "unchanged"),
        (lambda: AffineCoupling(width=0), "width"),
    ],
)
def test_wrong_configuration(make, message):
    with pytest.raises(OptionError, match=message):
        make()


def test_the_narrowest_network_is_one_channel_wide():
    x = np.random.default_rng(0).normal(size=(2, 4, 3, 3))
    layer = QuadCoupling(width=1)
    y, _ = layer.forward(layer.init(np.random.default_rng(0), x), x)
    assert y.shape == x.shape


def test_squeeze_inverse_needs_four_channels():
    with pytest.raises(ShapeError, match="multiple of 4"):
        Squeeze().inverse({}, np.ones((1, 6, 2, 2)))


def _leaves(tree):
    if isinstance(tree, dict):
        tree = list(tree.values())
    if isinstance(tree, list | tuple):
        return [leaf for branch in tree for leaf in _leaves(branch)]
    return [tree]
